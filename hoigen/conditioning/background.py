"""The first picture's static scene as the cameras of later frames see it."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import distance_transform_edt

from hoigen.compiling import numba
from hoigen.geometry.camera import pixel_grid, project, unproject
from hoigen.geometry.raster import rasterise
from hoigen.records import Camera

SAME_DEPTH, NOISY_DEPTH = 0.01, 0.05
"""A carried place lies on the first picture's surface when their depths differ by no larger part than the first;
measured depth differs by its noise too, so it may be ``NOISE`` medians of what they differ by, up to the second."""

NOISE = 5.0

EDGE = 0.05
"""Neighbouring pixels of the first picture whose depths differ by a larger part are not joined to one surface."""


def carry_background(
    cameras: tuple[Camera, ...], image: np.ndarray, clean: np.ndarray, mask: np.ndarray, depth_m: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Background [T,H,W,3] uint8 and known [T,H,W] bool: the first picture without hand and object, in each camera.

    image: [H,W,3] the first picture. clean: [H,W] bool, its pixels that show nothing but scene. mask: [T,H,W] role
    codes. depth_m: [T,H,W], infinite where nothing is; NaN, unknown, is taken to be as far as the nearest known place.
    A pixel whose place was hidden in the first picture, or outside it, is not known and has the nearest known colour;
    while the camera stands still, it has the first picture's colour.
    """
    background, known = np.empty((len(cameras), *image.shape), np.uint8), np.empty(mask.shape, bool)
    depth_m = np.stack([_without_holes(depth, codes == 0) for depth, codes in zip(depth_m, mask, strict=True)])
    plate: np.ndarray | None = None
    for t, camera in enumerate(cameras):
        if same_view(camera, cameras[0]):
            background[t], known[t] = image, clean
            continue
        if plate is None:
            plate = _plate_triangles(clean, depth_m[0])
            places = unproject(cameras[0], pixel_grid(camera.width, camera.height), depth_m[0]).reshape(-1, 3)
        behind = rasterise(camera, places, plate).depth_m
        scene_m = np.where(mask[t] == 0, depth_m[t], behind)
        background[t], known[t] = _look_up(cameras[0], camera, scene_m, image, clean, depth_m[0])
    return background, known


def same_view(camera: Camera, other: Camera) -> bool:
    """Whether two cameras see every place at the same pixel."""
    return np.array_equal(camera.K, other.K) and np.array_equal(camera.T_world_cam, other.T_world_cam)


def _without_holes(depth_m: np.ndarray, scene: np.ndarray) -> np.ndarray:
    """[H,W] depth with the scene's unknown places as far as the nearest of its known ones."""
    holes = scene & np.isnan(depth_m)
    if not holes.any():
        return depth_m
    if not (scene & ~holes).any():
        return np.where(holes, np.float32(np.inf), depth_m)
    row, column = distance_transform_edt(~scene | holes, return_distances=False, return_indices=True)
    return np.where(holes, depth_m[row, column], depth_m)


def _plate_triangles(clean: np.ndarray, depth_m: np.ndarray) -> np.ndarray:
    """[F,3] int32 triangles between neighbouring pixels of one surface; vertices are the pixels, row by row."""
    number = np.arange(clean.size, dtype=np.int32).reshape(clean.shape)
    a, b, c, d = number[:-1, :-1], number[:-1, 1:], number[1:, 1:], number[1:, :-1]
    triangles = np.concatenate([np.stack(corners, axis=-1).reshape(-1, 3) for corners in ((a, d, b), (b, d, c))])
    depths, shown = depth_m.ravel()[triangles], clean.ravel()[triangles].all(axis=1)
    with np.errstate(invalid='ignore'):
        joined = depths.max(axis=1) <= depths.min(axis=1) * (1 + EDGE)
    return triangles[shown & joined & np.isfinite(depths).all(axis=1)]


def _look_up(
    first: Camera, camera: Camera, scene_m: np.ndarray, image: np.ndarray, clean: np.ndarray, first_m: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The first picture's colours [H,W,3] at the places that ``camera`` sees at depth scene_m [H,W], and known."""
    grid = pixel_grid(camera.width, camera.height)
    far = ~np.isfinite(scene_m)
    pixels, depth = project(first, unproject(camera, grid, np.where(far, 1, scene_m)))
    distant = unproject(camera, grid, np.ones_like(scene_m)) - camera.T_world_cam[:3, 3] + first.T_world_cam[:3, 3]
    pixels[far], along = project(first, distant[far])
    depth[far] = np.where(along > 0, np.inf, -1)
    colour, apart = np.zeros_like(image), np.full(clean.shape, np.inf)
    _blend(pixels, depth, image, clean, first_m, colour, apart)
    noise = np.median(apart[np.isfinite(apart)]) if np.isfinite(apart).any() else 0.0
    known = apart <= np.clip(NOISE * noise, SAME_DEPTH, NOISY_DEPTH)
    colour[~known] = 0
    if known.any():
        row, column = distance_transform_edt(~known, return_distances=False, return_indices=True)
        colour = colour[row, column]
    return colour, known


@numba.njit(cache=True, nogil=True)
def _blend(
    pixels: np.ndarray,
    depth: np.ndarray,
    image: np.ndarray,
    clean: np.ndarray,
    first_m: np.ndarray,
    colour: np.ndarray,
    apart: np.ndarray,
) -> None:
    """Bilinear look-up where every pixel with a weight is clean; ``apart``: by what part their blended depth and the
    place's own differ."""
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
                        inverse += weight / first_m[r, c]
                        for channel in range(3):
                            mixed[channel] += weight * image[r, c, channel]
            if ok:
                apart[row, column] = abs(inverse - 1 / z) / max(inverse, 1 / z, 1e-12)
                for channel in range(3):
                    colour[row, column, channel] = np.uint8(min(max(round(mixed[channel]), 0), 255))
