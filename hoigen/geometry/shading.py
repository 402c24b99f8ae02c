"""Pictures of a textured mesh on the CPU, with depth and object coordinates at the same pixels."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from hoigen.geometry.camera import resize_camera
from hoigen.geometry.raster import rasterise
from hoigen.geometry.surface import barycentric
from hoigen.geometry.transforms import apply
from hoigen.records import Camera, MeshAsset

__all__ = ['View', 'brightness', 'draw']

SAMPLES, MOST_SAMPLES = 2, 12
"""Samples along each side of a pixel, and the most where a fine texture is seen small."""
SKIPPED = 8.0
"""More texels than that between two samples would make a picture of noise: then there are more samples."""
FINE_PIXELS = 1 << 24
"""The most samples of a picture."""
ROW = 1 << 12
"""Texels are looked up in rows of so many: OpenCV has a longest row."""
LIGHT = np.array([-0.35, -0.75, -0.56])
"""Where the light comes from, in the camera's frame: above its left shoulder."""
AMBIENT, DIFFUSE = 0.55, 0.55
PLAIN = np.array([180, 180, 180], np.uint8)
"""The colour of a mesh without a texture."""


@dataclass(frozen=True, eq=False)
class View:
    """What a camera sees of one mesh alone.

    rgb: [H,W,3] uint8, shaded, on white. share: [H,W] float32 in [0, 1], how much of a pixel the mesh covers. mask:
    [H,W] bool, at the pixel's centre. depth_m: [H,W] float32 along the optical axis, infinite where the mesh is not.
    points: [H,W,3] float32 places in the asset's frame, NaN where it is not.
    """

    rgb: np.ndarray
    share: np.ndarray
    mask: np.ndarray
    depth_m: np.ndarray
    points: np.ndarray


def draw(asset: MeshAsset, T_world_asset: np.ndarray, camera: Camera) -> View:
    """Draw an asset at a pose; it is lit from the camera's own shoulder, so that its look depends on its orientation
    to the camera alone."""
    world = apply(T_world_asset, asset.vertices)
    raster = rasterise(camera, world, asset.triangles)
    mask = raster.triangle >= 0
    points = np.full((*mask.shape, 3), np.nan, np.float32)
    if mask.any():
        weights = _weights(camera, world, asset.triangles, raster.triangle, mask, raster.depth_m)
        points[mask] = np.einsum('nk,nkx->nx', weights, asset.vertices[asset.triangles[raster.triangle[mask]]])
    colours, share = _coloured(asset, world, camera, _samples(asset, raster.triangle[mask], camera))
    return View(colours, share, mask, np.where(mask, raster.depth_m, np.inf).astype(np.float32), points)


def brightness(asset: MeshAsset, T_world_asset: np.ndarray, camera: Camera) -> np.ndarray:
    """[H,W] float64: by what the colours of the asset are multiplied where it is drawn, NaN where it is not seen."""
    world = apply(T_world_asset, asset.vertices)
    index = rasterise(camera, world, asset.triangles).triangle
    return np.where(index >= 0, _light(asset, world, camera)[index], np.nan)


def _samples(asset: MeshAsset, seen: np.ndarray, camera: Camera) -> int:
    """Samples along each side of a pixel, from the texels in the triangles ``seen`` [n], one for each pixel."""
    if asset.uv is None or asset.texture is None or not len(seen):
        return SAMPLES
    a, b, c = (asset.uv[asset.triangles[np.unique(seen), corner]].astype(float) for corner in range(3))
    (ux, uy), (vx, vy) = (b - a).T, (c - a).T
    texels = np.abs(ux * vy - uy * vx).sum() / 2 * asset.texture.shape[0] * asset.texture.shape[1]
    between = np.sqrt(texels / len(seen)) / SAMPLES
    if between <= SKIPPED:
        return SAMPLES
    affordable = int(np.sqrt(FINE_PIXELS / (camera.width * camera.height)))
    return max(SAMPLES, min(MOST_SAMPLES, affordable, int(np.ceil(between * SAMPLES))))


def _coloured(asset: MeshAsset, world: np.ndarray, camera: Camera, samples: int) -> tuple[np.ndarray, np.ndarray]:
    """The picture on white and the share of each pixel that is covered, from samples x samples of it."""
    fine = resize_camera(camera, camera.width * samples, camera.height * samples)
    raster = rasterise(fine, world, asset.triangles)
    mask = raster.triangle >= 0
    rgb = np.full((*mask.shape, 3), 255, np.float32)
    if mask.any():
        triangle = raster.triangle[mask]
        weights = _weights(fine, world, asset.triangles, raster.triangle, mask, raster.depth_m)
        rgb[mask] = np.clip(_albedo(asset, triangle, weights) * _light(asset, world, camera)[triangle, None], 0, 255)
    size = (camera.width, camera.height)
    share = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    return cv2.resize(rgb, size, interpolation=cv2.INTER_AREA).round().astype(np.uint8), share


def _weights(camera: Camera, world: np.ndarray, triangles: np.ndarray, index: np.ndarray, mask: np.ndarray,
             depth_m: np.ndarray) -> np.ndarray:
    """Barycentric weights [n,3] of the masked pixels in the triangles that they show."""
    v, u = np.nonzero(mask)
    rays = np.stack([u, v, np.ones_like(u)], 1) @ np.linalg.inv(camera.K).T
    places = apply(camera.T_world_cam, rays * depth_m[mask][:, None])
    return barycentric(places, world[triangles[index[mask]]])


def _albedo(asset: MeshAsset, triangle: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Colours [n,3] float32 of places on triangles."""
    if asset.uv is None or asset.texture is None:
        return np.broadcast_to(PLAIN.astype(np.float32), (len(triangle), 3))
    uv = np.einsum('nk,nkx->nx', weights, asset.uv[asset.triangles[triangle]])
    height, width = asset.texture.shape[:2]
    across, down = (uv[:, 0] % 1) * width - 0.5, (1 - uv[:, 1] % 1) * height - 0.5
    places = np.zeros((2, -(-len(uv) // ROW) * ROW), np.float32)
    places[0, :len(uv)], places[1, :len(uv)] = across, down
    found = cv2.remap(asset.texture, places[0].reshape(-1, ROW), places[1].reshape(-1, ROW), cv2.INTER_LINEAR,
                      borderMode=cv2.BORDER_WRAP)
    return found.reshape(-1, 3)[:len(uv)].astype(np.float32)


def _light(asset: MeshAsset, world: np.ndarray, camera: Camera) -> np.ndarray:
    """[F] how bright each triangle is; both sides are lit alike."""
    a, b, c = (world[asset.triangles[:, corner]] for corner in range(3))
    normal = np.cross(b - a, c - a)
    length = np.linalg.norm(normal, axis=1, keepdims=True)
    normal = normal / np.where(length > 0, length, 1)
    to_light = camera.T_world_cam[:3, :3] @ (LIGHT / np.linalg.norm(LIGHT))
    towards_camera = np.sign(((camera.T_world_cam[:3, 3] - (a + b + c) / 3) * normal).sum(1))
    return AMBIENT + DIFFUSE * np.maximum(0, towards_camera * (normal @ to_light))
