"""The examples of a training set, and what of each the model is given."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hoigen.editing.arrays import opened
from hoigen.editing.conditions import as_signed, depth_picture, flat
from hoigen.editing.data.records import Rows, bytes_of
from hoigen.editing.synthesis import GREY, TOLERANCE
from hoigen.geometry.orientation import Orientation, rotation_of
from hoigen.learning.checkpoint import TrainingError

PICTURES = ('rgb', 'without', 'depth_without_m', 'mask', 'object_depth_m', 'box_mask', 'guide', 'view_rgb')
NUMBERS = ('insertion_depth_m', 'orientation', 'view_orientation', 'thing')
MEMORY = 8 << 30
"""Pictures of a set that takes more bytes than this stay on the disk."""


@dataclass(frozen=True, eq=False)
class Given:
    """One example as the model reads it. target, masked: [S,S,3] uint8. depth: [S,S] float32 in [-1, 1]. paint: [S,S]
    bool."""

    target: np.ndarray
    masked: np.ndarray
    depth: np.ndarray
    paint: np.ndarray


class ExampleSet:
    """All examples of a folder of scenes (``hoigen edit data``), in memory unless they are large.

    thing: [E] rows of ``views`` [N,V,S,S,3] uint8, whose orientations are ``view_features`` [N,V,9]; features [E,9] of
    the targets, zeros where an orientation is not known; captions: N. without_known: [E] bool, whether the scene behind
    the object is known (of a real picture it is not).
    """

    def __init__(self, folder: Path) -> None:
        paths = sorted(folder.glob('scene_*.npz'))
        if not paths:
            raise TrainingError(f'{folder}: expected scenes (scene_*.npz), found none; make some: hoigen edit data')
        held = NUMBERS if bytes_of(paths) > MEMORY else (*NUMBERS, *PICTURES)
        fields: dict[str, list[np.ndarray]] = {name: [] for name in held}
        counts: list[tuple[int, int]] = []
        captions: list[str] = []
        known: list[np.ndarray] = []
        for path in paths:
            with opened(path, 'a scene of hoigen edit data') as scene:
                lacks = sorted({*NUMBERS, *PICTURES, 'caption'} - set(scene.files))
                if lacks:
                    raise TrainingError(
                        f'{path}: expected the fields of a scene, {lacks} are missing; make it again: hoigen edit data'
                    )
                for name in fields:
                    fields[name].append(scene[name] + len(captions) if name == 'thing' else scene[name])
                captions += scene['caption'].tolist()
                counts.append((len(scene['thing']), len(scene['caption'])))
                known.append(scene.get('without_known', np.ones(len(scene['thing']), bool)))
        self.arrays: dict[str, Any] = {name: np.concatenate(parts) for name, parts in fields.items()}
        for name in set(PICTURES) - set(held):
            self.arrays[name] = Rows(paths, name, [count[name == 'view_rgb'] for count in counts])
        self.captions, self.without_known = tuple(captions), np.concatenate(known)
        self.thing, self.views = self.arrays['thing'], self.arrays['view_rgb']
        self.features = _features(self.arrays['orientation'])
        self.view_features = _features(self.arrays['view_orientation'])

    def __len__(self) -> int:
        return len(self.thing)

    def name(self, index: int) -> str:
        return f'example {index}: {self.captions[self.thing[index]]}'

    def order(self, seed: int, count: int) -> np.ndarray:
        return order_of(len(self), seed, count)

    def turns(self) -> tuple[np.ndarray, np.ndarray]:
        """Rotations [E,3,3] of the targets and [N,V,3,3] of the views, ``R_cam_object`` each."""
        return _rotations(self.arrays['orientation']), _rotations(self.arrays['view_orientation'])

    def given(self, index: int, *, box: bool = False, guided: bool = False) -> Given:
        """box: the object's shape is not known, only the box about it and its depth. guided: what is to be painted
        shows the mesh as it is drawn there."""
        a = self.arrays
        mask = a['box_mask'][index] if box else a['mask'][index]
        depth = flat(mask, float(a['insertion_depth_m'][index])) if box else a['object_depth_m'][index]
        scene = a['depth_without_m'][index]
        paint = mask & ~(np.nan_to_num(scene, nan=np.inf) < depth * (1 - TOLERANCE))
        masked = np.where(paint[..., None], a['guide'][index] if guided else np.uint8(GREY), a['without'][index])
        return Given(a['rgb'][index], masked, depth_picture(np.where(paint, depth, scene)), paint)

    def picture(self, index: int, generator: torch.Generator) -> Tensor:
        """Any of an example's pictures, for the autoencoder: [3,S,S] float32 in [-1, 1]."""
        kind, box, view = (int(torch.randint(n, (), generator=generator)) for n in (8, 2, self.views.shape[1]))
        if kind < 3:
            return channels_first(as_signed(self.arrays['rgb'][index]))
        if kind < 6:
            return channels_first(as_signed(self.views[self.thing[index], view]))
        given = self.given(index, box=bool(box))
        if kind == 6:
            return channels_first(as_signed(given.masked))
        return torch.from_numpy(given.depth)[None].expand(3, -1, -1)


def channels_first(picture: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)))


def order_of(length: int, seed: int, count: int) -> np.ndarray:
    """[count] int64 indices: pass after pass over all of them, each in another order."""
    rng = np.random.default_rng(seed)
    passes = [rng.permutation(length) for _ in range(-(-count // length))]
    return np.concatenate(passes)[:count]


def _features(angles: np.ndarray) -> np.ndarray:
    rows = [Orientation(*map(float, row)).features() for row in angles.reshape(-1, 3)]
    found = np.stack(rows).reshape(*angles.shape[:-1], -1)
    return np.where(np.isfinite(angles).all(-1, keepdims=True), found, np.float32(0))


def _rotations(angles: np.ndarray) -> np.ndarray:
    rows = [rotation_of(Orientation(*map(float, row))) for row in angles.reshape(-1, 3)]
    return np.nan_to_num(np.stack(rows).reshape(*angles.shape[:-1], 3, 3)).astype(np.float32)
