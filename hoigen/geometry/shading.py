"""Pictures of a textured mesh on the CPU, with depth and object coordinates at the same pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hoigen.compiling import numba
from hoigen.geometry.camera import project, resize_camera
from hoigen.geometry.raster import NEAR_M, rasterise
from hoigen.geometry.surface import barycentric
from hoigen.geometry.transforms import apply, invert
from hoigen.records import Camera, MeshAsset

SAMPLES, MOST_SAMPLES = 2, 12
"""Samples along each side of a pixel, and the most where a fine texture is seen small."""
SKIPPED = 8.0
"""More texels than that between two samples would make a picture of noise: then there are more samples."""
FINE_PIXELS = 1 << 24
"""The most samples of a picture."""
BAND_SAMPLES = 1 << 22
"""Samples that are held at a time."""
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


def draw(asset: MeshAsset, T_world_asset: np.ndarray, camera: Camera, *, lit: bool = True) -> View:
    """Draw an asset at a pose; it is lit from the camera's own shoulder, so that its look depends on its orientation
    to the camera alone. Not ``lit``: in the colours of its texture."""
    world = apply(T_world_asset, asset.vertices)
    raster = rasterise(camera, world, asset.triangles)
    mask = raster.triangle >= 0
    points = np.full((*mask.shape, 3), np.nan, np.float32)
    if mask.any():
        weights = _weights(camera, world, asset.triangles, raster.triangle, mask, raster.depth_m)
        points[mask] = np.einsum('nk,nkx->nx', weights, asset.vertices[asset.triangles[raster.triangle[mask]]])
    light = _light(asset, world, camera) if lit else np.ones(len(asset.triangles))
    colours, share = _coloured(asset, world, camera, _samples(asset, raster.triangle[mask], camera), light)
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


def _coloured(
    asset: MeshAsset, world: np.ndarray, camera: Camera, samples: int, light: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The picture on white and the share of each pixel that is covered, from samples x samples of it; light: [F]."""
    rgb = np.full((camera.height, camera.width, 3), 255, np.uint8)
    share = np.zeros((camera.height, camera.width), np.float32)
    left, top, right, bottom = _window(world, camera)
    corners = apply(invert(camera.T_world_cam), world)[asset.triangles]
    a, b, c = corners.swapaxes(0, 1)
    across = np.stack([np.cross(b, c), np.cross(c, a), np.cross(a, b)], 1)
    uv, texture = np.zeros((len(asset.triangles), 3, 2)), np.broadcast_to(PLAIN, (1, 1, 3))
    if asset.uv is not None and asset.texture is not None:
        uv, texture = asset.uv[asset.triangles].astype(float), asset.texture
    fine = resize_camera(camera, camera.width * samples, camera.height * samples)
    rows = max(1, BAND_SAMPLES // max(1, (right - left) * samples * samples))
    for first in range(top, bottom, rows):
        last = min(first + rows, bottom)
        part = left * samples, first * samples, (right - left) * samples, (last - first) * samples
        rays = np.linalg.inv(fine.K) @ np.array([[1, 0, part[0]], [0, 1, part[1]], [0, 0, 1.0]])
        _mix(
            rasterise(fine, world, asset.triangles, part).triangle,
            samples,
            rays,
            across,
            uv,
            np.ascontiguousarray(texture),
            light,
            rgb[first:last, left:right],
            share[first:last, left:right],
        )
    return rgb, share


def _window(world: np.ndarray, camera: Camera) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of the part of the picture in which all of the mesh is."""
    pixels, depth = project(camera, world)
    if not (depth > NEAR_M).all():
        return 0, 0, camera.width, camera.height
    size = camera.width, camera.height
    left, top = np.clip(np.floor(pixels.min(0)), 0, size).astype(int).tolist()
    right, bottom = np.clip(np.ceil(pixels.max(0)) + 1, (left, top), size).astype(int).tolist()
    return left, top, right, bottom


@numba.njit(cache=True, nogil=True)
def _mix(
    index: np.ndarray,
    samples: int,
    rays: np.ndarray,
    across: np.ndarray,
    uv: np.ndarray,
    texture: np.ndarray,
    light: np.ndarray,
    rgb: np.ndarray,
    share: np.ndarray,
) -> None:
    """Fill rgb and share [h,w] from triangles ``index`` [h*samples,w*samples], -1 for none.

    rays: [3,3], from samples to directions in the camera's frame. across: [F,3,3], the products of its corners two by
    two, whose products with a direction are the weights of the corners in what is seen along it.
    """
    height, width = texture.shape[:2]
    total = np.empty(3)
    for row in range(rgb.shape[0]):
        for column in range(rgb.shape[1]):
            total[:] = 0.0
            covered = 0
            for y in range(row * samples, (row + 1) * samples):
                for x in range(column * samples, (column + 1) * samples):
                    triangle = index[y, x]
                    if triangle < 0:
                        continue
                    covered += 1
                    d0 = rays[0, 0] * x + rays[0, 1] * y + rays[0, 2]
                    d1 = rays[1, 0] * x + rays[1, 1] * y + rays[1, 2]
                    d2 = rays[2, 0] * x + rays[2, 1] * y + rays[2, 2]
                    n = across[triangle]
                    a = n[0, 0] * d0 + n[0, 1] * d1 + n[0, 2] * d2
                    b = n[1, 0] * d0 + n[1, 1] * d1 + n[1, 2] * d2
                    c = n[2, 0] * d0 + n[2, 1] * d1 + n[2, 2] * d2
                    if a + b + c < 0.0:
                        a, b, c = -a, -b, -c
                    a, b, c = max(a, 0.0), max(b, 0.0), max(c, 0.0)
                    whole = a + b + c
                    if whole == 0.0:  # seen exactly along its plane
                        a, b, c, whole = 1.0, 1.0, 1.0, 3.0
                    p = uv[triangle]
                    u = (a * p[0, 0] + b * p[1, 0] + c * p[2, 0]) / whole
                    v = (a * p[0, 1] + b * p[1, 1] + c * p[2, 1]) / whole
                    right = (u - np.floor(u)) * width - 0.5
                    down = (1.0 - (v - np.floor(v))) * height - 0.5
                    x0, y0 = int(np.floor(right)), int(np.floor(down))
                    fx, fy = right - x0, down - y0
                    x1, y1, x0, y0 = (x0 + 1) % width, (y0 + 1) % height, x0 % width, y0 % height
                    for k in range(3):
                        upper = texture[y0, x0, k] * (1.0 - fx) + texture[y0, x1, k] * fx
                        lower = texture[y1, x0, k] * (1.0 - fx) + texture[y1, x1, k] * fx
                        total[k] += min(255.0, (upper * (1.0 - fy) + lower * fy) * light[triangle])
            every = samples * samples
            share[row, column] = covered / every
            for k in range(3):
                rgb[row, column, k] = np.uint8((total[k] + 255.0 * (every - covered)) / every + 0.5)


def _weights(
    camera: Camera, world: np.ndarray, triangles: np.ndarray, index: np.ndarray, mask: np.ndarray, depth_m: np.ndarray
) -> np.ndarray:
    """Barycentric weights [n,3] of the masked pixels in the triangles that they show."""
    v, u = np.nonzero(mask)
    rays = np.stack([u, v, np.ones_like(u)], 1) @ np.linalg.inv(camera.K).T
    places = apply(camera.T_world_cam, rays * depth_m[mask][:, None])
    return barycentric(places, world[triangles[index[mask]]])


def _light(asset: MeshAsset, world: np.ndarray, camera: Camera) -> np.ndarray:
    """[F] how bright each triangle is; both sides are lit alike."""
    a, b, c = (world[asset.triangles[:, corner]] for corner in range(3))
    normal = np.cross(b - a, c - a)
    length = np.linalg.norm(normal, axis=1, keepdims=True)
    normal = normal / np.where(length > 0, length, 1)
    to_light = camera.T_world_cam[:3, :3] @ (LIGHT / np.linalg.norm(LIGHT))
    towards_camera = np.sign(((camera.T_world_cam[:3, 3] - (a + b + c) / 3) * normal).sum(1))
    return AMBIENT + DIFFUSE * np.maximum(0, towards_camera * (normal @ to_light))
