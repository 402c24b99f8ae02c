"""Depth at followed pixels, from what is around them on the same surface."""

from __future__ import annotations

import numpy as np

from hoigen.compiling import numba

REACH = 2
"""Pixels so far along rows and columns are looked at."""

SAME = 0.02
"""They are on the same surface as the middle one if their depth is the same to this part."""

FEWEST = 6
"""So many of them at least."""


def depth_at(depth_m: np.ndarray, instance: np.ndarray, own: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """[N] float64 depth at pixels [N,2] of the instances own [N], of depth [H,W] and instance [H,W]; NaN unknown.

    A plane (in inverse depth, as it is in pictures) is put through the pixels around that are of the point's own
    instance and about as deep as the nearest one, or as their median where that is not known, so that neither mixtures
    at silhouettes nor a surface behind count.
    """
    depth = np.full(len(pixels), np.nan)
    _depth_at(depth_m, instance, own, pixels, depth)
    return depth


@numba.njit(cache=True, nogil=True, error_model='numpy')
def _depth_at(
    depth_m: np.ndarray, instance: np.ndarray, own: np.ndarray, pixels: np.ndarray, found: np.ndarray
) -> None:
    height, width = depth_m.shape
    inverse, across, down = np.empty(25), np.empty(25), np.empty(25)
    for n in range(len(pixels)):
        u, v = pixels[n]
        if not (-0.5 <= u < width - 0.5 and -0.5 <= v < height - 0.5):
            continue
        count, middle_row, middle_column = 0, round(v), round(u)
        for row in range(max(middle_row - REACH, 0), min(middle_row + REACH + 1, height)):
            for column in range(max(middle_column - REACH, 0), min(middle_column + REACH + 1, width)):
                z = depth_m[row, column]
                if z > 0 and instance[row, column] == own[n]:
                    inverse[count], across[count], down[count] = 1 / z, column - u, row - v
                    count += 1
        if count >= FEWEST:
            middle = depth_m[middle_row, middle_column]
            sure = middle > 0 and instance[middle_row, middle_column] == own[n]
            usual = 1 / middle if sure else np.median(inverse[:count])
            found[n] = _plane(inverse[:count], across[:count], down[:count], usual)


@numba.njit(cache=True, nogil=True, error_model='numpy')
def _plane(inverse: np.ndarray, across: np.ndarray, down: np.ndarray, usual: float) -> float:
    """Depth at the origin of the plane through what is near the ``usual`` inverse depth, NaN if too little is."""
    count, x, y, q, xx, xy, yy, xq, yq = 0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for k in range(len(inverse)):
        if abs(inverse[k] / usual - 1) <= SAME:
            a, b, here = across[k], down[k], inverse[k]
            count += 1
            x, y, q = x + a, y + b, q + here
            xx, xy, yy, xq, yq = xx + a * a, xy + a * b, yy + b * b, xq + a * here, yq + b * here
    if count < FEWEST:
        return np.nan
    x, y, q = x / count, y / count, q / count
    xx, xy, yy = xx / count - x * x, xy / count - x * y, yy / count - y * y
    xq, yq = xq / count - x * q, yq / count - y * q
    solid = xx * yy - xy * xy
    if solid < 0.05:  # all in a row: no plane
        return 1 / q
    at = q - ((yy * xq - xy * yq) * x + (xx * yq - xy * xq) * y) / solid
    return 1 / at if abs(at / usual - 1) <= SAME else 1 / q
