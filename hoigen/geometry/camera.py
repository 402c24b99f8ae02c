"""Pinhole projection with integer pixel centres, and cameras of cropped and resized pictures."""

from __future__ import annotations

import numpy as np

from hoigen.geometry.transforms import apply, invert
from hoigen.records import Camera


def project(camera: Camera, points_world: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pixels [...,2] (u, v) and depth_m [...] along the optical axis of world points [...,3], all float64.

    A point in the camera's plane has no pixel (NaN or infinite); one behind it has a depth < 0 and a pixel that
    means nothing.
    """
    points = apply(invert(camera.T_world_cam), points_world)
    with np.errstate(divide='ignore', invalid='ignore'):
        pixels = (points @ camera.K.T)[..., :2] / points[..., 2:]
    return pixels, points[..., 2]


def unproject(camera: Camera, pixels: np.ndarray, depth_m: np.ndarray) -> np.ndarray:
    """World points [...,3] float64 of pixels [...,2] (u, v) at depth_m [...]; NaN where it is not finite."""
    depth_m = np.where(np.isfinite(depth_m), depth_m, np.nan)
    rays = np.concatenate([pixels, np.ones_like(pixels[..., :1])], axis=-1) @ np.linalg.inv(camera.K).T
    return apply(camera.T_world_cam, rays * depth_m[..., None])


def pixel_grid(width: int, height: int) -> np.ndarray:
    """[H,W,2] float64: the (u, v) of every pixel centre."""
    return np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).astype(float)


def crop_camera(camera: Camera, left: int, top: int, width: int, height: int) -> Camera:
    """The camera of the picture's part ``[top:top+height, left:left+width]``; a negative corner widens the view."""
    K = camera.K.copy()
    K[:2, 2] -= left, top
    return Camera(K, width, height, camera.T_world_cam)


def resize_camera(camera: Camera, width: int, height: int) -> Camera:
    """The camera of the same view at another size: pixel borders, not centres, stay where they are."""
    scale = np.array([width / camera.width, height / camera.height])
    K = camera.K.copy()
    K[:2] *= scale[:, None]
    K[:2, 2] += (scale - 1) / 2
    return Camera(K, width, height, camera.T_world_cam)
