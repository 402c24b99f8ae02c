"""Surface samples as pictures: every pixel of a surface takes the nearest sample that is seen on it."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import distance_transform_edt
from scipy.spatial import cKDTree

from hoigen.compiling import numba
from hoigen.geometry.camera import pixel_grid, unproject
from hoigen.records import Camera

NEIGHBOURS = 6
"""A sample reaches as far as its sixth neighbour: evenly spread samples then leave no gap between them."""

WIDEST_PIXELS = 24
"""No sample reaches farther than this in the picture."""


def sample_reach(points: np.ndarray, role: np.ndarray) -> np.ndarray:
    """[N] float64 metres: how far each of the points [N,3] stands for the surface around it, among its own role."""
    reach = np.zeros(len(points))
    for code in np.unique(role):
        rows = np.flatnonzero(role == code)
        if len(rows) > 1:
            gaps, _ = cKDTree(points[rows]).query(points[rows], k=min(NEIGHBOURS, len(rows) - 1) + 1)
            reach[rows] = gaps[:, -1]
    return reach


def nearest_samples(
    camera: Camera,
    mask: np.ndarray,
    depth_m: np.ndarray,
    points: np.ndarray,
    pixels: np.ndarray,
    visible: np.ndarray,
    role: np.ndarray,
    reach: np.ndarray,
) -> np.ndarray:
    """[H,W] int32: the visible sample nearest in space to the surface that a pixel shows, -1 where none reaches it.

    mask [H,W] and depth_m [H,W] say what a pixel shows; only samples of the same role count, so that nothing spills
    over a silhouette. points: [N,3] world. pixels: [N,2] their places in the picture. reach: [N] metres.
    A pixel of unknown depth takes the sample of the nearest pixel of its role, up to ``WIDEST_PIXELS`` away.
    """
    surface = unproject(camera, pixel_grid(camera.width, camera.height), depth_m)
    index = np.full(mask.shape, -1, np.int32)
    scale = max(camera.K[0, 0], camera.K[1, 1])
    _assign(
        surface,
        depth_m,
        mask,
        points.astype(float),
        pixels.astype(float),
        visible,
        role,
        reach,
        scale,
        WIDEST_PIXELS,
        index,
    )
    if np.isnan(depth_m).any():
        _bridge(mask, np.isnan(depth_m), index)
    return index


def _bridge(mask: np.ndarray, unknown: np.ndarray, index: np.ndarray) -> None:
    """Give ``unknown`` pixels [H,W] of index [H,W] the sample of the nearest pixel that shares their role."""
    for code in np.unique(mask[unknown]):
        lacks = index < 0
        lacks[mask != code] = True
        away, (row, column) = distance_transform_edt(lacks, return_indices=True)
        take = unknown & (mask == code) & (index < 0) & (away <= WIDEST_PIXELS) & ~lacks.all()
        index[take] = index[row[take], column[take]]


@numba.njit(cache=True, nogil=True)
def _assign(
    surface: np.ndarray,
    depth_m: np.ndarray,
    mask: np.ndarray,
    points: np.ndarray,
    pixels: np.ndarray,
    visible: np.ndarray,
    role: np.ndarray,
    reach: np.ndarray,
    scale: float,
    widest: float,
    index: np.ndarray,
) -> None:
    height, width = mask.shape
    best = np.full(mask.shape, np.inf)
    for n in range(len(points)):
        if not visible[n]:
            continue
        u, v = pixels[n, 0], pixels[n, 1]
        centre = depth_m[min(max(round(v), 0), height - 1), min(max(round(u), 0), width - 1)]
        span = widest if not np.isfinite(centre) else min(scale * reach[n] / centre + 1, widest)
        square = reach[n] ** 2
        for row in range(max(0, int(np.ceil(v - span))), min(height - 1, int(np.floor(v + span))) + 1):
            for column in range(max(0, int(np.ceil(u - span))), min(width - 1, int(np.floor(u + span))) + 1):
                if mask[row, column] != role[n]:
                    continue
                gap = 0.0
                for axis in range(3):
                    gap += (surface[row, column, axis] - points[n, axis]) ** 2
                if gap <= square and gap < best[row, column]:  # never true where the depth is NaN
                    best[row, column] = gap
                    index[row, column] = n
