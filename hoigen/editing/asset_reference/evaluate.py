"""Measure pictures of held-out assets: is it this asset, as asked, and do picture, point map and pose agree."""

from __future__ import annotations

import time
from dataclasses import asdict, replace

import numpy as np
from PIL import Image
from rich.console import Console
from rich.progress import track

from hoigen.editing.asset_reference.conditions import AssetViews, asset_views, describe, is_asset
from hoigen.editing.asset_reference.generator import AssetPicture, AssetReference, load_asset_reference
from hoigen.editing.asset_reference.look import looked_up
from hoigen.editing.asset_reference.options import EvaluateReferenceConfig
from hoigen.editing.views import view_of
from hoigen.geometry.orientation import Orientation, apparent
from hoigen.geometry.shading import draw
from hoigen.look.images import write_image
from hoigen.look.sheets import sheet
from hoigen.metrics.statistics import Summary, summarise
from hoigen.metrics.tables import Rows, markdown, said
from hoigen.provenance import strict_json
from hoigen.records import Camera, MeshAsset
from hoigen.sources.mujoco.clutter import Look, draw_looks
from hoigen.sources.mujoco.draws import Draws
from hoigen.whole_files import write_text

RIVALS = 4
"""Assets that a picture is compared with, its own among them."""
NEAR_DEG = 30.0
ELEVATIONS = (10.0, 60.0)
POSE, OFF, TURNED, AGREE, LOOK, OWN, SECONDS = (
    'pose found',
    'points off, px',
    'azimuth within 30°',
    'mask IoU',
    'look error',
    'own look nearest',
    'seconds',
)
MEASURES = {POSE: '↑', OFF: '↓', TURNED: '↑ (chance 0.17)', AGREE: '↑', LOOK: '↓', OWN: '↑ (chance 0.25)', SECONDS: '↓'}


def evaluate(config: EvaluateReferenceConfig) -> None:
    """Run the evaluation."""
    generator = replace(load_asset_reference(config.model), inserter=None)  # pictures as they are generated
    shown: dict[str, list[np.ndarray]] = {'asset': [], 'picture': [], 'point map': []}
    rows, notes = [], []
    for number in track(range(config.assets), description='held-out assets'):
        scene, place = divmod(number, RIVALS)
        looks = draw_looks(Draws('heldout', config.seed, scene), RIVALS)
        rng = np.random.default_rng((config.seed, number))
        asked = Orientation(float(rng.uniform(-np.pi, np.pi)), float(np.radians(rng.uniform(*ELEVATIONS))), 0.0)
        begun = time.perf_counter()
        made = generator.generate(looks[place].asset, describe(f'a {looks[place].caption}', asked), seed=number)
        rows.append(
            {
                **measure(made, looks[place].asset, asked, _rivals(looks, place, generator)),
                SECONDS: time.perf_counter() - begun,
            }
        )
        shown['asset'].append(view_of(looks[place].asset, asked, made.rgb.shape[0]).rgb)
        shown['picture'].append(made.rgb)
        shown['point map'].append(made.colours)
        notes.append(made.provenance.config['caption'])
    _write(config, rows, sheet(shown, notes))


def _rivals(looks: tuple[Look, ...], own: int, generator: AssetReference) -> list[AssetViews]:
    """Views of the assets, the own one first."""
    config = generator.model.config
    order = [own, *(number for number in range(len(looks)) if number != own)]
    return [
        asset_views(looks[number].asset, config.references, config.reference_side, config.views) for number in order
    ]


def measure(made: AssetPicture, mesh: MeshAsset, asked: Orientation, rivals: list[AssetViews]) -> dict[str, float]:
    """The measures of one picture; NaN where there is no pose to tell them of, or no asset."""
    row = {
        POSE: float(made.T_cam_object is not None),
        OFF: made.residual_px,
        TURNED: np.nan,
        AGREE: np.nan,
        LOOK: np.nan,
        OWN: np.nan,
    }
    inside = is_asset(made.colours)
    if inside.any():
        errors = [
            float(np.abs(made.rgb[inside].astype(float) - looked_up(made.colours, views)[0][inside]).mean())
            for views in rivals
        ]
        row[OWN] = float(errors[0] < min(errors[1:]))
    if made.T_cam_object is None:
        return row
    camera = Camera(made.K, made.rgb.shape[1], made.rgb.shape[0], np.eye(4))
    turn = apparent(camera, made.T_cam_object).azimuth - asked.azimuth
    row[TURNED] = float(np.degrees(abs((turn + np.pi) % (2 * np.pi) - np.pi)) <= NEAR_DEG)
    view = draw(mesh, made.T_cam_object, camera)
    both = inside & view.mask
    row[AGREE] = float(both.sum() / (inside | view.mask).sum())
    if both.any():
        row[LOOK] = float(np.abs(made.rgb[both].astype(float) - view.rgb[both]).mean())
    return row


def _write(config: EvaluateReferenceConfig, rows: list[dict[str, float]], pictures: Image.Image) -> None:
    config.out.mkdir(parents=True, exist_ok=True)
    summaries = summarise(rows)
    table = markdown(_table(summaries))
    write_text(config.out / 'table.md', table)
    told = {'means': {name: asdict(summary) for name, summary in summaries.items()}, 'assets': rows}
    write_text(config.out / 'results.json', strict_json(told, indent=1))
    write_image(config.out / 'sheet.png', pictures)
    Console(markup=False).print(table, f'table, results and picture sheet: {config.out}', sep='\n', soft_wrap=True)


def _table(summaries: dict[str, Summary]) -> Rows:
    return [
        ['measure', 'mean [95 % interval]', 'N'],
        *(
            [
                f'{name} {arrow}',
                said(summaries[name], 2) if np.isfinite(summaries[name].low) else f'{summaries[name].mean:.2f}',
                str(summaries[name].n),
            ]
            for name, arrow in MEASURES.items()
        ),
    ]
