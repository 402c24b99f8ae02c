"""Pictures of an asset with its point map and pose: the model at work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from torch import Tensor

from hoigen.editing.asset_reference.conditions import AssetViews, asset_views, code_of
from hoigen.editing.asset_reference.loading import AssetModel, load_asset_model
from hoigen.editing.asset_reference.model import Layout, Views
from hoigen.editing.asset_reference.pose import find_view
from hoigen.editing.conditions import as_signed, as_uint8
from hoigen.editing.flux_insertion.inserter import Inserter, load_inserter
from hoigen.editing.placement import PlacementError, place, refuse_size
from hoigen.editing.subjects.from_files import mesh_subject
from hoigen.geometry.shading import draw
from hoigen.models.configuration import Memory
from hoigen.models.flux import decode, encode, noise, sample, schedule
from hoigen.provenance import versions_of
from hoigen.records import Camera, Check, MeshAsset, Provenance

OnStep = Callable[[int, int, np.ndarray], None]
"""Told after each step: its number from 1, how many there are, and the picture as it looks there, [S,S,3] uint8. What
it raises ends the work."""
BLACK = np.uint8(0)
"""The colour of views that show nothing, for guidance."""
TRIES = 6
"""Noises that are tried for a picture whose point map tells a pose."""
AGREES = 0.5
"""A pose is told where the mesh's outline there covers the point map that well (intersection over union)."""
RIM = 3
"""Pixels about a generated asset that are taken away with it."""


@dataclass(frozen=True, eq=False)
class AssetPicture:
    """A generated picture of an asset with its labels.

    rgb: [S,S,3] uint8. points: [S,S,3] float32, the place on the asset that a pixel shows, asset's frame, metres, NaN
    where the asset is not. colours: [S,S,3] uint8, the same as it was generated. mask: [S,S] bool, where the asset is.
    T_cam_object: [4,4] float64, None where the point map does not tell one. K: [3,3] float64, the intrinsics that it is
    for, NaN without one. residual_px: how far the points lie from where the pose puts them (median), NaN without one.
    """

    rgb: np.ndarray
    points: np.ndarray
    colours: np.ndarray
    generated: np.ndarray
    mask: np.ndarray
    K: np.ndarray
    T_cam_object: np.ndarray | None
    residual_px: float
    provenance: Provenance

    def __post_init__(self) -> None:
        check, sizes = Check('AssetPicture'), dict[str, int]()
        check.array('rgb', self.rgb, 'uint8', ('S', 'S', 3), sizes=sizes)
        check.array('points', self.points, 'float32', ('S', 'S', 3), sizes=sizes, finite=False)
        check.array('colours', self.colours, 'uint8', ('S', 'S', 3), sizes=sizes)
        check.array('generated', self.generated, 'uint8', (2, 'S', 'S', 3), sizes=sizes)
        check.array('mask', self.mask, 'bool', ('S', 'S'), sizes=sizes)
        if self.T_cam_object is not None:
            check.rigid('T_cam_object', self.T_cam_object)
        check.done()


@dataclass(frozen=True, eq=False)
class AssetReference:
    """A model that is ready. inserter: paints the asset again where its pose was found (a small model's own picture of
    it is rough); None leaves pictures as they were generated."""

    model: AssetModel
    inserter: Inserter | None = None

    def generate(
        self,
        mesh: MeshAsset,
        caption: str,
        *,
        seed: int = 0,
        steps: int | None = None,
        image_guidance: float | None = None,
        on_step: OnStep | None = None,
    ) -> AssetPicture:
        """A picture of the mesh as the caption says, with its point map and the pose that follows from that.

        With an inserter up to TRIES noises of the seed are tried for a point map that tells a pose; then picture, point
        map and mask are those of the mesh at that pose. Where none does, the first is left as it was generated.
        The tiny model's captions are 'a red mug seen from the front left, from above' (:func:`describe`).
        image_guidance: how much the picture follows the views, 1 is not at all beyond the model's own; by default the
        model's. PlacementError for a mesh of an unlikely size.
        """
        refuse_size(mesh)
        first = None
        for attempt in range(1 if self.inserter is None else TRIES):
            noise_seed = seed if not attempt else int(np.random.SeedSequence((seed, attempt)).generate_state(1)[0])
            made = self._generate(mesh, caption, noise_seed, steps, image_guidance, on_step)
            made = replace(
                made,
                provenance=replace(made.provenance, seed=seed, config=made.provenance.config | {'attempt': attempt}),
            )
            first = made if first is None else first
            if self.inserter is None:
                return made
            if made.T_cam_object is not None:
                return repainted(made, mesh, caption, self.inserter)
        assert first is not None
        return first

    @torch.no_grad()
    def _generate(
        self,
        mesh: MeshAsset,
        caption: str,
        seed: int,
        steps: int | None,
        image_guidance: float | None,
        on_step: OnStep | None,
    ) -> AssetPicture:
        """One picture, as the model makes it."""
        model, config = self.model, self.model.config
        side = config.size // config.pixels_per_token
        steps = steps or config.steps
        scale = config.image_guidance if image_guidance is None else image_guidance
        start = noise(seed, 2 * side**2, model.width, model.device)
        shown, report = asset_views(mesh, config.references, config.reference_side, config.views), None
        if on_step is not None:
            report = lambda step, count, tokens: on_step(step, count, self._pictures(tokens, shown)[0])  # noqa: E731
        tokens = sample(self._velocity(shown, caption, scale), start, schedule(steps, side**2), report)
        rgb, colours = self._pictures(tokens, shown)
        made = {'model': config.name, 'caption': caption, 'steps': steps, 'size': config.size, 'image_guidance': scale}
        return _labelled(
            rgb,
            colours,
            mesh,
            seed,
            Provenance(seed, made, mesh.id, model.weights, versions_of(), {config.name: config.licence}),
        )

    def _velocity(self, shown: AssetViews, caption: str, scale: float) -> Callable[[Tensor, Tensor], Tensor]:
        """The model with everything but the noisy tokens and the time given."""
        model, config = self.model, self.model.config
        views = self._encoded(shown.rgb, shown.points)
        empty = None if scale == 1 else self._encoded(np.full_like(shown.rgb, BLACK), np.full_like(shown.points, BLACK))
        text, pooled = model.text([caption])
        token = config.pixels_per_token
        layout = Layout(text.shape[1], config.size // token, config.references, config.reference_side // token)

        def velocity(x: Tensor, t: Tensor) -> Tensor:
            with model.autocast():
                given = x.to(model.dtype), t.to(model.dtype), text, pooled, layout, model.guidance
                found = model.asset(given[0], views, *given[1:])
                if empty is None:
                    return found
                without = model.asset(given[0], empty, *given[1:], masked=False)
                return without + scale * (found - without)

        return velocity

    def _encoded(self, rgb: np.ndarray, points: np.ndarray) -> Views:
        with self.model.autocast():
            tokens = [
                encode(self.model.autoencoder, self.model.placed(as_signed(pictures)))[None]
                for pictures in (rgb, points)
            ]
        return Views(*tokens)

    def _pictures(self, tokens: Tensor, shown: AssetViews) -> tuple[np.ndarray, np.ndarray]:
        """Picture and coloured point map [S,S,3] uint8 of tokens [1,2T,D]."""
        model, side = self.model, self.model.config.size // self.model.config.pixels_per_token
        with model.autocast():
            both = decode(model.autoencoder, tokens[0].unflatten(0, (2, -1)).to(model.dtype), side, side).float()
            if model.refiner is not None:
                both = torch.cat(model.refiner(both[:1], both[1:], [shown]))
        rgb, colours = as_uint8(both.permute(0, 2, 3, 1).float().cpu().numpy())
        return rgb, colours


def _labelled(rgb: np.ndarray, colours: np.ndarray, mesh: MeshAsset, seed: int, provenance: Provenance) -> AssetPicture:
    """The picture with what its point map tells; a pose whose outline is not that of the map is none."""
    points = code_of(mesh).decode(colours)
    mask = np.isfinite(points).all(-1)
    K, pose = find_view(points, seed)
    if pose is not None and _agreement(mesh, pose.T_cam_object, K, mask) < AGREES:
        pose = None
    return AssetPicture(
        rgb,
        points,
        colours,
        np.stack([rgb, colours]),
        mask,
        np.full((3, 3), np.nan) if pose is None else K,
        None if pose is None else pose.T_cam_object,
        float('nan') if pose is None else pose.residual_px,
        provenance,
    )


def _agreement(mesh: MeshAsset, T_cam_object: np.ndarray, K: np.ndarray, mask: np.ndarray) -> float:
    """Intersection over union of a mask with the mesh's outline at a pose; 0 where it cannot be put there."""
    try:
        outline = place(mesh, T_cam_object, Camera(K, mask.shape[1], mask.shape[0], np.eye(4))).mask
    except PlacementError:
        return 0.0
    return float((outline & mask).sum() / (outline | mask).sum())


def repainted(picture: AssetPicture, mesh: MeshAsset, caption: str, inserter: Inserter) -> AssetPicture:
    """A picture with a pose whose asset is taken away and put in again at that pose; its point map is then the mesh's
    own."""
    size, pose = picture.rgb.shape[0], picture.T_cam_object
    assert pose is not None
    camera = Camera(picture.K, size, size, np.eye(4))
    outline = place(mesh, pose, camera).mask
    rim = np.ones((2 * RIM + 1, 2 * RIM + 1), np.uint8)
    hole = cv2.dilate((picture.mask | outline).astype(np.uint8), rim) > 0
    seed = picture.provenance.seed
    scene = inserter.remove(picture.rgb, hole, seed=seed)
    edited = inserter.insert(
        scene, np.full((size, size), np.inf, np.float32), camera, mesh_subject(mesh, caption, seed), pose, seed=seed
    )
    points = draw(mesh, pose, camera).points
    made, by = picture.provenance, edited.provenance
    made = replace(
        made,
        config=made.config | {'repainted': by.config},
        weights=made.weights | by.weights,
        licences=made.licences | by.licences,
    )
    return replace(
        picture, rgb=edited.rgb, points=points, colours=code_of(mesh).encode(points), mask=edited.mask, provenance=made
    )


def load_asset_reference(model: str = 'asset-tiny', memory: Memory | None = None) -> AssetReference:
    """A model by name or by the folder that training left; ModelError says what to do where weights are missing."""
    parts = load_asset_model(model, memory)
    repaint = parts.config.repaint
    return AssetReference(parts, None if repaint is None else load_inserter(repaint))
