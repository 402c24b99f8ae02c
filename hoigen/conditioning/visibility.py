"""Which surface samples a camera sees."""

from __future__ import annotations

import numpy as np

from hoigen.geometry.camera import project
from hoigen.geometry.raster import Raster
from hoigen.geometry.transforms import apply, invert
from hoigen.records import Camera

SLOPE_FOOTPRINTS = 2.0
"""Depth a surface may change within half a pixel, in pixel sizes at its depth; more is a silhouette, not a slope."""


def point_visibility(
    camera: Camera,
    picture: Raster,
    triangle_asset: np.ndarray,
    points: np.ndarray,
    corners: np.ndarray,
    asset: np.ndarray,
    tolerance_m: float,
) -> np.ndarray:
    """[N] bool: is a sample inside the picture, before the camera and on the surface that its pixel shows?

    points: [N,3] world. corners: [N,3,3] world corners of their triangles. asset: [N]. The drawn depth is compared
    at the pixel's centre, where the sample's own plane is a little nearer or farther than the sample itself; only
    on its own asset, and by at most ``SLOPE_FOOTPRINTS`` pixel sizes. So a sample that lies behind a surface by more
    than that and ``tolerance_m`` is never visible, and behind another asset's by more than ``tolerance_m``.
    """
    pixels, depth = project(camera, points)
    row, column, inside = _nearest(pixels, depth, camera)
    drawn = picture.depth_m[row, column]
    triangle = picture.triangle[row, column]
    own = (triangle >= 0) & (triangle_asset[triangle] == asset)
    slope = _depth_slope(camera, points, corners, depth)
    step = np.stack([column, row], axis=1) - np.where(inside[:, None], pixels, 0)
    limit = SLOPE_FOOTPRINTS * depth / min(camera.K[0, 0], camera.K[1, 1])
    lead = np.where(own, np.clip((slope * step).sum(axis=1), -limit, limit), 0)
    with np.errstate(invalid='ignore'):
        return inside & ~(drawn < depth + lead - tolerance_m)


def _nearest(pixels: np.ndarray, depth: np.ndarray, camera: Camera) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Row, column [N] int64 of the nearest pixel and [N] bool whether the point is before the camera and inside."""
    size = np.array([camera.width, camera.height])
    with np.errstate(invalid='ignore'):
        inside = (depth > 0) & (pixels >= -0.5).all(axis=1) & (pixels < size - 0.5).all(axis=1)
    column, row = np.floor(np.where(inside[:, None], pixels, 0) + 0.5).astype(np.int64).T
    return row, column, inside


def _depth_slope(camera: Camera, points: np.ndarray, corners: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """[N,2] metres of depth per pixel in u and v, of the samples' planes; 0 where a plane has no direction."""
    T_cam_world = invert(camera.T_world_cam)
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]) @ T_cam_world[:3, :3].T
    offset = np.einsum('nx,nx->n', normal, apply(T_cam_world, points))
    with np.errstate(divide='ignore', invalid='ignore'):
        per_pixel = (normal @ np.linalg.inv(camera.K))[:, :2]  # n . K^-1 (u, v, 1) z = offset
        slope = -(depth**2 / offset)[:, None] * per_pixel
    return np.nan_to_num(slope, nan=0.0, posinf=1e3, neginf=-1e3)
