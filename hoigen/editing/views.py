"""Pictures of a mesh from around it, as references for the models."""

from __future__ import annotations

import numpy as np

from hoigen.editing.records import Reference
from hoigen.geometry.orientation import Orientation, camera_at, rotation_of
from hoigen.geometry.shading import View, draw
from hoigen.geometry.transforms import angle_between
from hoigen.records import MeshAsset

SIZE = 64
"""Side of a reference picture of the tiny models, pixels."""
FILL = 0.86
"""The share of a reference picture's side that the object takes."""
DISTANCE = 6.0
"""From the object's middle to the camera, in its radii: far enough that the perspective is weak."""


def view_of(asset: MeshAsset, orientation: Orientation, size: int) -> View:
    """The asset alone, in the middle of a picture [size,size], turned like that."""
    low, high = asset.vertices.min(0).astype(float), asset.vertices.max(0).astype(float)
    centre = (low + high) / 2
    radius = float(np.linalg.norm(asset.vertices - centre, axis=1).max())
    focal = FILL * size / 2 * np.sqrt(DISTANCE**2 - 1)
    K = np.array([[focal, 0, (size - 1) / 2], [0, focal, (size - 1) / 2], [0, 0, 1]])
    return draw(asset, np.eye(4), camera_at(orientation, centre, DISTANCE * radius, K, size))


def released_views(asset: MeshAsset, count: int, size: int) -> list[View]:
    """The asset as RefAny3D's released adapters were shown it: its texture alone, from its own height, every 42 degrees
    from its front, by a camera with a field of view of 45 degrees at 4 times half its largest extent."""
    low, high = asset.vertices.min(0).astype(float), asset.vertices.max(0).astype(float)
    focal = size / 2 / np.tan(np.radians(45) / 2)
    K = np.array([[focal, 0, (size - 1) / 2], [0, focal, (size - 1) / 2], [0, 0, 1]])
    turns = [Orientation(float(np.radians(42 * number)), 0.0, 0.0) for number in range(count)]
    cameras = [camera_at(turn, (low + high) / 2, 4 * float((high - low).max()) / 2, K, size) for turn in turns]
    return [draw(asset, np.eye(4), camera, lit=False) for camera in cameras]


def reference(asset: MeshAsset, orientation: Orientation, size: int = SIZE) -> Reference:
    """The asset's picture in an orientation."""
    return Reference(view_of(asset, orientation, size).rgb, orientation)


def random_views(asset: MeshAsset, count: int, rng: np.random.Generator, size: int = SIZE) -> tuple[Reference, ...]:
    """Pictures from directions all round, mostly upright (SpatialHand renders 20 of each mesh)."""
    found = []
    for _ in range(count):
        elevation = np.arcsin(rng.uniform(-0.5, 1.0))
        tilt = rng.normal(0, np.radians(8))
        found.append(
            reference(asset, Orientation(float(rng.uniform(-np.pi, np.pi)), float(elevation), float(tilt)), size)
        )
    return tuple(found)


def even_views(count: int, elevation: float = np.radians(20)) -> tuple[Orientation, ...]:
    """Directions at equal angles about the object (RefAny3D: 8)."""
    turns = -np.pi + 2 * np.pi * np.arange(count) / count
    return tuple(Orientation(float(turn), elevation, 0.0) for turn in turns)


def nearest(references: tuple[Reference, ...], orientation: Orientation, count: int) -> tuple[Reference, ...]:
    """The references that are turned most alike, the most alike first; those of unknown orientation come last."""
    want = rotation_of(orientation)

    def distance(item: Reference) -> float:
        return np.inf if item.orientation is None else float(angle_between(rotation_of(item.orientation), want))

    return tuple(sorted(references, key=distance)[:count])
