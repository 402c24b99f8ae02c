"""A scene that perception can be judged on: a box moves over a floor, both with a texture fixed to the surface.

Everything is known: cameras, depth, masks and where any surface point goes.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from synthetic_scene import box

from hoigen.conventions import OBJECT, ROLE_CODE
from hoigen.geometry.camera import pixel_grid, unproject
from hoigen.geometry.meshes import mesh_table
from hoigen.geometry.raster import rasterise
from hoigen.geometry.transforms import apply, invert, look_at, rigid
from hoigen.perception.records import Geometry, Segmentation
from hoigen.perception.tracking.odometry import depth_confidence
from hoigen.records import Camera, Footage

WIDTH, HEIGHT = 240, 160


class Scene(NamedTuple):
    """What a camera would record and what is true: T_world_cam of each camera in the first one's frame, and the box's
    pose there."""

    footage: Footage
    cameras: tuple[Camera, ...]
    segmentation: Segmentation
    T_world_box: tuple[np.ndarray, ...]


def textured_scene(frames: int = 6, sway_m: float = 0.0, travel_m: float = 0.12, lift_m: float = 0.0) -> Scene:
    """``frames`` images while the camera moves ``sway_m`` sideways and the box ``travel_m`` along and ``lift_m`` up."""
    assets = (box('floor', 'scene', (3.0, 3.0, 0.02)), box('parcel', 'object', (0.16, 0.12, 0.12)))
    table = mesh_table(assets)
    K = np.array([[220, 0, (WIDTH - 1) / 2], [0, 220, (HEIGHT - 1) / 2], [0, 0, 1]], float)
    rgb, depth, inside, cameras, boxes = [], [], [], [], []
    for number in range(frames):
        part = number / max(frames - 1, 1)
        angle = 0.3 * part * bool(travel_m)
        turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
        poses = {
            'floor': rigid(np.eye(3), np.array([0, 0, -0.01])),
            'parcel': rigid(turn, np.array([0.0, travel_m * (part - 0.5), 0.06 + lift_m * part])),
        }
        camera = Camera(K, WIDTH, HEIGHT, look_at(np.array([0.55, sway_m * part, 0.5]), np.array([0.0, 0.0, 0.03])))
        picture = rasterise(camera, table.posed(poses, {}), table.triangles)
        shown = np.where(picture.triangle >= 0, table.triangle_asset[picture.triangle], -1)
        rgb.append(_painted(camera, picture.depth_m, shown, poses))
        depth.append(picture.depth_m)
        inside.append((shown == 1).astype(np.uint8))
        cameras.append(camera)
        boxes.append(poses['parcel'])
    T_first_world = invert(cameras[0].T_world_cam)
    return Scene(
        Footage(np.arange(frames, dtype=np.int64) * 62_500_000, np.stack(rgb), np.stack(depth), K),
        tuple(Camera(K, WIDTH, HEIGHT, T_first_world @ camera.T_world_cam) for camera in cameras),
        Segmentation(np.array([ROLE_CODE[OBJECT]], np.uint8), np.stack(inside)),
        tuple(T_first_world @ pose for pose in boxes),
    )


def exact_geometry(scene: Scene) -> Geometry:
    """The true cameras with the true depth."""
    depth = scene.footage.depth_m
    return Geometry(scene.cameras, depth, np.stack([depth_confidence(d) for d in depth]), 'truth', metric=True)


def _painted(camera: Camera, depth_m: np.ndarray, shown: np.ndarray, poses: dict[str, np.ndarray]) -> np.ndarray:
    """[H,W,3] uint8: the blotches of a fixed texture, by the place on the surface in its own frame."""
    rng = np.random.default_rng(3)
    texture = cv2.GaussianBlur(rng.uniform(0, 255, (512, 512, 3)).astype(np.float32), (0, 0), 2)
    texture = np.clip(128 + 6 * (texture - 127.5), 0, 255)
    places = unproject(camera, pixel_grid(camera.width, camera.height), depth_m)
    rgb = np.full((*depth_m.shape, 3), 40, np.uint8)
    for index, name in enumerate(poses):
        own = apply(invert(poses[name]), places).astype(np.float32)
        u, v = own[..., 0] + 0.7 * own[..., 2], own[..., 1] - 0.6 * own[..., 2]
        at = [np.mod((c + 5 + index) / 0.0025, 511) for c in (u, v)]
        colours = cv2.remap(texture, *at, cv2.INTER_LINEAR)
        rgb[shown == index] = np.rint(colours[shown == index]).astype(np.uint8)
    return rgb
