"""``hoigen edit reference``: pictures of a 3D asset, each with its point map and the pose that follows from it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import cv2
import numpy as np
import tyro
from PIL import Image
from rich.console import Console

from hoigen.editing.arrays import opened
from hoigen.editing.asset_reference.conditions import code_of, describe
from hoigen.editing.subjects.from_files import load_mesh
from hoigen.editing.views import view_of
from hoigen.geometry.orientation import Orientation
from hoigen.geometry.shading import draw
from hoigen.look.images import write_image
from hoigen.look.progress import bars
from hoigen.look.sheets import marked, sheet
from hoigen.models.configuration import Memory
from hoigen.records import Camera, MeshAsset
from hoigen.whole_files import whole_file

if TYPE_CHECKING:
    from hoigen.editing.asset_reference.generator import AssetPicture, AssetReference, OnStep

SHOWN_FROM = Orientation(np.radians(30.0), np.radians(25.0), 0.0)
"""How the asset itself is shown on the sheet."""


@dataclass(frozen=True)
class ReferenceConfig:
    """Makes pictures of a 3D asset from a text, each with its point map: for every pixel the place on the asset that it
    shows. From that follow the asset's mask and its 6DoF pose, where the map tells one.

    The small model's own pictures are rough: where the pose is found, the asset is painted again there by the insertion
    model, and the point map is then the mesh's; both are kept as they were generated, too.

    Writes for picture N NAME_N.png and NAME_N.npz (rgb, points in the asset's frame, mask, K, T_cam_object or NaN,
    residual_px, generated) and NAME.png, a sheet to look at. A generated picture has no camera of its own: the pose is
    for the K, one of a few, that fits best and is written beside it. A stopped run goes on where it was.
    """

    mesh: Annotated[Path, tyro.conf.Positional]
    """GLB, glTF, OBJ, PLY or STL in metres; object frame: front +x, up +z."""
    caption: str
    """What is to be seen: 'a red mug'."""
    azimuth: float | None = None
    """From where, degrees about the object from its front towards its left; the caption then says so. The tiny model
    learnt captions that do."""
    elevation: float = 30.0
    """With AZIMUTH: how high above the object's horizon, degrees."""
    count: int = 4
    """Pictures."""
    scale: float = 1.0
    """Metres for one unit of the mesh (millimetres: 0.001)."""
    model: str = 'asset-tiny'
    """Name or folder."""
    steps: int | None = None
    """Denoising steps; none: as the model's configuration says."""
    image_guidance: float | None = None
    """How much pictures follow the asset's views, 1: no more than the model does by itself; none: as the model's
    configuration says."""
    seed: int = 0
    """Of the first picture; the next ones follow."""
    memory: Memory = field(default_factory=Memory)
    out: Path = Path('out/reference')
    """Folder for what is made."""

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f'count: expected at least one picture, got {self.count}')
        if self.azimuth is not None and not (abs(self.azimuth) <= 360 and abs(self.elevation) <= 90):
            raise ValueError(
                f'azimuth, elevation: expected degrees within 360 and 90, got {self.azimuth:g} and {self.elevation:g}'
            )

    def text(self) -> str:
        """The caption as the model reads it."""
        if self.azimuth is None:
            return self.caption
        return describe(self.caption, Orientation(np.radians(self.azimuth), np.radians(self.elevation), 0.0))


def reference(config: ReferenceConfig) -> None:
    """Make the pictures that are not there yet, and the sheet of all."""
    mesh = load_mesh(config.mesh, config.scale)
    from hoigen.editing.asset_reference.generator import load_asset_reference  # torch takes seconds: not for --help

    generator = load_asset_reference(config.model, config.memory)
    config.out.mkdir(parents=True, exist_ok=True)
    console = Console(markup=False)
    pictures = []
    with bars(console, quiet=True) as bar:
        task = bar.add_task('image', total=config.count, note='')
        for seed in range(config.seed, config.seed + config.count):
            tell = lambda step, steps, _: bar.update(task, note=f'step {step} of {steps}')  # noqa: E731
            pictures.append(_picture(config, generator, mesh, seed, tell))
            bar.advance(task)
    path = config.out / f'{config.mesh.stem}.png'
    write_image(path, _sheet(mesh, pictures, range(config.seed, config.seed + config.count)))
    print(path)


def _picture(
    config: ReferenceConfig, generator: AssetReference, mesh: MeshAsset, seed: int, tell: OnStep
) -> dict[str, np.ndarray]:
    """A picture's arrays: made, or read where the same was made before."""
    stem = config.out / f'{config.mesh.stem}_{seed:04d}'
    store = stem.with_suffix('.npz')
    settings = json.dumps(
        {
            'seed': seed,
            'caption': config.text(),
            'model': config.model,
            'scale': config.scale,
            'steps': config.steps,
            'image_guidance': config.image_guidance,
            'weights': generator.model.weights,
        }
    )
    if store.is_file():
        with opened(store, 'a finished picture') as file:
            found = {name: file[name] for name in file.files}
        if str(found.get('settings')) == settings:
            return found
    made = generator.generate(
        mesh, config.text(), seed=seed, steps=config.steps, image_guidance=config.image_guidance, on_step=tell
    )
    arrays = _arrays(made) | {'settings': np.array(settings)}
    with whole_file(stem.with_suffix('.png')) as file:
        Image.fromarray(made.rgb).save(file)
    with whole_file(store) as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
    print(f'{stem.with_suffix(".png")}  {_says(arrays)}')
    return arrays


def _arrays(made: AssetPicture) -> dict[str, np.ndarray]:
    pose = np.full((4, 4), np.nan) if made.T_cam_object is None else made.T_cam_object
    return {
        'rgb': made.rgb,
        'points': made.points,
        'colours': made.colours,
        'mask': made.mask,
        'generated': made.generated,
        'K': made.K,
        'T_cam_object': pose,
        'residual_px': np.array(made.residual_px),
        'provenance': np.array(json.dumps(asdict(made.provenance))),
    }


def _says(arrays: dict[str, np.ndarray]) -> str:
    if np.isnan(arrays['T_cam_object']).any():
        return 'no pose: the point map does not tell one'
    return f'{arrays["T_cam_object"][2, 3]:.3f} m away, its points {float(arrays["residual_px"]):.2f} px off'


def _sheet(mesh: MeshAsset, pictures: list[dict[str, np.ndarray]], seeds: range) -> Image.Image:
    """The asset, each picture, its point map, and the asset drawn again at the pose that was found."""
    size = pictures[0]['rgb'].shape[0]
    extent = float(np.linalg.norm(code_of(mesh).high - code_of(mesh).low))
    columns: dict[str, list[np.ndarray]] = {
        name: [] for name in ('asset', 'as generated', 'its point map', 'picture', 'point map', 'outline and axes')
    }
    for arrays in pictures:
        columns['asset'].append(view_of(mesh, SHOWN_FROM, size).rgb)
        columns['as generated'].append(arrays['generated'][0])
        columns['its point map'].append(arrays['generated'][1])
        columns['picture'].append(arrays['rgb'])
        columns['point map'].append(arrays['colours'])
        columns['outline and axes'].append(_again(mesh, arrays, extent))
    return sheet(columns, [f'seed {seed}: {_says(arrays)}' for seed, arrays in zip(seeds, pictures, strict=True)])


def _again(mesh: MeshAsset, arrays: dict[str, np.ndarray], extent: float) -> np.ndarray:
    """The picture with the outline and axes of the mesh at its pose; grey where no pose was found."""
    rgb, pose = arrays['rgb'], arrays['T_cam_object']
    if np.isnan(pose).any():
        return cv2.addWeighted(rgb, 0.3, np.full_like(rgb, 128), 0.7, 0)
    camera = Camera(arrays['K'], rgb.shape[1], rgb.shape[0], np.eye(4))
    return marked(rgb, draw(mesh, pose, camera).mask, camera, pose, 0.4 * extent)
