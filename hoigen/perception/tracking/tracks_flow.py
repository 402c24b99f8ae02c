"""Points chosen where an instance is not covered yet, and carried from frame to frame by checked flow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import uniform_filter

from hoigen.compiling import numba
from hoigen.perception.records import Flow

FIRST_PART = 0.3
"""Part of an instance's points that would cover the largest area it shows; the rest is for what appears later."""

SEED_EVERY = 4
"""Every so many frames, uncovered parts are given points;"""

LEAST_KEPT, LOST_PART = 0.7, 0.25
"""and hand and object in every frame, this part of the points at a time, if the flow confirms less than this share."""

CLOSEST_PX = 1.5
"""Points are never chosen nearer to each other than this."""

PLASTIC = (0.7548776662466927, 0.5698402909980532)
"""Steps of a sequence that fills a square evenly (powers of the inverse plastic number; Roberts 2018)."""

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

    instance: [T,H,W] uint8. usable: [T,H,W] bool, pixels at which a point may be chosen. budget: how many points the
    scene and each instance get; what is left when all is covered is put between the others, and what an instance
    without usable pixels leaves goes to the next, the scene last, so that all are used if any pixel is. A point ends
    where the flow is not confirmed, where it leaves the picture or its own instance.
    """
    frames = len(instance)
    acting = instance[:-1] > 0
    lost = bool(flow.forward_ok[acting].sum() < LEAST_KEPT * acting.sum())
    spacing = [
        _spacing(instance == i, (LOST_PART if lost and i else FIRST_PART) * count) for i, count in enumerate(budget)
    ]
    chosen = Followed(
        np.full((frames, sum(budget), 2), np.nan, np.float32),
        np.zeros(sum(budget), np.uint8),
        np.zeros(sum(budget), np.int32),
    )
    count, left = 0, list(budget)
    for t in range(frames):
        _forwards(flow, instance, chosen, slice(0, count), t)
        for i in range(len(budget)) if t % SEED_EVERY == 0 else range(1, len(budget) if lost else 1):
            here = chosen.pixels[t, :count][chosen.instance[:count] == i]
            new = _uncovered((instance[t] == i) & usable[t], here, spacing[i])[: left[i]]
            _add(chosen, count, new, i, t)
            count, left[i] = count + len(new), left[i] - len(new)
    first = count
    for i, extra in _fillings(instance, usable, left):
        for t, new in _between((instance == i) & usable, extra, spread=lost and i > 0):
            _add(chosen, count, new, i, t)
            count += len(new)
    for t in range(frames):
        _forwards(flow, instance, chosen, slice(first, count), t)
    for t in range(frames - 2, -1, -1):
        later = chosen.query[:count] > t
        back = np.full((int(later.sum()), 2), np.nan, np.float32)
        _advance(
            flow.backward[t],
            flow.backward_ok[t],
            instance[t + 1],
            instance[t],
            chosen.instance[:count][later],
            chosen.pixels[t + 1, :count][later],
            back,
        )
        chosen.pixels[t, :count][later] = back
    return Followed(np.ascontiguousarray(chosen.pixels[:, :count]), chosen.instance[:count], chosen.query[:count])


def _add(chosen: Followed, start: int, pixels: np.ndarray, instance: int, frame: int) -> None:
    rows = slice(start, start + len(pixels))
    chosen.pixels[frame, rows], chosen.instance[rows], chosen.query[rows] = pixels, instance, frame


def _forwards(flow: Flow, instance: np.ndarray, chosen: Followed, rows: slice, t: int) -> None:
    """Follow points from frame t - 1, if it shows them, to frame t; those chosen in t stay where they are."""
    if t:
        _advance(
            flow.forward[t - 1],
            flow.forward_ok[t - 1],
            instance[t - 1],
            instance[t],
            chosen.instance[rows],
            chosen.pixels[t - 1, rows],
            chosen.pixels[t, rows],
        )


def _fillings(instance: np.ndarray, usable: np.ndarray, left: list[int]) -> list[tuple[int, int]]:
    """Instances and how many more points each gets: hands and objects first, the scene last."""
    can = [i for i in [*range(1, len(left)), 0] if left[i] or sum(left)]
    can = [i for i in can if ((instance == i) & usable).any()]
    extra = {i: left[i] for i in can}
    if can:
        extra[can[0]] += sum(count for i, count in enumerate(left) if i not in can)
    return [(i, count) for i, count in extra.items() if count]


def _between(wanted: np.ndarray, count: int, *, spread: bool) -> list[tuple[int, np.ndarray]]:
    """Frames and [N,2] float32 places in them, ``count`` in all, evenly over ``wanted`` [T,H,W] bool between pixels.

    In the first frame if it shows at least half of the most that any does; else, or if they are to be ``spread``, in
    all that do.
    """
    area = wanted.sum((1, 2))
    frames = np.flatnonzero(area * 2 >= area.max())
    frames = frames if spread or frames[0] else frames[:1]
    chosen = []
    for number, t in enumerate(frames):
        here = np.arange(number, count, len(frames))
        row, column = np.nonzero(wanted[t])
        pixel = np.linspace(0, len(row) - 1, len(here)).astype(int)
        within = np.mod(np.outer(here + 1, PLASTIC), 1) - 0.5  # fills a pixel evenly, however many fall into it
        places = np.column_stack([column, row])[pixel] + 0.98 * within
        chosen.append((int(t), np.clip(places, 0, np.array(wanted.shape[:0:-1]) - 1).astype(np.float32)))
    return chosen


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
def _advance(
    flow: np.ndarray,
    ok: np.ndarray,
    before: np.ndarray,
    after: np.ndarray,
    own: np.ndarray,
    pixels: np.ndarray,
    moved: np.ndarray,
) -> None:
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
