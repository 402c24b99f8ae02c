"""Cast shadows: where the light is, by the shadows of the first picture, and what it shades in every frame.

A shadow is geometry: with the light known, the points of hand and object say which places of the scene it does not
reach. The light is found as the place whose predicted shadows best explain the first picture: a step down in
brightness wherever a predicted shadow begins.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from scipy.spatial import cKDTree

from hoigen.compiling import numba
from hoigen.conventions import ROLE_CODE, SCENE
from hoigen.geometry.camera import pixel_grid, unproject
from hoigen.records import Camera

DIRECTIONS = 1000
"""Directions that are tried first, evenly over the sphere."""

ROUGH_RAD, FINE_RAD = (0.05, 0.025), (0.025, 0.012, 0.006)
"""Search around the best directions, radii one after the other: with a part of the points and pixels, then with all."""

ROUGH_STARTS, FINE_STARTS = 4, 2
"""Best directions that are searched from."""

ROUGH_POINTS, ROUGH_STEP = 700, 3
"""The part of the points, and every how many pixels of the picture, that are enough to begin with."""

FIRST_DISTANCE = 20.0
"""Distance of the lights tried first, in sizes of hand and object together."""

LEAST_EVIDENCE, LEAST_STEP = 12.0, 0.1
"""A light is believed when the brightness steps down at its shadows' borders by so many standard errors, and by so much
in natural logarithm."""

BORDER = 2
"""Pixels on either side of a border that are compared, so that mixed ones are not."""

SAME_SURFACE = 0.05
"""Two pixels are on one surface when their depths differ by no larger part."""

CELLS = 3
"""Cells of the light's picture for each spacing of the samples; gaps between samples are closed."""

CLOSING = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * CELLS + 1, 2 * CELLS + 1))

BIAS = 1.5
"""A place is in shadow when something is nearer to the light by more than so many spacings."""

SEARCH_PIXELS = 25_000
"""The light is looked for in about so many pixels of a larger picture."""


@dataclass(frozen=True, eq=False)
class Shadows:
    """What hand and object shade; ``codes`` and ``gain`` are ``shadow`` and ``shadow_gain`` of the conditions."""

    codes: np.ndarray
    gain: np.ndarray


@dataclass(frozen=True, eq=False)
class _Scene:
    """One picture's scene: places [H,W,3] world, depth_m [H,W], shown [H,W] bool where no hand or object is."""

    places: np.ndarray
    depth_m: np.ndarray
    shown: np.ndarray

    @classmethod
    def of(cls, camera: Camera, mask: np.ndarray, depth_m: np.ndarray, step: int = 1) -> _Scene:
        places = unproject(camera, pixel_grid(camera.width, camera.height), depth_m)
        shown = (mask == ROLE_CODE[SCENE]) & np.isfinite(depth_m)
        return cls(places[::step, ::step], depth_m[::step, ::step], shown[::step, ::step])


def cast_shadows(
    image: np.ndarray,
    cameras: tuple[Camera, ...],
    mask: np.ndarray,
    depth_m: np.ndarray,
    points: np.ndarray,
    role: np.ndarray,
) -> Shadows:
    """Shadows of hand and object on the scene; none where the first picture shows none that the geometry explains.

    image: [H,W,3] uint8. mask: [T,H,W] role codes. depth_m: [T,H,W], NaN unknown. points: [T,N,3] world; role: [N].
    """
    acting = points[:, role != ROLE_CODE[SCENE]].astype(np.float64)
    codes = np.zeros(mask.shape, np.uint8)
    spacing = _spacing(acting[0]) if acting.shape[1] > 1 else 0.0
    step = max(1, round(np.sqrt(mask[0].size / SEARCH_PIXELS)))
    first = _Scene.of(cameras[0], mask[0], depth_m[0], step)
    light = _find_light(image[::step, ::step], first, acting[0], spacing) if spacing > 0 else None
    if light is None:
        return Shadows(codes, np.ones(3, np.float32))
    for t, camera in enumerate(cameras):
        scene = _Scene.of(camera, mask[t], depth_m[t])
        codes[t] = _shaded(light, acting[0], scene, spacing) + 2 * _shaded(light, acting[t], scene, spacing)
    return Shadows(codes, _gain(image[::step, ::step], _shaded(light, acting[0], first, spacing), first))


def _spacing(points: np.ndarray) -> float:
    """About the distance between neighbouring samples, from the distances of a few to their nearest."""
    chosen = points[:: max(1, len(points) // 256)]
    apart, _ = cKDTree(points).query(chosen, k=2)
    return float(np.percentile(apart[:, 1], 75))


def _find_light(image: np.ndarray, scene: _Scene, points: np.ndarray, spacing: float) -> np.ndarray | None:
    """Place [3] of the light whose shadows best explain the picture, or None where none does."""
    brightness = np.log(image.astype(np.float64).mean(-1) + 4)
    centre = points.mean(axis=0)
    reach = FIRST_DISTANCE * float(np.sqrt(np.square(points - centre).sum(-1).mean()))
    few = points[:: max(1, len(points) // ROUGH_POINTS)]
    part = np.s_[::ROUGH_STEP, ::ROUGH_STEP]
    thin = _Scene(scene.places[part], scene.depth_m[part], scene.shown[part])

    def rough(offset: np.ndarray) -> float:
        shaded = _shaded(centre + offset, few, thin, spacing * np.sqrt(len(points) / len(few)))
        return _evidence(shaded, brightness[part], thin.depth_m, thin.shown, 1)[0]

    def fine(offset: np.ndarray) -> float:
        return both(offset)[0]

    def both(offset: np.ndarray) -> tuple[float, float]:
        return _evidence(
            _shaded(centre + offset, points, scene, spacing), brightness, scene.depth_m, scene.shown, BORDER
        )

    directions = _sphere(DIRECTIONS)
    best = np.argsort([rough(reach * direction) for direction in directions])[-ROUGH_STARTS:]
    offsets = [_search(reach * directions[k], ROUGH_RAD, rough) for k in best]
    offsets = [_search(offset, FINE_RAD, fine) for offset in sorted(offsets, key=fine)[-FINE_STARTS:]]
    found = max(offsets, key=fine)
    evidence, step = both(found)
    return centre + found if evidence >= LEAST_EVIDENCE and step >= LEAST_STEP else None


def _search(offset: np.ndarray, radii: tuple[float, ...], score: Callable[[np.ndarray], float]) -> np.ndarray:
    """The light moved to where the score is best nearby."""
    for turn in radii:
        offset = _climb(offset, turn, score)
    return offset


def _climb(offset: np.ndarray, turn: float, score: Callable[[np.ndarray], float]) -> np.ndarray:
    """Move the light by ``turn`` sideways, or nearer or farther, for as long as the score rises."""
    value = score(offset)
    for _ in range(8):
        side, up, axis = _axes(offset)
        moves = [axis + turn * (np.cos(a) * side + np.sin(a) * up) for a in np.arange(8) * np.pi / 4]
        tried = [m / np.linalg.norm(m) * np.linalg.norm(offset) for m in moves]
        tried += [offset * (1 + 8 * turn), offset / (1 + 8 * turn)]
        scores = [score(t) for t in tried]
        if max(scores) <= value:
            break
        offset, value = tried[int(np.argmax(scores))], max(scores)
    return offset


def _axes(direction: np.ndarray) -> np.ndarray:
    """Three axes [3,3], as rows; the last lies along ``direction``."""
    axis = direction / np.linalg.norm(direction)
    side = np.cross(axis, np.eye(3)[np.argmin(np.abs(axis))])
    side /= np.linalg.norm(side)
    return np.stack([side, np.cross(axis, side), axis])


def _sphere(count: int) -> np.ndarray:
    """[count,3] unit vectors, evenly over the sphere (a Fibonacci lattice)."""
    k = np.arange(count) + 0.5
    z, turn = 1 - 2 * k / count, np.pi * (1 + np.sqrt(5)) * k
    return np.column_stack([np.sqrt(1 - z * z) * np.cos(turn), np.sqrt(1 - z * z) * np.sin(turn), z])


def _shaded(light: np.ndarray, points: np.ndarray, scene: _Scene, spacing: float) -> np.ndarray:
    """[H,W] bool: the places of the scene that ``points`` keep the light from."""
    axes = _axes(points.mean(axis=0) - light)
    seen = (points - light) @ axes.T
    if seen[:, 2].min() <= spacing:
        return np.zeros(scene.shown.shape, bool)
    flat = seen[:, :2] / seen[:, 2:]
    cell = spacing / np.median(seen[:, 2]) / CELLS
    low = flat.min(axis=0) - 4 * cell
    columns, rows = np.minimum(np.ceil((flat.max(axis=0) - low) / cell).astype(int) + 5, 2048)
    nearness = _nearness(flat, seen[:, 2], low, cell, np.zeros((rows, columns), np.float32))
    nearness = cv2.morphologyEx(nearness, cv2.MORPH_CLOSE, CLOSING)
    return _hidden(nearness, low, cell, axes, light, scene.places, scene.shown, BIAS * spacing)


@numba.njit(cache=True, nogil=True)
def _nearness(flat: np.ndarray, depth: np.ndarray, low: np.ndarray, cell: float, nearness: np.ndarray) -> np.ndarray:
    """The light's picture [rows,columns] of the points: the inverse of the nearest one's depth, 0 where none is."""
    for n in range(len(flat)):
        c, r = int((flat[n, 0] - low[0]) / cell), int((flat[n, 1] - low[1]) / cell)
        if r < nearness.shape[0] and c < nearness.shape[1]:
            nearness[r, c] = max(nearness[r, c], np.float32(1 / depth[n]))
    return nearness


@numba.njit(cache=True, nogil=True)
def _hidden(
    nearness: np.ndarray,
    low: np.ndarray,
    cell: float,
    axes: np.ndarray,
    light: np.ndarray,
    places: np.ndarray,
    shown: np.ndarray,
    bias: float,
) -> np.ndarray:
    """[H,W] bool: the places that lie behind something in the light's picture."""
    rows, columns = nearness.shape
    shaded = np.zeros(shown.shape, np.bool_)
    for i in range(shown.shape[0]):
        for j in range(shown.shape[1]):
            if not shown[i, j]:
                continue
            x, y, z = places[i, j, 0] - light[0], places[i, j, 1] - light[1], places[i, j, 2] - light[2]
            w = axes[2, 0] * x + axes[2, 1] * y + axes[2, 2] * z
            if w <= bias:
                continue
            u = (axes[0, 0] * x + axes[0, 1] * y + axes[0, 2] * z) / w
            v = (axes[1, 0] * x + axes[1, 1] * y + axes[1, 2] * z) / w
            c, r = int(np.floor((u - low[0]) / cell)), int(np.floor((v - low[1]) / cell))
            if 0 <= r < rows and 0 <= c < columns and nearness[r, c] * (w - bias) > 1:
                shaded[i, j] = True
    return shaded


@numba.njit(cache=True, nogil=True)
def _evidence(
    shaded: np.ndarray, brightness: np.ndarray, depth_m: np.ndarray, shown: np.ndarray, gap: int
) -> tuple[float, float]:
    """Brightness lost from outside to inside a predicted border: standard errors above zero, and mean."""
    count, total, square = 0, 0.0, 0.0
    height, width = shaded.shape
    for i in range(height):
        for j in range(width):
            for di, dj in ((0, gap), (gap, 0)):
                k, m = i + di, j + dj
                if k >= height or m >= width or not shown[i, j] or not shown[k, m] or shaded[i, j] == shaded[k, m]:
                    continue
                if abs(depth_m[i, j] - depth_m[k, m]) > SAME_SURFACE * depth_m[i, j]:
                    continue
                step = brightness[k, m] - brightness[i, j]
                step = min(max(step if shaded[i, j] else -step, -1.0), 1.0)  # one bright spot is no proof
                count += 1
                total += step
                square += step * step
    if count < 12:
        return 0.0, 0.0
    mean = total / count
    spread = np.sqrt(max(square / count - mean * mean, 0.0)) + 0.1
    return mean / spread * np.sqrt(count), mean


def _gain(image: np.ndarray, shaded: np.ndarray, scene: _Scene) -> np.ndarray:
    """[3] float32: what a shadow leaves of each channel's light, the median over pixels at its borders."""
    colour, ratios = image.astype(np.float64) + 1, []
    for here, there in ((np.s_[:-BORDER], np.s_[BORDER:]), (np.s_[:, :-BORDER], np.s_[:, BORDER:])):
        same = np.abs(scene.depth_m[here] - scene.depth_m[there]) <= SAME_SURFACE * scene.depth_m[here]
        border = (shaded[here] != shaded[there]) & scene.shown[here] & scene.shown[there] & same
        inside = shaded[here][border][:, None]
        a, b = colour[here][border], colour[there][border]
        ratios.append(np.where(inside, a, b) / np.where(inside, b, a))
    return np.clip(np.median(np.concatenate(ratios), axis=0), 0.05, 1).astype(np.float32)
