"""Conditions as tensors: what the autoencoder and the control branch read."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Literal

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from hoigen.conditioning.metric_colours import metric_tracking
from hoigen.conditioning.sampling import apportion
from hoigen.geometry.surface import spread
from hoigen.records import Conditions


@dataclass(frozen=True)
class PointInputs:
    """A cloud of N points and the rows of its L query points; see :class:`hoigen.video.points.PointEncoder`.

    points: [B,T,N,3] float32, normalised. role: [B,N] int64. query: [B,L] int64. pixels: [B,T,L,2] float32, fraction
    of the picture. visible: [B,T,L] bool.
    """

    points: Tensor
    role: Tensor
    query: Tensor
    pixels: Tensor
    visible: Tensor

    def map(self, change) -> PointInputs:
        return PointInputs(*(change(getattr(self, f.name)) for f in fields(self)))

    def during(self, frames: list[int]) -> PointInputs:
        """The same points in a part of the clip."""
        moving = {name: getattr(self, name)[:, frames] for name in ('points', 'pixels', 'visible')}
        return replace(self, **moving)


def video_tensor(video: np.ndarray) -> Tensor:
    """``[T, H, W, 3]`` uint8 to ``[1, T, 3, H, W]`` float32 in [-1, 1]."""
    return torch.from_numpy(video).permute(0, 3, 1, 2)[None].float() / 127.5 - 1


def to_uint8(video: Tensor) -> np.ndarray:
    """[1,T,3,H,W], about [-1, 1], to [T,H,W,3] uint8."""
    return ((video[0].float() + 1) * 127.5).round().clamp(0, 255).byte().permute(0, 2, 3, 1).contiguous().cpu().numpy()


@dataclass(frozen=True, eq=False)
class Appearance:
    """What frame 0 tells of how every frame looks; the fields are those of :class:`hoigen.records.Conditions`."""

    background: np.ndarray
    background_known: np.ndarray
    coloured: np.ndarray
    coloured_state: np.ndarray
    shadow: np.ndarray
    shadow_gain: np.ndarray

    @classmethod
    def of(cls, conditions: Conditions) -> Appearance:
        return cls(*(getattr(conditions, f.name) for f in fields(cls)))

    def frames(self, part: slice) -> Appearance:
        """Some of the frames."""
        moving = {f.name: getattr(self, f.name)[part] for f in fields(self) if f.name != 'shadow_gain'}
        return replace(self, **moving)


def tracking_video(conditions: Conditions, colours: Literal['image', 'metric']) -> np.ndarray:
    """[T,H,W,3] uint8 in the tracking colours that a model was trained with."""
    return metric_tracking(conditions) if colours == 'metric' else conditions.tracking


def reference_video(appearance: Appearance) -> Tensor:
    """The decoder's reference ``[1, T, 9, H, W]`` float32 (see :data:`hoigen.models.cogvideox.REFERENCE_CHANNELS`).

    Frame 0's shadows are taken off the background and frame t's put on. Unknown background is painted in from its edge.
    """
    a = appearance
    planes = np.stack([a.background_known, a.coloured_state == 1, a.coloured_state == 2])
    known, guessed_point, known_point = torch.from_numpy(planes)[:, :, None].float()
    points = video_tensor(a.coloured)[0] * (known_point + guessed_point)
    known = 1 - F.max_pool2d(1 - known, 3, 1, 1)  # pixels at the edge of a hole hold a part of what left it
    holes = (known[:, 0] == 0).numpy()
    plate = [relit(*row, a.shadow_gain) for row in zip(a.background, holes, a.shadow, strict=True)]
    return torch.cat([video_tensor(np.stack(plate))[0], known, points, guessed_point, known_point], dim=1)[None]


def relit(background: np.ndarray, hole: np.ndarray, shadow: np.ndarray, gain: np.ndarray) -> np.ndarray:
    """One frame's background [H,W,3] uint8 with its holes painted in and its shadows moved.

    hole: [H,W] bool. shadow: [H,W] codes and gain [3] as in :class:`hoigen.records.Conditions`. A moved shadow's old
    border, whose pixels are mixed, is painted in too.
    """
    then, now = (shadow & 1).astype(np.uint8), (shadow & 2) > 0
    moved = cv2.dilate((then != now).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    border = cv2.morphologyEx(then, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
    unknown = hole | (border & moved)
    lit = np.where(then[..., None] > 0, background / gain, background).clip(0, 255).astype(np.uint8)
    lit = cv2.inpaint(lit, unknown.astype(np.uint8), 4, cv2.INPAINT_TELEA)
    plate = np.where(now[..., None], lit * gain, lit).astype(np.uint8)
    return np.where((unknown | moved)[..., None], plate, background)


def point_inputs(
    points: np.ndarray,
    role: np.ndarray,
    pixels: np.ndarray,
    visible: np.ndarray,
    size: tuple[int, int],
    *,
    cloud: int,
    tokens: int,
) -> PointInputs:
    """Thin a cloud to ``cloud`` points, evenly over its rows, and choose ``tokens`` queries among them.

    Each role has the share of the queries that it has of the cloud, evenly spread over it in frame 0: over the whole
    scene nearly all would lie far from hand and object. points: [T,N,3]; role: [N]; pixels: [T,N,2] in pixels of a
    picture of ``size`` (height, width); visible: [T,N].
    """
    if points.shape[1] < cloud:
        raise ValueError(f'points: expected at least {cloud}, got {points.shape[1]}')
    rows = np.linspace(0, points.shape[1] - 1, cloud).round().astype(np.int64)
    thin = torch.from_numpy(points[:, rows]).float()
    query = _queries(points[0, rows], role[rows], tokens)
    chosen = rows[query]
    fraction = (torch.from_numpy(pixels[:, chosen]).float() + 0.5) / torch.tensor([size[1], size[0]])
    return PointInputs(
        thin[None],
        torch.from_numpy(role[rows].astype(np.int64))[None],
        torch.from_numpy(query)[None],
        fraction[None],
        torch.from_numpy(visible[:, chosen])[None],
    )


def _queries(points: np.ndarray, role: np.ndarray, count: int) -> np.ndarray:
    """Rows [count] int64 of points [N,3], by role in the order of its code."""
    codes, sizes = np.unique(role, return_counts=True)
    return np.concatenate(
        [
            (rows := np.flatnonzero(role == code))[spread(points[rows], n)]
            for code, n in zip(codes, apportion(count, sizes), strict=True)
        ]
    )
