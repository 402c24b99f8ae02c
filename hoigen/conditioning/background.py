"""The first picture's static scene as the cameras of later frames see it."""

from __future__ import annotations

import numba
import numpy as np
from scipy.ndimage import distance_transform_edt

from hoigen.geometry.camera import pixel_grid, project, unproject
from hoigen.geometry.raster import rasterise
from hoigen.records import Camera

__all__ = ['carry_background']

SAME_DEPTH = 0.01
"""A carried point lies on the first picture's surface when their depths differ by no larger part than this."""

EDGE = 0.05
"""Neighbouring pixels of the first picture whose depths differ by a larger part are not joined to one surface."""


def carry_background(cameras: tuple[Camera, ...], image: np.ndarray, clean: np.ndarray, mask: np.ndarray,
                     depth_m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Background [T,H,W,3] uint8 and known [T,H,W] bool: the first picture without hand and object, in each camera.

    image: [H,W,3] the first picture. clean: [H,W] bool, its pixels that show nothing but scene. mask: [T,H,W] role
    codes. depth_m: [T,H,W], NaN where there is no mesh: there the scene is taken as infinitely far.
    A pixel whose place was hidden in the first picture, or outside it, is not known and has the nearest known colour;
    while the camera stands still, it has the first picture's colour.
    """
    background, known = np.empty((len(cameras), *image.shape), np.uint8), np.empty(mask.shape, bool)
    plate: np.ndarray | None = None
    for t, camera in enumerate(cameras):
        if np.array_equal(camera.K, cameras[0].K) and np.array_equal(camera.T_world_cam, cameras[0].T_world_cam):
            background[t], known[t] = image, clean
            continue
        if plate is None:
            plate = _plate_triangles(clean, depth_m[0])
            places = unproject(cameras[0], pixel_grid(camera.width, camera.height), depth_m[0]).reshape(-1, 3)
        behind = rasterise(camera, places, plate).depth_m
        scene_m = np.where(mask[t] == 0, depth_m[t], behind)
        background[t], known[t] = _look_up(cameras[0], camera, scene_m, image, clean, depth_m[0])
    return background, known


def _plate_triangles(clean: np.ndarray, depth_m: np.ndarray) -> np.ndarray:
    """[F,3] int32 triangles between neighbouring pixels of one surface; vertices are the pixels, row by row."""
    number = np.arange(clean.size, dtype=np.int32).reshape(clean.shape)
    a, b, c, d = number[:-1, :-1], number[:-1, 1:], number[1:, 1:], number[1:, :-1]
    triangles = np.concatenate([np.stack(corners, axis=-1).reshape(-1, 3) for corners in ((a, d, b), (b, d, c))])
    depths, shown = depth_m.ravel()[triangles], clean.ravel()[triangles].all(axis=1)
    with np.errstate(invalid='ignore'):
        joined = depths.max(axis=1) <= depths.min(axis=1) * (1 + EDGE)
    return triangles[shown & joined]


def _look_up(first: Camera, camera: Camera, scene_m: np.ndarray, image: np.ndarray, clean: np.ndarray,
             first_m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first picture's colours [H,W,3] at the places that ``camera`` sees at depth scene_m [H,W], and known."""
    grid = pixel_grid(camera.width, camera.height)
    pixels, depth = project(first, unproject(camera, grid, scene_m))
    far = np.isnan(scene_m)
    distant = unproject(camera, grid, np.ones_like(scene_m)) - camera.T_world_cam[:3, 3] + first.T_world_cam[:3, 3]
    pixels[far], along = project(first, distant[far])
    depth[far] = np.where(along > 0, np.inf, -1)
    colour, known = np.zeros_like(image), np.zeros(clean.shape, bool)
    _blend(pixels, depth, image, clean, first_m, SAME_DEPTH, colour, known)
    if known.any():
        row, column = distance_transform_edt(~known, return_distances=False, return_indices=True)
        colour = colour[row, column]
    return colour, known


@numba.njit(cache=True, nogil=True)
def _blend(pixels: np.ndarray, depth: np.ndarray, image: np.ndarray, clean: np.ndarray, first_m: np.ndarray,
           same: float, colour: np.ndarray, known: np.ndarray) -> None:
    """Bilinear look-up; known where every pixel with a weight is clean and their blended depth is the place's own."""
    height, width = clean.shape
    mixed = np.empty(3)
    for row in range(depth.shape[0]):
        for column in range(depth.shape[1]):
            u, v, z = pixels[row, column, 0], pixels[row, column, 1], depth[row, column]
            if not (z > 0 and -0.5 <= u < width - 0.5 and -0.5 <= v < height - 0.5):
                continue
            u, v = min(max(u, 0.0), width - 1.0), min(max(v, 0.0), height - 1.0)
            left, top, ok, inverse = int(u), int(v), True, 0.0
            mixed[:] = 0
            for r in range(top, min(top + 2, height)):
                for c in range(left, min(left + 2, width)):
                    weight = (1 - abs(v - r)) * (1 - abs(u - c))
                    if weight > 1e-3:
                        ok = ok and clean[r, c]
                        inverse += 0.0 if np.isnan(first_m[r, c]) else weight / first_m[r, c]
                        for channel in range(3):
                            mixed[channel] += weight * image[r, c, channel]
            if ok and abs(inverse - 1 / z) <= same * max(inverse, 1 / z):
                known[row, column] = True
                for channel in range(3):
                    colour[row, column, channel] = np.uint8(min(max(round(mixed[channel]), 0), 255))
