"""Put an object into a picture at a 6DoF pose, or take one away: the model at work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
import torch
from torch import Tensor

from hoigen.editing.conditions import as_signed, as_uint8, depth_picture, flat
from hoigen.editing.editor import OnStep
from hoigen.editing.flux_insertion.loading import InsertionModel, load_insertion
from hoigen.editing.flux_insertion.model import FEATURES, sequence_ids
from hoigen.editing.placement import place, refuse_larger
from hoigen.editing.records import Edited, Placement, Reference, Subject, Synthesis
from hoigen.editing.region import Region, region_of
from hoigen.editing.synthesis import GREY, filled, make_room
from hoigen.editing.views import nearest
from hoigen.geometry.shading import draw
from hoigen.models.configuration import Memory
from hoigen.models.flux import decode, encode, noise, sample, schedule
from hoigen.provenance import versions_of
from hoigen.records import Camera, Provenance

SOFT = 0.6
"""Deviation of the painted outline's soft edge, pixels."""
CHANGED = 24
"""A pixel has changed where any colour differs by more."""


@dataclass(frozen=True, eq=False)
class Inserter:
    """A model that is ready. guided: a mesh with a texture is drawn at the pose for the model to begin from, where the
    paper has it begin from grey. references_by: 'pose' takes the subject's pictures that are turned most as is asked
    for, 'order' the first ones, as the paper's tests do. geometry_aware: False guesses occlusion, as inpainting without
    depth does (the paper's ablation)."""

    model: InsertionModel
    guided: bool = True
    references_by: Literal['pose', 'order'] = 'pose'
    geometry_aware: bool = True

    @property
    def name(self) -> str:
        return self.model.config.name

    @property
    def steps(self) -> int:
        return self.model.config.steps

    def insert(
        self,
        rgb: np.ndarray,
        depth_m: np.ndarray,
        camera: Camera,
        subject: Subject,
        T_world_object: np.ndarray,
        *,
        seed: int = 0,
        steps: int | None = None,
        on_step: OnStep | None = None,
    ) -> Edited:
        """The frame with the subject at a pose, and the labels that are true of it.

        rgb: [H,W,3] uint8 of the scene without the object; depth_m: [H,W] float32 of the same, along the optical axis,
        infinite where nothing is, NaN unknown. PlacementError where the object cannot be put there. What is nearer than
        the object, and all that its outline does not cover, stays as it was, bit for bit.
        """
        placement = place(subject.mesh, T_world_object, camera)
        if not subject.exact:
            placement = _of_a_box(placement)
        guide = None
        if self.guided and subject.exact and subject.mesh.texture is not None:
            guide = draw(subject.mesh, T_world_object, camera).rgb
        room = make_room(rgb, depth_m, placement, guide=guide, geometry_aware=self.geometry_aware)
        refuse_larger(subject.mesh, depth_m, camera)
        frame = rgb
        if room.paint.any():
            conditions = self._conditions(room, placement, subject, guided=guide is not None)
            frame = self._painted(rgb, room.paint, conditions, _Draw(seed, steps or self.steps, on_step))
        return self._edited(rgb, frame, room, placement, subject, self.provenance(seed, steps))

    def remove(
        self,
        rgb: np.ndarray,
        mask: np.ndarray,
        depth_m: np.ndarray | None = None,
        *,
        seed: int = 0,
        steps: int | None = None,
        on_step: OnStep | None = None,
    ) -> np.ndarray:
        """The frame [H,W,3] uint8 without what ``mask`` [H,W] bool covers: what is around it is continued there.

        depth_m: [H,W] float32 of the scene without it, NaN unknown (filled from around).
        """
        if not mask.any():
            return rgb
        region = region_of(mask, self.model.config.size)
        unknown = np.full(mask.shape, np.nan, np.float32) if depth_m is None else depth_m
        blank = Reference(np.full((8, 8, 3), GREY, np.uint8), None)
        conditions = _Conditions(
            region, filled(rgb, mask), _deepened(unknown, mask), (blank,), np.zeros(FEATURES, np.float32), ''
        )
        return self._painted(rgb, mask, conditions, _Draw(seed, steps or self.steps, on_step))

    def provenance(self, seed: int, steps: int | None = None) -> Provenance:
        """How a frame of this seed is made."""
        config = self.model.config
        made: dict[str, Any] = {
            'model': config.name,
            'steps': steps or self.steps,
            'size': config.size,
            'guided': self.guided,
            'geometry_aware': self.geometry_aware,
            'references_by': self.references_by,
        }
        return Provenance(seed, made, '', self.model.weights, versions_of(), {config.name: config.licence})

    def _conditions(self, room: Synthesis, placement: Placement, subject: Subject, *, guided: bool) -> _Conditions:
        count, config = self.model.config.references, self.model.config
        found = subject.references
        if self.references_by == 'pose':
            found = nearest(found, placement.orientation, count)
        return _Conditions(
            region_of(placement.mask, config.size),
            room.rgb,
            room.depth_m,
            found[:count],
            placement.orientation.features(),
            subject.caption,
            guided,
        )

    @torch.no_grad()
    def _painted(self, rgb: np.ndarray, paint: np.ndarray, conditions: _Conditions, draw: _Draw) -> np.ndarray:
        """The frame with the model's picture where ``paint`` says."""
        model, region = self.model, conditions.region
        side = model.config.size // model.config.pixels_per_token
        share, detail = _soft(paint), region.detail(conditions.rgb) if conditions.guided else None
        masked, depth = conditions.pictures()
        seen = (
            model.placed([masked]),
            model.placed([depth])[:, :1],
            model.placed([np.repeat(region.cut(paint)[..., None], 3, -1).astype(np.float32)])[:, :1],
        )

        def frame_of(tokens: Tensor) -> np.ndarray:
            with model.autocast():
                picture = decode(model.autoencoder, tokens.to(model.dtype), side, side)
                if model.refiner is not None:
                    picture = model.refiner(picture, *seen)
            return region.paste(rgb, as_uint8(picture[0].permute(1, 2, 0).float().cpu().numpy()), share, detail)

        velocity = self._velocity(conditions, side)
        start = noise(draw.seed, side * side, model.insertion.transformer.config.in_channels, model.device)
        report = None
        if draw.on_step is not None:
            tell = draw.on_step
            report = lambda step, steps, tokens: tell(step, steps, frame_of(tokens))  # noqa: E731
        times = schedule(draw.steps, model.config.schedule_tokens or side * side)
        return frame_of(sample(velocity, start, times, report))

    def _velocity(self, conditions: _Conditions, side: int) -> Callable[[Tensor, Tensor], Tensor]:
        """The model with everything but the noisy tokens and the time given."""
        model, count = self.model, self.model.config.references
        size = model.config.reference_side
        shown = [conditions.references[n % len(conditions.references)] for n in range(count)]
        turned = [as_signed(cv2.resize(item.rgb, (size, size), interpolation=cv2.INTER_AREA)) for item in shown]
        own = [
            np.zeros(FEATURES, np.float32) if item.orientation is None else item.orientation.features()
            for item in shown
        ]
        with model.autocast():
            scene = encode(model.autoencoder, model.placed(conditions.pictures())).flatten(0, 1)[None]
            references = encode(model.autoencoder, model.placed(turned))[None]
            text, pooled = model.text([conditions.caption])
        ids = sequence_ids(side, [size // model.config.pixels_per_token] * count).to(model.device)
        target = torch.from_numpy(conditions.features)[None].to(model.device, model.dtype)
        known = torch.from_numpy(np.stack(own))[None].to(model.device, model.dtype)

        def velocity(x: Tensor, t: Tensor) -> Tensor:
            with model.autocast():
                return model.insertion(
                    x.to(model.dtype), scene, references, target, known, t, text, pooled, ids, model.guidance
                )

        return velocity

    def _edited(
        self,
        before: np.ndarray,
        after: np.ndarray,
        room: Synthesis,
        placement: Placement,
        subject: Subject,
        provenance: Provenance,
    ) -> Edited:
        changed = (np.abs(after.astype(np.int16) - before) > CHANGED).any(-1)
        mask, depth = room.paint, room.depth_m
        if not subject.exact:
            mask = room.paint & changed
            depth = np.where(mask, np.nan, depth).astype(np.float32)
        whole = placement.mask.sum() / (1 - placement.cut)
        union = (room.paint | (changed & placement.mask)).sum()
        agreement = float((room.paint & changed).sum() / union) if subject.exact and union else float('nan')
        return Edited(
            placement.camera,
            after,
            mask,
            depth,
            float(min(1.0, room.paint.sum() / whole)),
            placement.T_world_object,
            agreement,
            provenance,
        )


@dataclass(frozen=True, eq=False)
class _Conditions:
    """What the model reads, before it is cut to the region. features: of the orientation that is asked for. guided:
    rgb shows the object, finer than the model sees it."""

    region: Region
    rgb: np.ndarray
    depth_m: np.ndarray
    references: tuple[Reference, ...]
    features: np.ndarray
    caption: str
    guided: bool = False

    def pictures(self) -> list[np.ndarray]:
        """Masked picture and depth of the region, [S,S,3] float32 in [-1, 1] each."""
        depth = depth_picture(self.region.cut(self.depth_m, fill=np.inf))
        return [as_signed(self.region.cut(self.rgb)), np.repeat(depth[..., None], 3, -1)]


@dataclass(frozen=True)
class _Draw:
    seed: int
    steps: int
    on_step: OnStep | None


def _of_a_box(placement: Placement) -> Placement:
    """The placement of an object of which only the size is known: one depth for all of the box's outline."""
    depth = flat(placement.mask, placement.insertion_depth_m)
    return Placement(
        placement.camera,
        placement.T_world_object,
        placement.mask,
        depth,
        placement.insertion_depth_m,
        placement.orientation,
        placement.cut,
    )


def _soft(paint: np.ndarray) -> np.ndarray:
    """Shares [H,W] in [0, 1] of a painted area: one inside, softer at its edge, nothing outside."""
    return cv2.GaussianBlur(paint.astype(np.float32), (0, 0), SOFT) * paint


def _deepened(depth_m: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Depth with the masked part taken from the nearest pixels around it, where any is known."""
    known = np.isfinite(depth_m) & ~mask
    if not known.any():
        return np.full(depth_m.shape, np.inf, np.float32)
    _, labels = cv2.distanceTransformWithLabels(
        (~known).astype(np.uint8), cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL
    )
    table = np.zeros(labels.max() + 1, np.float32)
    table[labels[known]] = depth_m[known]
    return np.where(mask, table[labels], depth_m).astype(np.float32)


def load_inserter(model: str = 'insertion-tiny', memory: Memory | None = None) -> Inserter:
    """An inserter by the name or folder of its model; ModelError says what to do where weights are missing."""
    return Inserter(load_insertion(model, memory))
