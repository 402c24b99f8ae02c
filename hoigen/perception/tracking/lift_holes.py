"""Small holes in measured depth, filled where the surface around them leaves no doubt."""

from __future__ import annotations

import numpy as np

from hoigen.compiling import numba

WIDEST_PX = 24
"""A hole is filled from known pixels so far away at most,"""

SAME_PART = 0.02
"""whose depths, and what they say of the hole's, differ by no larger part; or else by no more than the slopes of the
surface on either side let expect,"""

SLOPE_PX = 4
"""which are taken over so many pixels."""


def fill_holes(depth_m: np.ndarray, instance: np.ndarray) -> np.ndarray:
    """[T,H,W] float32: depth [T,H,W], NaN unknown, with the holes that lie within one surface filled.

    A pixel is filled if the nearest known pixels to its left, right, top and bottom are of its own instance, nothing
    else lies between, and both lines (of inverse depth, exact on planes) say the same. What is filled is interpolated,
    not measured: its confidence stays 0 in the geometry.
    """
    filled = depth_m.copy()
    for depth, own, new in zip(depth_m, instance, filled, strict=True):
        _fill(depth, own, new)
    return filled


@numba.njit(cache=True, nogil=True)
def _fill(depth_m: np.ndarray, instance: np.ndarray, filled: np.ndarray) -> None:
    height, width = depth_m.shape
    for row in range(height):
        for column in range(width):
            if not np.isnan(depth_m[row, column]):
                continue
            across, reach_across = _line(depth_m, instance, row, column, 0, 1)
            if reach_across == 0:
                continue
            down, reach_down = _line(depth_m, instance, row, column, 1, 0)
            if reach_down and abs(across / down - 1) <= SAME_PART:
                filled[row, column] = (reach_across + reach_down) / (across * reach_down + down * reach_across)


@numba.njit(cache=True, nogil=True)
def _line(depth_m: np.ndarray, instance: np.ndarray, row: int, column: int, down: int, right: int) -> tuple[float, int]:
    """Inverse depth at a pixel between the known ones on either side along a line, and their distance; 0 if none."""
    before, back, rise = _known(depth_m, instance, row, column, -down, -right)
    after, on, fall = _known(depth_m, instance, row, column, down, right)
    if not (back and on):
        return 0.0, 0
    wide = back + on
    if (
        abs(before / after - 1) > SAME_PART
        and max(abs((before - rise * wide) / after - 1), abs((after - fall * wide) / before - 1)) > SAME_PART
    ):
        return 0.0, 0
    return (before * on + after * back) / wide, wide


@numba.njit(cache=True, nogil=True)
def _known(
    depth_m: np.ndarray, instance: np.ndarray, row: int, column: int, down: int, right: int
) -> tuple[float, int, float]:
    """Inverse depth of the nearest known pixel in a direction, how far it is, 0 if another instance comes first, and
    how inverse depth goes on from there for each pixel further."""
    for far in range(1, WIDEST_PX + 1):
        r, c = row + far * down, column + far * right
        if not (0 <= r < depth_m.shape[0] and 0 <= c < depth_m.shape[1]) or instance[r, c] != instance[row, column]:
            break
        if not np.isnan(depth_m[r, c]):
            r, c, here = r + SLOPE_PX * down, c + SLOPE_PX * right, 1 / depth_m[r, c]
            if (
                0 <= r < depth_m.shape[0]
                and 0 <= c < depth_m.shape[1]
                and instance[r, c] == instance[row, column]
                and (depth_m[r, c] > 0)
            ):
                return here, far, (1 / depth_m[r, c] - here) / SLOPE_PX
            return here, far, 0.0
    return 0.0, 0, 0.0
