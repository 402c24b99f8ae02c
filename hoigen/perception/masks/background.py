"""What stands still in an RGB-D stretch, told by three things that shadows do not change: whether other moments saw
through a place, whether the flow is what the camera's motion explains, and the plane that carries everything."""

from __future__ import annotations

import itertools

import cv2
import numpy as np

from hoigen.compiling import numba
from hoigen.geometry.camera import pixel_grid, unproject
from hoigen.geometry.transforms import invert
from hoigen.records import Camera

MOMENTS = 12
"""A place is looked up in at most this many frames of the stretch, evenly spread."""

LOOSE = 0.02
"""Two depths are the same surface when they differ by at most this part, or by more where the recording drifts."""

PLANE_TRIALS, PLANE_REACH_M = 400, 0.008
"""Planes tried for the support, and how far from it a point still lies on it."""


class Witnesses:
    """What other moments of the stretch say of the place that a pixel shows; [T,h,w] uint8 each.

    through: how many saw farther, so that it was empty. rest: around the pixel's own time, at how many without a break
    something stayed there. loose: the part by which depths of one surface differ in this recording.
    """

    def __init__(self, depth_m: np.ndarray, cameras: tuple[Camera, ...]) -> None:
        frames = len(depth_m)
        moments = np.unique(np.linspace(0, frames - 1, min(MOMENTS, frames)).round().astype(int))
        nearest = np.stack([cv2.erode(np.nan_to_num(depth_m[m], nan=np.inf), np.ones((3, 3))) for m in moments])
        steps = np.array(
            [[(invert(cameras[m].T_world_cam) @ camera.T_world_cam)[:3] for m in moments] for camera in cameras]
        )
        own = np.abs(moments[None] - np.arange(frames)[:, None]).argmin(1)
        K = cameras[0].K
        drift = np.full(depth_m[:, ::8, ::8].shape, np.nan)
        _drift(depth_m, depth_m[moments], steps, K, drift)
        self.loose = max(LOOSE, 3 * float(np.nanmedian(drift))) if np.isfinite(drift).any() else LOOSE
        self.through, self.rest = np.zeros(depth_m.shape, np.uint8), np.zeros(depth_m.shape, np.uint8)
        usual = float(np.nanmedian(depth_m))
        _ask(depth_m, nearest, depth_m[moments], steps, K, own, self.loose, usual, self.through, self.rest)


@numba.njit(cache=True, nogil=True)
def _drift(depth: np.ndarray, there: np.ndarray, steps: np.ndarray, K: np.ndarray, drift: np.ndarray) -> None:
    """Of every eighth pixel: the mean part by which its depth differs from those at other moments, where small."""
    for t in range(drift.shape[0]):
        for j in range(drift.shape[1]):
            for i in range(drift.shape[2]):
                v, u = 8 * j, 8 * i
                z = depth[t, v, u]
                if not z > 0:
                    continue
                x, y = (u - K[0, 2]) / K[0, 0] * z, (v - K[1, 2]) / K[1, 1] * z
                total, count = 0.0, 0
                for k in range(len(there)):
                    T = steps[t, k]
                    zz = T[2, 0] * x + T[2, 1] * y + T[2, 2] * z + T[2, 3]
                    if zz <= 0:
                        continue
                    a = int((T[0, 0] * x + T[0, 1] * y + T[0, 2] * z + T[0, 3]) / zz * K[0, 0] + K[0, 2] + 0.5)
                    b = int((T[1, 0] * x + T[1, 1] * y + T[1, 2] * z + T[1, 3]) / zz * K[1, 1] + K[1, 2] + 0.5)
                    if a < 0 or b < 0 or a >= there.shape[2] or b >= there.shape[1]:
                        continue
                    part = abs(there[k, b, a] - zz) / zz
                    if part < 0.1:
                        total += part
                        count += 1
                if count:
                    drift[t, j, i] = total / count


@numba.njit(cache=True, nogil=True, parallel=True, fastmath={'contract', 'arcp', 'nsz'})
def _ask(
    depth: np.ndarray,
    near: np.ndarray,
    there: np.ndarray,
    steps: np.ndarray,
    K: np.ndarray,
    own: np.ndarray,
    tolerance: float,
    usual: float,
    through: np.ndarray,
    rest: np.ndarray,
) -> None:
    frames, height, width = depth.shape
    moments = len(near)
    for t in numba.prange(frames):
        stays = np.zeros(moments, np.int8)
        for v in range(height):
            for u in range(width):
                z = depth[t, v, u]
                if not z > 0:
                    continue
                x, y = (u - K[0, 2]) / K[0, 0] * z, (v - K[1, 2]) / K[1, 1] * z
                passed = 0
                for k in range(moments):
                    T = steps[t, k]
                    stays[k] = 0
                    zz = T[2, 0] * x + T[2, 1] * y + T[2, 2] * z + T[2, 3]
                    if zz <= 0:
                        continue
                    a = int((T[0, 0] * x + T[0, 1] * y + T[0, 2] * z + T[0, 3]) / zz * K[0, 0] + K[0, 2] + 0.5)
                    b = int((T[1, 0] * x + T[1, 1] * y + T[1, 2] * z + T[1, 3]) / zz * K[1, 1] + K[1, 2] + 0.5)
                    if a < 0 or b < 0 or a >= width or b >= height:
                        continue
                    reach = tolerance * zz * max(1.0, zz / usual)
                    other = near[k, b, a]
                    if other < np.inf and other > zz + reach:
                        passed += 1
                        stays[k] = -1
                    elif abs(there[k, b, a] - zz) < reach:
                        stays[k] = 1
                through[t, v, u] = passed
                run = 0
                for k in range(own[t], moments):
                    if stays[k] < 0:
                        break
                    run += stays[k]
                for k in range(own[t] - 1, -1, -1):
                    if stays[k] < 0:
                        break
                    run += stays[k]
                rest[t, v, u] = run


@numba.njit(cache=True, nogil=True)
def _own_motion(depth: np.ndarray, steps: np.ndarray, K: np.ndarray, flow: np.ndarray, moved: np.ndarray) -> None:
    frames, height, width = moved.shape
    for t in range(frames):
        T = steps[t]
        for v in range(height):
            for u in range(width):
                z = depth[t, v, u]
                if not z > 0:
                    moved[t, v, u] = np.nan
                    continue
                x, y = (u - K[0, 2]) / K[0, 0] * z, (v - K[1, 2]) / K[1, 1] * z
                zz = T[2, 0] * x + T[2, 1] * y + T[2, 2] * z + T[2, 3]
                uu = (T[0, 0] * x + T[0, 1] * y + T[0, 2] * z + T[0, 3]) / zz * K[0, 0] + K[0, 2]
                vv = (T[1, 0] * x + T[1, 1] * y + T[1, 2] * z + T[1, 3]) / zz * K[1, 1] + K[1, 2]
                moved[t, v, u] = np.hypot(uu - u - flow[t, v, u, 0], vv - v - flow[t, v, u, 1])


def own_motion(depth_m: np.ndarray, cameras: tuple[Camera, ...], forward: np.ndarray) -> np.ndarray:
    """[T-1,h,w] float32 pixels by which the flow differs from what the camera's motion explains; NaN without depth."""
    steps = np.stack([(invert(b.T_world_cam) @ a.T_world_cam)[:3] for a, b in itertools.pairwise(cameras)])
    moved = np.empty(forward.shape[:3], np.float32)
    _own_motion(depth_m, steps, cameras[0].K, forward, moved)
    return moved


def heights(depth_m: np.ndarray, cameras: tuple[Camera, ...], rng: np.random.Generator) -> np.ndarray:
    """[T,h,w] float32 metres above the support, NaN where the depth is unknown.

    The support is the plane with most points; it is fitted again in every frame, which takes up the cameras' drift.
    """
    height, width = depth_m.shape[1:]
    grid = pixel_grid(width, height)
    clouds = [unproject(c, grid[::4, ::4], d[::4, ::4]).reshape(-1, 3) for c, d in zip(cameras, depth_m, strict=True)]
    clouds = [cloud[np.isfinite(cloud[:, 2])] for cloud in clouds]
    above = np.full(depth_m.shape, np.nan, np.float32)
    if sum(map(len, clouds)) < 100:
        return above
    plane = _support(np.concatenate(clouds), rng)
    for t, (camera, cloud) in enumerate(zip(cameras, clouds, strict=True)):
        normal, offset = _refined(plane, cloud)
        T = camera.T_world_cam
        ray = np.concatenate([(grid - camera.K[:2, 2]) / camera.K[[0, 1], [0, 1]], np.ones((height, width, 1))], -1)
        above[t] = depth_m[t] * (ray @ (T[:3, :3].T @ normal)) + (normal @ T[:3, 3] + offset)
    return above


def _support(points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """[4] unit normal, towards the first camera, and offset of the plane on which most of the points [N,3] lie."""
    points = points[rng.permutation(len(points))[:4000]]
    trio = points[rng.integers(0, len(points), (PLANE_TRIALS, 3))]
    normal = np.cross(trio[:, 1] - trio[:, 0], trio[:, 2] - trio[:, 0])
    size = np.linalg.norm(normal, axis=1)
    normal, trio = normal[size > 0] / size[size > 0, None], trio[size > 0]
    offset = -np.einsum('ij,ij->i', normal, trio[:, 0])
    best = (np.abs(points @ normal.T + offset) < PLANE_REACH_M).sum(0).argmax()
    plane = np.append(normal[best], offset[best])
    return plane if plane[3] > 0 else -plane


def _refined(plane: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, float]:
    """Normal and offset of the plane through those of the points [N,3] that are near ``plane``."""
    normal, offset = plane[:3], float(plane[3])
    for reach in (4 * PLANE_REACH_M, 2 * PLANE_REACH_M, PLANE_REACH_M):
        near = points[np.abs(points @ normal + offset) < reach]
        if len(near) < 50:
            break
        middle = near.mean(0)
        across = np.linalg.eigh(np.cov((near - middle).T))[1][:, 0]
        normal = across * np.sign(across @ normal)
        offset = -float(normal @ middle)
    return normal, offset
