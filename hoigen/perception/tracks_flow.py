"""Points chosen where an instance is not covered yet, and carried from frame to frame by checked flow."""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
from scipy.ndimage import uniform_filter

from hoigen.perception.records import Flow

__all__ = ['Followed', 'follow_flow']

FIRST_PART = 0.6
"""Part of an instance's points that would cover the largest area it shows; the rest is for what appears later."""

SEED_EVERY = 4
"""Every so many frames, uncovered parts are given points;"""

LEAST_KEPT, LOST_PART = 0.7, 0.25
"""and hand and object in every frame, this part of the points at a time, if the flow confirms less than this share."""

CLOSEST_PX = 1.5
"""Points are never chosen nearer to each other than this."""

FEW_AROUND = 2
"""A cell without a point is uncovered if at most so many of the eight around it have one."""


@dataclass(frozen=True, eq=False)
class Followed:
    """Pixels [T,M,2] float32, NaN where not followed, of points of instance [M] uint8 chosen in frames query [M]."""

    pixels: np.ndarray
    instance: np.ndarray
    query: np.ndarray


def follow_flow(flow: Flow, instance: np.ndarray, usable: np.ndarray, budget: tuple[int, ...]) -> Followed:
    """Choose and follow points forwards, then those chosen later backwards to the first frame.

    instance: [T,H,W] uint8. usable: [T,H,W] bool, pixels at which a point may be chosen. budget: how many points at
    most for the scene and each instance. A point ends where the flow is not confirmed, where it leaves the picture or
    its own instance.
    """
    frames = len(instance)
    acting = instance[:-1] > 0
    lost = flow.forward_ok[acting].sum() < LEAST_KEPT * acting.sum()
    spacing = [_spacing(instance == i, (LOST_PART if lost and i else FIRST_PART) * count)
               for i, count in enumerate(budget)]
    pixels = np.full((frames, sum(budget), 2), np.nan, np.float32)
    own, query, count = np.zeros(sum(budget), np.uint8), np.zeros(sum(budget), np.int32), 0
    left = list(budget)
    for t in range(frames):
        if t:
            _advance(flow.forward[t - 1], flow.forward_ok[t - 1], instance[t - 1], instance[t], own[:count],
                     pixels[t - 1, :count], pixels[t, :count])
        for i in range(len(budget)) if t % SEED_EVERY == 0 else range(1, len(budget) if lost else 1):
            here = pixels[t, :count][own[:count] == i]
            new = _uncovered((instance[t] == i) & usable[t], here, spacing[i])[:left[i]]
            rows = slice(count, count + len(new))
            pixels[t, rows], own[rows], query[rows] = new, i, t
            count, left[i] = count + len(new), left[i] - len(new)
    own, query, pixels = own[:count], query[:count], np.ascontiguousarray(pixels[:, :count])
    for t in range(frames - 2, -1, -1):
        later = query > t
        back = np.full((int(later.sum()), 2), np.nan, np.float32)
        _advance(flow.backward[t], flow.backward_ok[t], instance[t + 1], instance[t], own[later],
                 pixels[t + 1, later], back)
        pixels[t, later] = back
    return Followed(pixels, own, query)


def _spacing(mask: np.ndarray, count: float) -> float:
    """Pixels between neighbours of ``count`` points that cover an instance [T,H,W] bool."""
    area = mask.sum((1, 2)).max(initial=0)
    return max(CLOSEST_PX, float(np.sqrt(area / max(count, 1))))


def _uncovered(wanted: np.ndarray, pixels: np.ndarray, spacing: float) -> np.ndarray:
    """[N,2] float32 (u, v): centres of the cells of ``wanted`` [H,W] bool far from all points ``pixels`` [M,2].

    They come in an order that is spread evenly, so that any first part of them covers the whole.
    """
    rows, columns = (int(np.ceil(size / spacing)) for size in wanted.shape)
    taken = np.zeros((rows, columns), np.float32)
    here = pixels[np.isfinite(pixels).all(axis=1)]
    column, row = np.clip(((here + 0.5) / spacing).astype(int), 0, (columns - 1, rows - 1)).T
    taken[row, column] = 1
    around = uniform_filter(taken, 3, mode='constant') * 9
    row, column = np.nonzero((taken == 0) & (around < FEW_AROUND + 0.5))
    centre = np.column_stack([column, row]) * spacing + (spacing - 1) / 2
    u, v = np.clip(np.rint(centre), 0, np.array(wanted.shape[::-1]) - 1).astype(int).T
    good = wanted[v, u]
    return np.column_stack([u, v])[good][_spread(row[good], column[good])].astype(np.float32)


def _spread(row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """The order of grid cells by the bits of their places, lowest first: coarse to fine."""
    key = np.zeros(len(row), np.int64)
    for bit in range(12):
        key = key * 4 + ((row >> bit) & 1) * 2 + ((column >> bit) & 1)
    return np.argsort(key, kind='stable')


@numba.njit(cache=True, nogil=True)
def _advance(flow: np.ndarray, ok: np.ndarray, before: np.ndarray, after: np.ndarray, own: np.ndarray,
             pixels: np.ndarray, moved: np.ndarray) -> None:
    """Write where points go: flow [H,W,2] blended over the pixels around them that are of their own instance."""
    height, width = before.shape
    for n in range(len(pixels)):
        u, v = pixels[n]
        if np.isnan(u):
            continue
        left, top, total, du, dv = int(np.floor(u)), int(np.floor(v)), 0.0, 0.0, 0.0
        for row in range(max(top, 0), min(top + 2, height)):
            for column in range(max(left, 0), min(left + 2, width)):
                weight = (1 - abs(v - row)) * (1 - abs(u - column))
                if weight > 0 and before[row, column] == own[n] and ok[row, column]:
                    total += weight
                    du += weight * flow[row, column, 0]
                    dv += weight * flow[row, column, 1]
        if total < 0.25:
            continue
        u, v = u + du / total, v + dv / total
        if -0.5 <= u < width - 0.5 and -0.5 <= v < height - 0.5 and after[round(v), round(u)] == own[n]:
            moved[n, 0], moved[n, 1] = u, v
