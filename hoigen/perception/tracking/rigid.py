"""Rigid motion from points: robust least squares on what their pixels and their depths tell."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hoigen.compiling import numba

ROUNDS = 8
"""Steps of least squares; each weighs the points anew by how well the step before explained them."""

CUT = 3.0
"""A point whose miss is more than this many times the usual miss has no say (Tukey's biweight, rounded up)."""

LEAST_PX, LEAST_PART = 0.1, 0.0005
"""Misses of pixels and parts of a depth below these are never told apart: better is not measured."""

MOST_PX = 1.5
"""The usual miss is never taken to be more than this."""

SOFT_PX = 0.2
"""A tried pose is judged by the sum of miss^2 / (miss^2 + this^2): all points that move otherwise, even a little, cost
about the same."""

LOW_PART, LOW_SIZE = 0.3, 0.845
"""The usual miss (standard deviation) is this quantile of all misses by the size it has for normal ones, so that up
to about half of the points may move otherwise."""

SAMPLES, SAMPLE_SIZE, SAMPLE_STEPS = 100, 4, 4
"""So many poses are tried, each from so many points by so many steps: four of five tries in ten thousand fail where
half of the points move otherwise."""


class Sighting(NamedTuple):
    """How a pose explains N points: pose T_cam_points [4,4], weight [N] float64 in [0, 1], usual miss in pixels."""

    T_cam_points: np.ndarray
    weight: np.ndarray
    miss_px: float


def fit_pose(K: np.ndarray, places: np.ndarray, pixels: np.ndarray, depth: np.ndarray, start: np.ndarray) -> Sighting:
    """The pose in which a camera with intrinsics K [3,3] sees places [N,3] at pixels [N,2] and at depth [N].

    depth: NaN where it was not measured. start: T_cam_places [4,4], a guess that the steps begin at. The pose that
    explains most points among random samples of them (always the same ones) is refined with all points; misses in
    pixels and in parts of the depth are each weighed by their own usual size, so nothing is assumed about the sensor.
    With fewer than ``SAMPLE_SIZE`` points the start is returned and no point has a weight.
    """
    pose, weight = start.astype(np.float64).copy(), np.zeros(len(places))
    if len(places) < SAMPLE_SIZE:
        return Sighting(pose, weight, np.inf)
    draws = np.random.default_rng(0).integers(len(places), size=(SAMPLES, SAMPLE_SIZE))
    miss = _fit(
        np.ascontiguousarray(K, float),
        places.astype(float),
        pixels.astype(float),
        depth.astype(float),
        draws,
        pose,
        weight,
    )
    return Sighting(pose, weight, miss)


@numba.njit(cache=True, nogil=True)
def rotation_of(turn: np.ndarray) -> np.ndarray:
    """[3,3] rotation about the axis ``turn`` [3] by its length in radians: compiled code cannot call scipy's."""
    angle = np.sqrt((turn * turn).sum())
    cross = np.array([[0.0, -turn[2], turn[1]], [turn[2], 0.0, -turn[0]], [-turn[1], turn[0], 0.0]])
    if angle < 1e-9:
        return np.eye(3) + cross
    return np.eye(3) + np.sin(angle) / angle * cross + (1 - np.cos(angle)) / angle**2 * (cross @ cross)


@numba.njit(cache=True, nogil=True)
def _fit(
    K: np.ndarray,
    places: np.ndarray,
    pixels: np.ndarray,
    depth: np.ndarray,
    draws: np.ndarray,
    pose: np.ndarray,
    weight: np.ndarray,
) -> float:
    """Refine ``pose`` in place, write the weights; the usual miss in pixels of the points that it explains."""
    count = len(places)
    seen, miss, part = np.empty((count, 3)), np.empty(count), np.empty(count)
    put(_best_sample(K, places, pixels, depth, draws, pose), pose)
    usual = np.inf
    for step in range(ROUNDS + 1):
        _look(K, places, pixels, depth, pose, seen, miss, part)
        usual = min(max(_low(miss) / LOW_SIZE, LEAST_PX), MOST_PX)
        known = np.abs(part[(miss < CUT * usual) & np.isfinite(part)])
        usual_part = max(1.48 * np.median(known), LEAST_PART) if len(known) >= 3 else np.inf
        for n in range(count):
            weight[n] = _biweight(miss[n] / (CUT * usual))
            if np.isfinite(part[n]):
                weight[n] *= _biweight(part[n] / (CUT * usual_part))
        if step < ROUNDS:
            move_pose(_step(K, seen, pixels, depth, weight, usual, usual_part), pose)
    return usual


@numba.njit(cache=True, nogil=True)
def _best_sample(
    K: np.ndarray, places: np.ndarray, pixels: np.ndarray, depth: np.ndarray, draws: np.ndarray, start: np.ndarray
) -> np.ndarray:
    """The pose, among ``start`` and those that fit a draw of points each, that explains most."""
    seen, miss, part = np.empty((len(places), 3)), np.empty(len(places)), np.empty(len(places))
    few, ones = np.empty((draws.shape[1], 3)), np.ones(draws.shape[1])
    best, least = start.copy(), np.inf
    for number in range(len(draws) + 1):
        pose = start.copy()
        if number:
            draw = draws[number - 1]
            for _ in range(SAMPLE_STEPS):
                _look(K, places[draw], pixels[draw], depth[draw], pose, few, miss, part)
                move_pose(_step(K, few, pixels[draw], depth[draw], ones, 1.0, np.inf), pose)
        _look(K, places, pixels, depth, pose, seen, miss, part)
        cost = 0.0
        for n in range(len(places)):
            cost += miss[n] ** 2 / (miss[n] ** 2 + SOFT_PX**2)
        if cost < least:
            best, least = pose, cost
    return best


@numba.njit(cache=True, nogil=True)
def _look(
    K: np.ndarray,
    places: np.ndarray,
    pixels: np.ndarray,
    depth: np.ndarray,
    pose: np.ndarray,
    seen: np.ndarray,
    miss: np.ndarray,
    part: np.ndarray,
) -> None:
    """Write each place in the camera's frame, its miss in pixels and in parts of its depth."""
    for n in range(len(places)):
        for axis in range(3):
            seen[n, axis] = (
                pose[axis, 0] * places[n, 0]
                + pose[axis, 1] * places[n, 1]
                + pose[axis, 2] * places[n, 2]
                + pose[axis, 3]
            )
        miss[n], part[n] = _misses(K, seen[n], pixels[n], depth[n])


@numba.njit(cache=True, nogil=True)
def move_pose(move: np.ndarray, pose: np.ndarray) -> None:
    """Change pose [4,4] by a small turn and shift, move [6], in the frame that it leads to."""
    turn = rotation_of(move[:3].copy())
    for column in range(4):
        x, y, z = pose[0, column], pose[1, column], pose[2, column]
        for row in range(3):
            pose[row, column] = turn[row, 0] * x + turn[row, 1] * y + turn[row, 2] * z
    for row in range(3):
        pose[row, 3] += move[3 + row]


@numba.njit(cache=True, nogil=True)
def put(source: np.ndarray, target: np.ndarray) -> None:
    """Write pose [4,4] ``source`` into ``target``; numba takes two seconds to compile ``target[:] = source``."""
    for row in range(4):
        for column in range(4):
            target[row, column] = source[row, column]


@numba.njit(cache=True, nogil=True)
def _low(misses: np.ndarray) -> float:
    """The ``LOW_PART`` quantile, as np.quantile, which takes longer to compile."""
    order = np.sort(misses)
    at = LOW_PART * (len(order) - 1)
    below = int(at)
    above = min(below + 1, len(order) - 1)
    return order[below] + (at - below) * (order[above] - order[below])


@numba.njit(cache=True, nogil=True, inline='always')
def _biweight(miss: float) -> float:
    return max(1 - miss * miss, 0.0) ** 2


@numba.njit(cache=True, nogil=True)
def _misses(K: np.ndarray, seen: np.ndarray, pixel: np.ndarray, depth: float) -> tuple[float, float]:
    """Miss in pixels and in parts of the depth; very large behind the camera."""
    if seen[2] <= 1e-6:
        return 1e6, np.nan
    u = K[0, 0] * seen[0] / seen[2] + K[0, 1] * seen[1] / seen[2] + K[0, 2]
    v = K[1, 1] * seen[1] / seen[2] + K[1, 2]
    return np.hypot(u - pixel[0], v - pixel[1]), depth / seen[2] - 1


@numba.njit(cache=True, nogil=True)
def _step(
    K: np.ndarray,
    seen: np.ndarray,
    pixels: np.ndarray,
    depth: np.ndarray,
    weight: np.ndarray,
    usual: float,
    usual_part: float,
) -> np.ndarray:
    """[6] turn and shift that lower the weighed squares: one Gauss-Newton step, 0 where nothing determines it."""
    normal, right, row = np.zeros((6, 6)), np.zeros(6), np.empty(6)
    for n in range(len(seen)):
        if weight[n] <= 0 or seen[n, 2] <= 1e-6:
            continue
        x, y, z = seen[n]
        u = K[0, 0] * x / z + K[0, 1] * y / z + K[0, 2]
        v = K[1, 1] * y / z + K[1, 2]
        for kind in range(3):
            if kind == 0:
                gx, gy, gz = K[0, 0] / z, K[0, 1] / z, -(u - K[0, 2]) / z
                gap, scale = pixels[n, 0] - u, usual
            elif kind == 1:
                gx, gy, gz = 0.0, K[1, 1] / z, -(v - K[1, 2]) / z
                gap, scale = pixels[n, 1] - v, usual
            else:
                if not np.isfinite(depth[n]) or not np.isfinite(usual_part):
                    continue
                gx, gy, gz = 0.0, 0.0, 1 / z
                gap, scale = depth[n] / z - 1, usual_part
            row[:] = (gz * y - gy * z, gx * z - gz * x, gy * x - gx * y, gx, gy, gz)
            factor = weight[n] / (scale * scale)
            for i in range(6):
                right[i] += factor * row[i] * gap
                for j in range(6):
                    normal[i, j] += factor * row[i] * row[j]
    for i in range(6):
        normal[i, i] *= 1 + 1e-9
        normal[i, i] += 1e-12
    return np.linalg.solve(normal, right)
