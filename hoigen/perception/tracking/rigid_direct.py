"""The pose of an object with little texture: all of its pixels, carried to another frame, must look the same there.

Corners fail on plain surfaces and slide along edges; the brightness of single pixels constrains the pose only across
edges, and their depth along the line of sight, which is all that is known (direct alignment:
Steinbruecker et al. 2011).
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from hoigen.compiling import numba
from hoigen.perception.tracking.rigid import move_pose

SMOOTH_PX = (6.0, 2.5, 1.0)
"""Pictures are smoothed this much (within the object), coarse to fine."""

STEPS = 5
"""Steps at each smoothness."""

CUT = 3.0
"""A pixel whose miss is more than this many times the usual miss has no say."""

LEAST_GREY, LEAST_PART = 2.0, 0.0005
"""Misses of brightness (of 255) and of parts of the depth that are never told apart."""

ALIKE, LEAST_ALIKE, MOST_ALIKE = 0.5, 4.0, 12.0
"""A pixel agrees if its brightness misses by no more than this part of the thing's contrast, within these limits (of
255),"""

SAME_PART = 0.01
"""and its depth by no more than this part."""

JUMP = 0.03
"""Neighbouring depths that differ by a larger part lie on two surfaces."""


class Look(NamedTuple):
    """An object in a frame: its box's left, top; shade [3,h,w] float32, coarse to fine; depth [h,w] float32, NaN where
    it is unknown or another thing is in front."""

    left: int
    top: int
    shade: np.ndarray
    depth_m: np.ndarray


class Match(NamedTuple):
    """T_cam_object [4,4]; the part of the pixels that is seen in the frame and the part of those that agrees."""

    T_cam_object: np.ndarray
    seen: float
    agree: float


def look_of(grey: np.ndarray, depth_m: np.ndarray, own: np.ndarray) -> Look | None:
    """The object ``own`` [H,W] bool of a frame with grey [H,W] uint8 and depth; None if it is not in view."""
    rows, columns = np.flatnonzero(own.any(1)), np.flatnonzero(own.any(0))
    if not len(rows):
        return None
    box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    mask, bright = own[box].astype(np.float32), grey[box].astype(np.float32)
    shade = []
    for width in SMOOTH_PX:
        around = np.maximum(cv2.GaussianBlur(mask, (0, 0), width), 1e-3)
        shade.append(np.where(own[box], cv2.GaussianBlur(bright * mask, (0, 0), width) / around, np.float32(np.nan)))
    return Look(int(columns[0]), int(rows[0]), np.stack(shade), np.where(own[box], depth_m[box], np.float32(np.nan)))


def align_look(
    K: np.ndarray,
    places: np.ndarray,
    shades: np.ndarray,
    look: Look,
    start: np.ndarray,
    hold: tuple[float, float] = (1e-6, 1e-6),
) -> Match:
    """The pose near ``start`` in which places [N,3] of the thing have their shades [N,3] in ``look``.

    hold: 1 / variance of the turn about the places' middle (rad) and of its shift (m) by which ``start`` may be wrong.
    """
    pose = start.copy()
    total, seen, agree = max(len(places), 1), 0, 0
    for level in range(len(SMOOTH_PX)):
        seen, agree = align(
            K, places, shades[:, level], look.shade[level], look.depth_m, (look.left, look.top), np.array(hold), pose
        )
    return Match(pose, seen / total, agree / max(seen, 1))


@numba.njit(cache=True, nogil=True)
def align(
    K: np.ndarray,
    places: np.ndarray,
    shades: np.ndarray,
    shade: np.ndarray,
    depth_m: np.ndarray,
    corner: tuple[int, int],
    hold: np.ndarray,
    pose: np.ndarray,
) -> tuple[int, int]:
    """Refine ``pose`` in place; how many places are seen and how many of these agree."""
    count = len(places)
    rows, miss = np.empty((count, 2, 6)), np.empty((count, 2))
    seen, alike = 0, min(max(ALIKE * shades.std(), LEAST_ALIKE), MOST_ALIKE)
    mean, centre, gone = np.array([places[:, axis].mean() for axis in range(3)]), np.empty(3), np.zeros(6)
    for step in range(STEPS + 1):
        for axis in range(3):
            centre[axis] = (pose[axis, :3] * mean).sum() + pose[axis, 3]
        for n in range(count):
            _row(K, places[n], shades[n], shade, depth_m, corner, pose, centre, rows[n], miss[n])
        known = ~np.isnan(miss[:, 0])
        seen = known.sum()
        if seen < 6:
            return seen, 0
        darker = np.median(miss[known, 0])  # all of it may be
        for n in range(count):
            miss[n, 0] -= darker
        grey = max(1.48 * np.median(np.abs(miss[known, 0])), LEAST_GREY)
        deep = ~np.isnan(miss[:, 1])
        part = max(1.48 * np.median(np.abs(miss[deep, 1])), LEAST_PART) if deep.sum() > 5 else np.inf
        normal, right = np.zeros((6, 6)), np.zeros(6)
        for n in range(count):
            weight = 1.0
            for kind in range(2):
                if not np.isnan(miss[n, kind]):
                    far = miss[n, kind] / (CUT * (grey if kind == 0 else part))
                    weight *= max(1 - far * far, 0.0) ** 2
            if weight <= 0 or np.isnan(miss[n, 0]):
                continue
            for kind in range(2):
                if not np.isnan(miss[n, kind]):
                    factor = weight / (grey if kind == 0 else part) ** 2
                    for i in range(6):
                        right[i] -= factor * rows[n, kind, i] * miss[n, kind]
                        for j in range(6):
                            normal[i, j] += factor * rows[n, kind, i] * rows[n, kind, j]
        if step < STEPS:
            for i in range(6):
                normal[i, i] += hold[i // 3]
                right[i] -= hold[i // 3] * gone[i]
            move = np.linalg.solve(normal, right)
            gone += move
            for axis in range(3):
                pose[axis, 3] -= centre[axis]
            move_pose(move, pose)
            for axis in range(3):
                pose[axis, 3] += centre[axis]
    agree = 0
    for n in range(count):
        if abs(miss[n, 0]) <= alike and not abs(miss[n, 1]) > SAME_PART:  # NaN: not seen, or depth unknown
            agree += 1
    return seen, agree


@numba.njit(cache=True, nogil=True)
def _row(
    K: np.ndarray,
    place: np.ndarray,
    own: float,
    shade: np.ndarray,
    depth_m: np.ndarray,
    corner: tuple[int, int],
    pose: np.ndarray,
    centre: np.ndarray,
    row: np.ndarray,
    miss: np.ndarray,
) -> None:
    """Misses of brightness and of depth (parts), NaN where not seen, and how they change with a turn about ``centre``
    and a shift [2,6]."""
    miss[:] = np.nan
    x = pose[0, 0] * place[0] + pose[0, 1] * place[1] + pose[0, 2] * place[2] + pose[0, 3]
    y = pose[1, 0] * place[0] + pose[1, 1] * place[1] + pose[1, 2] * place[2] + pose[1, 3]
    z = pose[2, 0] * place[0] + pose[2, 1] * place[1] + pose[2, 2] * place[2] + pose[2, 3]
    if z <= 1e-6:
        return
    u = (K[0, 0] * x + K[0, 1] * y) / z + K[0, 2]
    v = K[1, 1] * y / z + K[1, 2]
    bright, along_u, along_v = _sample(shade, u - corner[0], v - corner[1], np.inf)
    if np.isnan(bright):
        return
    miss[0] = bright - own
    _turn_shift(K, x, y, z, u, v, along_u, along_v, 0.0, centre, row[0])
    deep, along_u, along_v = _sample(depth_m, u - corner[0], v - corner[1], JUMP)
    if not np.isnan(deep):
        miss[1] = deep / z - 1
        _turn_shift(K, x, y, z, u, v, along_u / z, along_v / z, -1 / z, centre, row[1])


@numba.njit(cache=True, nogil=True, inline='always')
def _turn_shift(
    K: np.ndarray,
    x: float,
    y: float,
    z: float,
    u: float,
    v: float,
    along_u: float,
    along_v: float,
    along_z: float,
    centre: np.ndarray,
    row: np.ndarray,
) -> None:
    """Row [6] by turn and shift of a value that changes by so much per pixel and per metre of depth."""
    gx = along_u * K[0, 0] / z
    gy = along_u * K[0, 1] / z + along_v * K[1, 1] / z
    gz = -along_u * (u - K[0, 2]) / z - along_v * (v - K[1, 2]) / z + along_z
    x, y, z = x - centre[0], y - centre[1], z - centre[2]
    row[0], row[1], row[2] = gz * y - gy * z, gx * z - gz * x, gy * x - gx * y
    row[3], row[4], row[5] = gx, gy, gz


@numba.njit(cache=True, nogil=True, inline='always')
def _sample(values: np.ndarray, u: float, v: float, jump: float) -> tuple[float, float, float]:
    """Value at (u, v) between four pixels and its slopes; NaN where one is unknown or they differ by a part > jump."""
    left, top = int(np.floor(u)), int(np.floor(v))
    if left < 0 or top < 0 or left + 1 >= values.shape[1] or top + 1 >= values.shape[0]:
        return np.nan, 0.0, 0.0
    a, b = values[top, left], values[top, left + 1]
    c, d = values[top + 1, left], values[top + 1, left + 1]
    if np.isnan(a + b + c + d) or max(a, b, c, d) > (1 + jump) * min(a, b, c, d) + 1e-9:
        return np.nan, 0.0, 0.0
    right, down = u - left, v - top
    value = (1 - down) * ((1 - right) * a + right * b) + down * ((1 - right) * c + right * d)
    return value, (1 - down) * (b - a) + down * (d - c), (1 - right) * (c - a) + right * (d - b)
