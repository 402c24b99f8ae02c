"""Clips on disk, as the trainers read them: one safetensors file per clip, one folder per set.

Every tensor's first axis is time, except of ``role`` and ``shadow_gain``. uint8 unless said otherwise, [H, W] the
picture's size:

========================  =======================  ==========================================================
tensor                    shape                    what
========================  =======================  ==========================================================
rgb                       [T, H, W, 3]             the true frames
background, coloured,     [T, H, W, 3]             as in :class:`hoigen.records.Conditions`
tracking
background_known,         [T, H, W]                as in :class:`hoigen.records.Conditions`
coloured_state, shadow,
mask
shadow_gain               [3] float32              as in :class:`hoigen.records.Conditions`
points                    [T, N, 3] float16        normalised, first camera's frame
pixels                    [T, N, 2] float16        (u, v) in the frame's own camera
visible                   [T, N]                   0 or 1
role                      [N]                      role code
stamps_ns                 [T] int64                rising time stamps; may be left out
clean_background          [1, H, W, 3]             the scene without hand and object, where it is known and the camera
                                                   stands still
========================  =======================  ==========================================================

The file's metadata holds ``info``: JSON with ``prompt`` and whatever tells where the clip comes from.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.numpy import save_file
from torch import Tensor

from hoigen.records import Conditions
from hoigen.video.inputs import Appearance, PointInputs, point_inputs, reference_video, video_tensor
from hoigen.video.options import ClipsConfig
from hoigen.whole_files import whole_file

PIXEL_LIMIT = 60_000
"""Places this far outside the picture are stored as if they were here: float16 holds no more."""

VIDEOS = ('rgb', 'background', 'coloured', 'tracking')
PLANES = ('background_known', 'coloured_state', 'shadow', 'mask')


class DataError(ValueError):
    """A clip folder or file does not hold what :mod:`hoigen.video.data` says."""


def write_clip(
    path: Path,
    rgb: np.ndarray,
    conditions: Conditions,
    info: dict,
    points: int = ClipsConfig.points,
    clean_background: np.ndarray | None = None,
) -> None:
    """Write one clip; rgb [T, H, W, 3] and clean_background [H, W, 3] have the conditions' size.

    The file appears whole or not at all.

    Of the conditions' cloud ``points`` are kept, evenly over its rows.
    """
    c = conditions
    if c.points.shape[1] < points:
        raise DataError(f'{path}: expected a cloud of at least {points} points, got {c.points.shape[1]}')
    rows = np.linspace(0, c.points.shape[1] - 1, points).round().astype(np.int64)
    pixels = c.point_pixels[:, rows].clip(-PIXEL_LIMIT, PIXEL_LIMIT)
    tensors = {
        'rgb': rgb,
        'background': c.background,
        'coloured': c.coloured,
        'tracking': c.tracking,
        'background_known': c.background_known.astype(np.uint8),
        'coloured_state': c.coloured_state,
        'shadow': c.shadow,
        'shadow_gain': c.shadow_gain,
        'mask': c.mask,
        'points': c.points[:, rows].astype(np.float16),
        'role': c.point_role[rows],
        'pixels': pixels.astype(np.float16),
        'visible': c.point_visible[:, rows].astype(np.uint8),
        'stamps_ns': c.stamps_ns,
    }
    if clean_background is not None:
        tensors['clean_background'] = clean_background[None]
    with whole_file(path) as file:
        save_file({name: np.ascontiguousarray(t) for name, t in tensors.items()}, file, {'info': json.dumps(info)})


@dataclass(frozen=True)
class Sample:
    """Part of a clip as tensors, batch size 1: target and reference videos, hand-object mask [1, T, 1, H, W]."""

    video: Tensor
    reference: Tensor
    mask: Tensor


class ClipSet:
    """Random access to the clips of one or several folders, each in the order of its names.

    weights: how often each folder is drawn from against the others; by default every clip is drawn equally often.
    """

    def __init__(self, folders: Sequence[Path], weights: Sequence[float] = ()) -> None:
        if weights and (len(weights) != len(folders) or min(weights) <= 0):
            raise DataError(
                f'weights: expected {len(folders)} numbers > 0, one for each folder of clips, got {list(weights)}'
            )
        found = [sorted(Path(folder).glob('*.safetensors')) for folder in folders]
        for folder, paths in zip(folders, found, strict=True):
            if not paths:
                raise DataError(
                    f'{folder}: expected *.safetensors clips (make them with: hoigen clips --out {folder}), found none'
                )
        self.paths = [path for paths in found for path in paths]
        self._sizes = [len(paths) for paths in found] if weights else [len(self.paths)]
        self._weights = np.array(weights or [1.0]) / sum(weights or [1.0])

    def __len__(self) -> int:
        return len(self.paths)

    def name(self, index: int) -> str:
        return str(self.paths[index])

    def order(self, seed: int, count: int) -> np.ndarray:
        """Indices [count] of the clips in the order of training; a longer order begins with the shorter one.

        Every folder is gone through in a new random order again and again, so that an epoch has each clip once.
        """
        folder = np.random.default_rng((seed, 0)).choice(len(self._sizes), size=count, p=self._weights)
        indices = np.empty(count, np.int64)
        for number, size in enumerate(self._sizes):
            places = np.flatnonzero(folder == number)
            rounds = [
                np.random.default_rng((seed, 1 + number, k)).permutation(size) for k in range(-(-len(places) // size))
            ]
            indices[places] = sum(self._sizes[:number]) + np.concatenate([*rounds, []])[: len(places)]
        return indices

    def info(self, index: int) -> dict:
        with self._open(index) as file:
            return json.loads(file.metadata()['info'])

    def sample(self, index: int, start: int = 0, stop: int | None = None, *, clean: bool = False) -> Sample:
        """Frames ``start:stop`` of clip ``index``; clean: before its scene without hand and object, which it has."""
        a = self._arrays(index, (*(v for v in VIDEOS if v != 'tracking'), *PLANES), start, stop)
        look = {n: a[n] for n in (*VIDEOS[1:3], *PLANES[:-1])} | {'background_known': a['background_known'] > 0}
        if clean:
            look |= {
                'background': np.repeat(self._whole(index, 'clean_background'), len(a['rgb']), axis=0),
                'background_known': np.ones_like(look['background_known']),
                'shadow': look['shadow'] & 2,
            }
        reference = reference_video(Appearance(**look, shadow_gain=self._whole(index, 'shadow_gain')))
        mask = torch.from_numpy(a['mask'] > 0)[None, :, None].float()
        return Sample(video_tensor(a['rgb']), reference, mask)

    def video(self, index: int, start: int = 0, stop: int | None = None) -> Tensor:
        """The true frames ``start:stop``, [1, T, 3, H, W] in [-1, 1]."""
        return video_tensor(self._arrays(index, ('rgb',), start, stop)['rgb'])

    def clean_background(self, index: int) -> Tensor | None:
        """The scene without hand and object, [1, 1, 3, H, W] in [-1, 1], where the clip has it."""
        with self._open(index) as file:
            has = 'clean_background' in file.keys()  # noqa: SIM118, not a dict
            return video_tensor(file.get_tensor('clean_background')) if has else None

    def image(self, index: int) -> Tensor:
        """The first frame, [1, 1, 3, H, W] in [-1, 1]."""
        return self.video(index, 0, 1)

    def tracking(self, index: int) -> Tensor:
        """The tracking video, [1, T, 3, H, W] in [-1, 1]."""
        return video_tensor(self._arrays(index, ('tracking',))['tracking'])

    def points(self, index: int, *, cloud: int, tokens: int) -> PointInputs:
        """The point cloud as the control branch reads it."""
        a = self._arrays(index, ('points', 'pixels', 'visible', 'mask'))
        role = self._whole(index, 'role')
        points, pixels = (a[name].astype(np.float32) for name in ('points', 'pixels'))
        return point_inputs(points, role, pixels, a['visible'] > 0, a['mask'].shape[1:], cloud=cloud, tokens=tokens)

    def _whole(self, index: int, name: str) -> np.ndarray:
        with self._open(index) as file:
            return file.get_tensor(name)

    def _open(self, index: int):
        return safe_open(self.paths[index], framework='np')

    def _arrays(
        self, index: int, names: tuple[str, ...], start: int = 0, stop: int | None = None
    ) -> dict[str, np.ndarray]:
        try:
            with self._open(index) as file:
                return {name: file.get_slice(name)[start:stop] for name in names}
        except Exception as error:  # safetensors raises its own type for a broken file
            raise DataError(f'{self.paths[index]}: expected a whole clip with {names}, got: {error}') from error
