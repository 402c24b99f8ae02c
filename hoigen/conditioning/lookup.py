"""Colours of surface places in a picture whose depth and roles are known, without the mixtures at silhouettes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hoigen.compiling import numba
from hoigen.records import Camera

MIXED = 255
"""Role of a pixel that may show two surfaces at once."""

FOLD_FOOTPRINTS = 2.0
"""Depth by which a pixel may leave the line of its neighbours, in pixel sizes at its depth; more is a silhouette."""

AWAY = 2
"""A place at a silhouette takes the colour of the nearest pixel beside it that shows one surface, so many away."""

TOLERANCE_M = 0.001
"""A place and the picture's surface are one when their depths differ by less than this and ``SLACK`` pixel sizes."""

SLACK = 1.5


class Picture(NamedTuple):
    """What :func:`colour_at` reads: rgb [H,W,3] uint8, depth_m [H,W] float32, K [3,3] and inner [H,W] uint8.

    inner is the role of every pixel that lies within one surface, ``MIXED`` elsewhere.
    """

    rgb: np.ndarray
    depth_m: np.ndarray
    K: np.ndarray
    inner: np.ndarray


def picture_of(rgb: np.ndarray, mask: np.ndarray, depth_m: np.ndarray, camera: Camera) -> Picture:
    """The picture of a camera with its mask [H,W] and depth.

    A pixel lies within one surface if its four neighbours have its role and its inverse depth is about the mean of
    theirs on either side, as it is on a plane however steep.
    """
    inner = np.full(mask.shape, MIXED, np.uint8)
    here, middle = mask[1:-1, 1:-1], 1 / depth_m[1:-1, 1:-1]
    limit = 2 * FOLD_FOOTPRINTS / min(camera.K[0, 0], camera.K[1, 1]) * middle
    within = np.ones(here.shape, bool)
    for before, after in ((np.s_[1:-1, :-2], np.s_[1:-1, 2:]), (np.s_[:-2, 1:-1], np.s_[2:, 1:-1])):
        within &= (mask[before] == here) & (mask[after] == here)
        within &= np.abs(1 / depth_m[before] + 1 / depth_m[after] - 2 * middle) <= limit
    inner[1:-1, 1:-1][within] = here[within]
    return Picture(rgb, depth_m, camera.K, inner)


def point_colours(
    picture: Picture, points: np.ndarray, role: np.ndarray, visible: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Colours [N,3] uint8 and known [N] bool of points [N,3] in the picture's camera frame; 0 where not known."""
    colours, known = np.zeros((len(points), 3)), np.zeros(len(points), bool)
    _point_colours(picture, points, role, visible, colours, known)
    return np.where(known[:, None], np.rint(colours), 0).astype(np.uint8), known


@numba.njit(cache=True, nogil=True)
def colour_at(picture: Picture, x: float, y: float, z: float, role: int, colour: np.ndarray) -> bool:
    """Write into ``colour`` [3] what the picture shows of a place (x, y, z) of its camera's frame; False if nothing.

    Bilinear within a surface; beside a silhouette, the nearest inner pixel's of that role and about that depth.
    """
    rgb, depth_m, K, inner = picture
    height, width = inner.shape
    if z <= 0:
        return False
    u, v = (K[0, 0] * x + K[0, 1] * y) / z + K[0, 2], K[1, 1] * y / z + K[1, 2]
    if not (-0.5 <= u < width - 0.5 and -0.5 <= v < height - 0.5):
        return False
    left, top = min(max(int(np.floor(u)), 0), width - 2), min(max(int(np.floor(v)), 0), height - 2)
    size, whole, inverse = z / min(K[0, 0], K[1, 1]), True, 0.0
    colour[:] = 0
    for row in range(top, top + 2):
        for column in range(left, left + 2):
            weight = (1 - abs(v - row)) * (1 - abs(u - column))
            whole = whole and inner[row, column] == role
            inverse += weight / depth_m[row, column]
            for channel in range(3):
                colour[channel] += weight * rgb[row, column, channel]
    if whole and abs(1 / inverse - z) <= TOLERANCE_M + SLACK * size:
        return True
    near, best = AWAY * AWAY + 1.0, (-1, -1)
    for row in range(max(0, top - AWAY + 1), min(height, top + AWAY + 1)):
        for column in range(max(0, left - AWAY + 1), min(width, left + AWAY + 1)):
            square = (row - v) ** 2 + (column - u) ** 2
            if (
                square < near
                and inner[row, column] == role
                and (abs(depth_m[row, column] - z) <= TOLERANCE_M + 2 * AWAY * SLACK * size)
            ):
                near, best = square, (row, column)
    if best[0] < 0:
        return False
    for channel in range(3):
        colour[channel] = rgb[best[0], best[1], channel]
    return True


@numba.njit(cache=True, nogil=True)
def _point_colours(
    picture: Picture, points: np.ndarray, role: np.ndarray, visible: np.ndarray, colours: np.ndarray, known: np.ndarray
) -> None:
    for n in range(len(points)):
        if visible[n]:
            known[n] = colour_at(picture, points[n, 0], points[n, 1], points[n, 2], role[n], colours[n])
