"""What the model is told of an asset: views of it all round, each with the map of the surface points it shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from hoigen.editing.views import even_views, released_views, view_of
from hoigen.geometry.orientation import Orientation
from hoigen.records import MeshAsset

ELEVATION = float(np.radians(20))
"""Where the views are from: above the asset's horizon, so that its top is known too."""
Y_UP = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]])
"""Our object frame (z up) to that of the released model's point maps (y up, as glTF has it)."""
BACKGROUND = 255
WHITE = 0.12
"""A pixel of a point map shows the asset where some channel is that far from white, of 1. The surface at the asset's
own largest coordinates in all three axes is white too, and is lost."""
SIDES = ('front', 'front left', 'left', 'back left', 'back', 'back right', 'right', 'front right')
"""From where an object is seen, by azimuth in steps of 45 degrees from its front (+x) towards its left (+y)."""
HEIGHTS = ((-10.0, 'from below'), (25.0, 'level'), (45.0, 'from above'), (90.0, 'from high above'))
"""How high the viewer is: up to so many degrees of elevation."""


@dataclass(frozen=True, eq=False)
class PointCode:
    """Places on an asset as colours: its box is the colour cube (NOCS), the background white.

    low, high: [3] float64, the box about the asset in the asset's frame, metres.
    """

    low: np.ndarray
    high: np.ndarray

    def encode(self, points: np.ndarray) -> np.ndarray:
        """[...,3] uint8 of places [...,3] in the asset's frame, NaN where the asset is not."""
        low, span = self._box()
        share = (np.asarray(points, np.float64) @ Y_UP.T - low) / span
        known = np.isfinite(share).all(-1, keepdims=True)
        return np.where(known, np.clip(share, 0, 1) * 255 + 0.5, BACKGROUND).astype(np.uint8)

    def decode(self, picture: np.ndarray) -> np.ndarray:
        """Places [...,3] float32 in the asset's frame, NaN where the picture [...,3] uint8 shows no asset."""
        low, span = self._box()
        share = picture.astype(np.float64) / 255
        points = (share * span + low) @ Y_UP
        return np.where(is_asset(picture)[..., None], points, np.nan).astype(np.float32)

    def _box(self) -> tuple[np.ndarray, np.ndarray]:
        """The lower corner and the extents of the box, y up; an extent of a flat asset is not zero."""
        corners = np.stack([self.low, self.high]) @ Y_UP.T
        return corners.min(0), np.maximum(np.ptp(corners, axis=0), 1e-9)


def is_asset(picture: np.ndarray) -> np.ndarray:
    """[...] bool: where a point map [...,3] uint8 shows the asset."""
    return picture.min(-1) < 255 * (1 - WHITE)


def code_of(mesh: MeshAsset) -> PointCode:
    return PointCode(mesh.vertices.min(0).astype(np.float64), mesh.vertices.max(0).astype(np.float64))


@dataclass(frozen=True, eq=False)
class AssetViews:
    """rgb, points: [N,S,S,3] uint8, pictures of an asset on white and their point maps as colours."""

    rgb: np.ndarray
    points: np.ndarray


def asset_views(mesh: MeshAsset, count: int, size: int, views_as: Literal['even', 'released'] = 'even') -> AssetViews:
    """Views [size,size] from ``count`` directions at equal angles, or as the released adapters have them, 8."""
    code = code_of(mesh)
    if views_as == 'released':
        views = released_views(mesh, count, size)
    else:
        views = [view_of(mesh, orientation, size) for orientation in even_views(count, ELEVATION)]
    return AssetViews(np.stack([view.rgb for view in views]), np.stack([code.encode(view.points) for view in views]))


def describe(caption: str, orientation: Orientation) -> str:
    """A caption that says from where: 'a red mug seen from the front left, from above'."""
    side = SIDES[round(np.degrees(orientation.azimuth) / 45) % 8]
    height = next(name for limit, name in HEIGHTS if np.degrees(orientation.elevation) <= limit)
    return f'{caption} seen from the {side}, {height}'
