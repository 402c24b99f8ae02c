"""A z-buffer raster of triangle meshes on the CPU: exact depth at pixel centres, and the triangle that is seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hoigen.compiling import numba
from hoigen.geometry.camera import project
from hoigen.geometry.meshes import MeshTable
from hoigen.geometry.transforms import apply, invert
from hoigen.records import Camera

__all__ = ['NEAR_M', 'Raster', 'rasterise', 'visible_fractions']

NEAR_M = 0.01
"""Surfaces nearer to the camera's plane than this are cut away."""
MAX_SILHOUETTE = 3
"""A silhouette that is wider or higher than this many images is not drawn whole."""


@dataclass(frozen=True, eq=False)
class Raster:
    """depth_m: [H,W] float32 along the optical axis, NaN where nothing is. triangle: [H,W] int32, -1 there."""

    depth_m: np.ndarray
    triangle: np.ndarray


def rasterise(
    camera: Camera, vertices_world: np.ndarray, triangles: np.ndarray, window: tuple[int, int, int, int] | None = None
) -> Raster:
    """Draw triangles [F,3] int32 over world vertices [V,3]; both sides are seen, the first listed wins a tie.

    window: left, top, width and height of the part of the image that is drawn; none: all of it.
    """
    left, top, width, height = window or (0, 0, camera.width, camera.height)
    points = np.ascontiguousarray(apply(invert(camera.T_world_cam), vertices_world))
    depth, index = np.empty((height, width), np.float32), np.empty((height, width), np.int32)
    K = camera.K.copy()
    K[:2, 2] -= left, top
    _draw_mesh(points, np.ascontiguousarray(triangles), K, NEAR_M, depth, index)
    return Raster(depth, index)


def visible_fractions(camera: Camera, table: MeshTable, vertices_world: np.ndarray, ids: Sequence[str]) -> np.ndarray:
    """[len(ids)] float32: the fraction of each mesh's silhouette that is seen, also of what lies beside the image.

    vertices_world: [V,3] of the table. NaN of an id without a mesh, of a mesh not all before the camera, and of one
    whose silhouette is far larger than the image or smaller than a pixel.
    """
    shown = np.append(table.triangle_asset, -1)[rasterise(camera, vertices_world, table.triangles).triangle]
    found = np.full(len(ids), np.nan, np.float32)
    for row, name in enumerate(ids):
        if name not in table.ids:
            continue
        asset = table.ids.index(name)
        pixels, depth = project(camera, vertices_world[table.starts[asset] : table.starts[asset + 1]])
        if depth.min() < NEAR_M:
            continue
        low, high = np.floor(pixels.min(0)), np.ceil(pixels.max(0)) + 1
        if (high - low > MAX_SILHOUETTE * np.array([camera.width, camera.height])).any():
            continue
        window = (*low.astype(int).tolist(), *(high - low).astype(int).tolist())
        alone = rasterise(camera, vertices_world, table.triangles[table.triangle_asset == asset], window)
        whole = (alone.triangle >= 0).sum()
        if whole:
            found[row] = (shown == asset).sum() / whole
    return found


@numba.njit(cache=True, nogil=True)
def _draw_mesh(
    points: np.ndarray, triangles: np.ndarray, K: np.ndarray, near: float, depth: np.ndarray, index: np.ndarray
) -> None:
    """Fill ``depth`` and ``index``; while drawing, ``depth`` holds the inverse depth, which is affine in (u, v)."""
    depth[:] = 0
    index[:] = -1
    seen = np.empty_like(points)
    for number in range(len(points)):
        if points[number, 2] >= near:
            _project(points[number], K, seen[number])
    ring, cut = np.empty((3, 3)), np.empty((4, 3))
    for number in range(len(triangles)):
        a, b, c = triangles[number, 0], triangles[number, 1], triangles[number, 2]
        before = int(points[a, 2] >= near) + int(points[b, 2] >= near) + int(points[c, 2] >= near)
        if before == 3:
            _draw_triangle(seen[a], seen[b], seen[c], number, depth, index)
        elif before:
            for axis in range(3):
                ring[0, axis], ring[1, axis], ring[2, axis] = points[a, axis], points[b, axis], points[c, axis]
            count = _cut_near(ring, near, cut)
            for corner in range(count):
                _project(cut[corner], K, cut[corner])
            for corner in range(2, count):
                _draw_triangle(cut[0], cut[corner - 1], cut[corner], number, depth, index)
    for row in range(depth.shape[0]):
        for column in range(depth.shape[1]):
            depth[row, column] = 1 / depth[row, column] if index[row, column] >= 0 else np.nan


@numba.njit(cache=True, nogil=True, inline='always')
def _project(point: np.ndarray, K: np.ndarray, pixel: np.ndarray) -> None:
    """Write (u, v, 1/z) of a camera-frame point into ``pixel``, which may be the point itself."""
    x, y, z = point[0], point[1], point[2]
    pixel[0] = (K[0, 0] * x + K[0, 1] * y) / z + K[0, 2]
    pixel[1] = K[1, 1] * y / z + K[1, 2]
    pixel[2] = 1 / z


@numba.njit(cache=True, nogil=True)
def _cut_near(ring: np.ndarray, near: float, cut: np.ndarray) -> int:
    """Write the part of triangle ``ring`` [3,3] with z >= near into ``cut`` [4,3]; returns its corners' count."""
    count = 0
    for corner in range(3):
        a, b = ring[corner], ring[(corner + 1) % 3]
        if a[2] >= near:
            for axis in range(3):  # an array that is assigned to a slice takes two seconds to compile
                cut[count, axis] = a[axis]
            count += 1
        if (a[2] >= near) != (b[2] >= near):
            share = (near - a[2]) / (b[2] - a[2])
            for axis in range(2):
                cut[count, axis] = a[axis] + share * (b[axis] - a[axis])
            cut[count, 2] = near
            count += 1
    return count


@numba.njit(cache=True, nogil=True)
def _draw_triangle(
    a: np.ndarray, b: np.ndarray, c: np.ndarray, number: int, inverse: np.ndarray, index: np.ndarray
) -> None:
    """Draw corners (u, v, 1/z) row by row: on each row the three edges bound one span of pixel centres."""
    left = max(min(a[0], b[0], c[0]), 0.0)
    right = min(max(a[0], b[0], c[0]), inverse.shape[1] - 1.0)
    top = int(np.ceil(max(min(a[1], b[1], c[1]), 0.0)))
    bottom = int(np.floor(min(max(a[1], b[1], c[1]), inverse.shape[0] - 1.0)))
    area = (b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1])
    if area == 0 or top > bottom or np.ceil(left) > right:
        return
    if area < 0:
        b, c, area = c, b, -area
    du = ((b[2] - a[2]) * (c[1] - a[1]) - (c[2] - a[2]) * (b[1] - a[1])) / area
    dv = ((c[2] - a[2]) * (b[0] - a[0]) - (b[2] - a[2]) * (c[0] - a[0])) / area
    least, most = min(a[2], b[2], c[2]), max(a[2], b[2], c[2])  # a sliver's slopes must not leave its own depths
    for v in range(top, bottom + 1):
        low, high = _edge_span(a, b, v, left, right)
        low, high = _edge_span(b, c, v, low, high)
        low, high = _edge_span(c, a, v, low, high)
        for u in range(int(np.ceil(low - 1e-9)), int(np.floor(high + 1e-9)) + 1):
            value = np.float32(min(max(a[2] + du * (u - a[0]) + dv * (v - a[1]), least), most))
            if value > inverse[v, u]:
                inverse[v, u] = value
                index[v, u] = number


@numba.njit(cache=True, nogil=True, inline='always')
def _edge_span(a: np.ndarray, b: np.ndarray, v: float, low: float, high: float) -> tuple[float, float]:
    """Narrow the span [low, high] of row ``v`` to the inner side of edge a-b."""
    slope = a[1] - b[1]
    rest = (b[0] - a[0]) * (v - a[1]) - slope * a[0]
    if slope > 0:
        low = max(low, -rest / slope)
    elif slope < 0:
        high = min(high, -rest / slope)
    elif rest < 0:
        high = low - 1
    return low, high
