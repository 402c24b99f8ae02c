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
depth                     [T, N] float16           along the optical axis of the frame's own camera, metres
visible                   [T, N]                   0 or 1
role                      [N]                      role code
========================  =======================  ==========================================================

The file's metadata holds ``info``: JSON with seed, shape, task, camera, prompt and split.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.numpy import save_file
from torch import Tensor

from hoigen.records import Conditions
from hoigen.video.inputs import Appearance, PointInputs, point_inputs, reference_video, video_tensor

STORED_POINTS = 2048
VIDEOS = ('rgb', 'background', 'coloured', 'tracking')
PLANES = ('background_known', 'coloured_state', 'shadow', 'mask')


class DataError(ValueError):
    """A clip folder or file does not hold what :mod:`hoigen.video.data` says."""


def write_clip(path: Path, rgb: np.ndarray, conditions: Conditions, info: dict) -> None:
    """Write one clip; ``rgb [T, H, W, 3]`` at the conditions' size. The file appears whole or not at all."""
    c = conditions
    rows = np.linspace(0, c.points.shape[1] - 1, STORED_POINTS).round().astype(np.int64)
    tensors = {'rgb': rgb, 'background': c.background, 'coloured': c.coloured, 'tracking': c.tracking,
               'background_known': c.background_known.astype(np.uint8), 'coloured_state': c.coloured_state,
               'shadow': c.shadow, 'shadow_gain': c.shadow_gain, 'mask': c.mask,
               'points': c.points[:, rows].astype(np.float16), 'role': c.point_role[rows],
               'pixels': c.point_pixels[:, rows].astype(np.float16),
               'depth': c.point_depth_m[:, rows].astype(np.float16),
               'visible': c.point_visible[:, rows].astype(np.uint8)}
    partial = path.with_suffix('.partial')
    save_file({name: np.ascontiguousarray(t) for name, t in tensors.items()}, partial, {'info': json.dumps(info)})
    partial.rename(path)


@dataclass(frozen=True)
class Sample:
    """Part of a clip as tensors, batch size 1: target and reference videos, hand-object mask [1, T, 1, H, W]."""

    video: Tensor
    reference: Tensor
    mask: Tensor


class ClipFolder:
    """Random access to the clips of one folder, in the order of their names."""

    def __init__(self, folder: Path) -> None:
        self.paths = sorted(folder.glob('*.safetensors'))
        if not self.paths:
            raise DataError(f'{folder}: expected *.safetensors clips (make them with: hoigen clips --out {folder}), '
                            'found none')

    def __len__(self) -> int:
        return len(self.paths)

    def frames(self, index: int) -> int:
        with self._open(index) as file:
            return file.get_slice('rgb').get_shape()[0]

    def info(self, index: int) -> dict:
        with self._open(index) as file:
            return json.loads(file.metadata()['info'])

    def sample(self, index: int, start: int = 0, stop: int | None = None) -> Sample:
        """Frames ``start:stop`` of clip ``index``."""
        a = self._arrays(index, (*(v for v in VIDEOS if v != 'tracking'), *PLANES), start, stop)
        look = {name: a[name] for name in (*VIDEOS[1:3], *PLANES)} | {'background_known': a['background_known'] > 0}
        reference = reference_video(Appearance(**look, shadow_gain=self._whole(index, 'shadow_gain')))
        mask = torch.from_numpy(a['mask'] > 0)[None, :, None].float()
        return Sample(video_tensor(a['rgb']), reference, mask)

    def tracking(self, index: int) -> Tensor:
        """The tracking video, [1, T, 3, H, W] in [-1, 1]."""
        return video_tensor(self._arrays(index, ('tracking',))['tracking'])

    def mask(self, index: int) -> np.ndarray:
        """Role codes [T, H, W] uint8."""
        return self._arrays(index, ('mask',))['mask']

    def points(self, index: int, *, cloud: int, tokens: int) -> PointInputs:
        """The point cloud as the control branch reads it."""
        a = self._arrays(index, ('points', 'pixels', 'depth', 'visible', 'mask'))
        role = self._whole(index, 'role')
        points, pixels, depth = (a[name].astype(np.float32) for name in ('points', 'pixels', 'depth'))
        return point_inputs(points, role, pixels, depth, a['visible'] > 0, a['mask'].shape[1:], cloud=cloud,
                            tokens=tokens)

    def _whole(self, index: int, name: str) -> np.ndarray:
        with self._open(index) as file:
            return file.get_tensor(name)

    def _open(self, index: int):
        return safe_open(self.paths[index], framework='np')

    def _arrays(self, index: int, names: tuple[str, ...], start: int = 0,
                stop: int | None = None) -> dict[str, np.ndarray]:
        try:
            with self._open(index) as file:
                return {name: file.get_slice(name)[start:stop] for name in names}
        except Exception as error:  # safetensors raises its own type for a broken file
            raise DataError(f'{self.paths[index]}: expected a whole clip with {names}, got: {error}') from error
