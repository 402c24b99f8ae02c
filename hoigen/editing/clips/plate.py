"""A clip without its object: what the object hid is carried from frames that show it, before anything is invented."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from hoigen.conventions import OBJECT, ROLE_CODE, SCENE
from hoigen.editing.clips.recorded import Recorded, pixels_of
from hoigen.geometry.camera import pixel_grid, unproject
from hoigen.geometry.meshes import mesh_table
from hoigen.geometry.raster import Raster, rasterise
from hoigen.geometry.surface import barycentric

RIM = 2
"""Pixels about an object that its picture is mixed into, by lens and compression: they are taken away with it."""
SAME = 0.01
"""A place is what a pixel of another frame shows if their depths differ by no larger part."""


@dataclass(frozen=True, eq=False)
class Plate:
    """One frame without the object. rgb: [H,W,3] uint8. depth_m: [H,W] float32, NaN unknown. hidden: [H,W] bool, what
    the object hid, with its rim; carried: [H,W] bool, the part of that which another frame showed."""

    rgb: np.ndarray
    depth_m: np.ndarray
    hidden: np.ndarray
    carried: np.ndarray


def plates_of(recorded: Recorded) -> Callable[[int], Plate]:
    """What gives frame t without its object: pixels of unknown colour (hidden, not carried) are black.

    With meshes, every surface point behind the object, of scene or hand, is looked up where it is seen in the frames
    nearest in time; its depth is exact. In footage the scene is still, so that what other frames measured of it is
    carried; what is behind the object and was never seen has no depth.
    """
    return _OfMeshes(recorded).plate if recorded.assets else _OfFootage(recorded).plate


def hidden_by_object(mask: np.ndarray) -> np.ndarray:
    """[H,W] bool: the object's pixels and those about them that do not show the hand."""
    own = mask == ROLE_CODE[OBJECT]
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * RIM + 1, 2 * RIM + 1))
    wide = cv2.dilate(own.astype(np.uint8), kernel) > 0
    return own | (wide & (mask == ROLE_CODE[SCENE]))


def _others(t: int, frames: int) -> Iterator[int]:
    """All other frames, the nearest in time first."""
    yield from sorted((s for s in range(frames) if s != t), key=lambda s: (abs(s - t), s))


class _OfMeshes:
    def __init__(self, recorded: Recorded) -> None:
        self.clip, self.table = recorded.clip, mesh_table(recorded.assets)
        self.of_object = self.table.roles[self.table.triangle_asset] == ROLE_CODE[OBJECT]
        self.world = [self.table.posed(places.poses, places.vertices) for places in recorded.mesh_frames]
        self.pictures: dict[int, Raster] = {}

    def plate(self, t: int) -> Plate:
        clip, rest = self.clip, np.flatnonzero(~self.of_object)
        picture = rasterise(clip.cameras[t], self.world[t], self.table.triangles[rest])
        triangle = np.append(rest, -1)[picture.triangle]
        depth = np.where(triangle >= 0, picture.depth_m, np.float32(np.inf))
        hidden = hidden_by_object(clip.mask[t])
        rgb, carried = np.where(hidden[..., None], np.uint8(0), clip.rgb[t]), np.zeros_like(hidden)
        row, column = np.nonzero(hidden & (triangle >= 0))
        shown = triangle[row, column]
        places = unproject(clip.cameras[t], np.stack([column, row], 1).astype(float), depth[row, column])
        weights = barycentric(places, self.world[t][self.table.triangles[shown]])
        for s in _others(t, len(clip.cameras)):
            if not len(row):
                break
            found, colours = self._look_up(s, shown, weights)
            rgb[row[found], column[found]], carried[row[found], column[found]] = colours, True
            row, column, shown, weights = row[~found], column[~found], shown[~found], weights[~found]
        return Plate(rgb, depth.astype(np.float32), hidden, carried)

    def _look_up(self, s: int, triangle: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Which of the places [n] frame s shows, [n] bool, and those ones' colours."""
        clip, table = self.clip, self.table
        places = np.einsum('nk,nkx->nx', weights, self.world[s][table.triangles[triangle]])
        row, column, depth, inside = pixels_of(clip.cameras[s], places)
        if s not in self.pictures:
            self.pictures[s] = rasterise(clip.cameras[s], self.world[s], table.triangles)
        picture, clean = self.pictures[s], ~hidden_by_object(clip.mask[s])
        seen = picture.triangle[row, column]
        same = (seen >= 0) & (table.triangle_asset[seen] == table.triangle_asset[triangle])
        found = inside & same & clean[row, column] & (np.abs(picture.depth_m[row, column] - depth) <= SAME * depth)
        return found, clip.rgb[s, row[found], column[found]]


class _OfFootage:
    def __init__(self, recorded: Recorded) -> None:
        self.clip = recorded.clip
        kernel = np.ones((2 * RIM + 1, 2 * RIM + 1), np.uint8)
        self.scene = [cv2.erode((mask == ROLE_CODE[SCENE]).astype(np.uint8), kernel) > 0 for mask in self.clip.mask]

    def plate(self, t: int) -> Plate:
        clip, hidden = self.clip, hidden_by_object(self.clip.mask[t])
        rgb = np.where(hidden[..., None], np.uint8(0), clip.rgb[t])
        depth, carried = np.where(hidden, np.float32(np.nan), clip.depth_m[t]), np.zeros_like(hidden)
        for s in _others(t, len(clip.cameras)):
            if not (hidden & ~carried).any():
                break
            colours, places = self._carry(s, t)
            take = hidden & ~carried & np.isfinite(places)
            rgb[take], depth[take], carried[take] = colours[take], places[take], True
        return Plate(rgb, depth.astype(np.float32), hidden, carried)

    def _carry(self, s: int, t: int) -> tuple[np.ndarray, np.ndarray]:
        """Frame s's scene as camera t sees it: colours [H,W,3] uint8 and depth [H,W], NaN where it shows nothing."""
        clip, camera = self.clip, self.clip.cameras[s]
        use = self.scene[s] & np.isfinite(clip.depth_m[s])
        pixels = pixel_grid(camera.width, camera.height)[use]
        row, column, depth, inside = pixels_of(clip.cameras[t], unproject(camera, pixels, clip.depth_m[s][use]))
        colours, found = clip.rgb[s][use][inside], np.full(clip.mask.shape[1:], np.nan, np.float32)
        carried = np.zeros_like(clip.rgb[t])
        order = np.argsort(-depth[inside], kind='stable')  # the nearest is written last
        row, column = row[inside][order], column[inside][order]
        carried[row, column], found[row, column] = colours[order], depth[inside][order]
        return carried, found
