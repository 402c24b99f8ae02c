"""The centre of a clip's pictures at another size, with cameras that fit."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from hoigen.geometry.camera import crop_camera, resize_camera
from hoigen.records import Camera

SLOPE_FOOTPRINTS = 4.0
"""Neighbouring depths that differ by more pixel sizes than this may lie on two surfaces and are not blended."""


@dataclass(frozen=True)
class View:
    """The part ``[top:top+rows, left:left+columns]`` of a picture, shown at ``width`` x ``height``."""

    left: int
    top: int
    columns: int
    rows: int
    width: int
    height: int

    def camera(self, camera: Camera) -> Camera:
        cropped = crop_camera(camera, self.left, self.top, self.columns, self.rows)
        return resize_camera(cropped, self.width, self.height)

    def picture(self, rgb: np.ndarray) -> np.ndarray:
        """[height,width,...] of the same dtype, each pixel the mean of what it covers; [H,W,3] or [H,W]."""
        shrinks = self.width <= self.columns and self.height <= self.rows
        part = np.ascontiguousarray(rgb[self.top : self.top + self.rows, self.left : self.left + self.columns])
        return cv2.resize(
            part, (self.width, self.height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        )

    def codes(self, codes: np.ndarray) -> np.ndarray:
        """[T,height,width] codes of the nearest pixels of [T,H,W]."""
        (row, _, _), (column, _, _) = self._places()
        return codes[:, row[:, None], column]

    def depth(self, depth_m: np.ndarray, mask: np.ndarray, focal: float) -> np.ndarray:
        """[T,height,width] depth at the new pixel centres, of depth and role codes [T,H,W] with ``focal`` in pixels.

        Inverse depth is affine across a plane's picture, so it is blended between the four pixels around, which is
        exact on planes; where these may lie on several surfaces the nearest pixel's depth is taken.
        """
        if (self.columns, self.rows) == (self.width, self.height):  # no pixel lies between others
            return depth_m[:, self.top : self.top + self.rows, self.left : self.left + self.columns]
        (row, above, down), (column, before, right) = self._places()
        around = [(slice(None), r[:, None], c) for r in (above, above + 1) for c in (before, before + 1)]
        corners = [depth_m[place] for place in around]
        down, right = down[:, None], right[None]
        weights = ((1 - down) * (1 - right), (1 - down) * right, down * (1 - right), down * right)
        nearest = depth_m[:, row[:, None], column]
        with np.errstate(invalid='ignore', divide='ignore'):
            blended = (1 / sum(w / d for w, d in zip(weights, corners, strict=True))).astype(np.float32)
            smooth = np.maximum.reduce(corners) <= np.minimum.reduce(corners) * (1 + SLOPE_FOOTPRINTS / focal)
        smooth &= np.logical_and.reduce([mask[place] == mask[around[0]] for place in around])
        return np.where(smooth, blended, nearest)

    def _places(self) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """For rows, then columns: nearest pixel, the pixel before (which has one after it) and the part beyond it."""
        places = []
        for start, size, wanted in ((self.top, self.rows, self.height), (self.left, self.columns, self.width)):
            place = (np.arange(wanted) + 0.5) * (size / wanted) - 0.5
            before = np.clip(np.floor(place), 0, max(size - 2, 0)).astype(np.int64)
            nearest = np.clip(np.floor(place + 0.5), 0, size - 1).astype(np.int64)
            places.append((nearest + start, before + start, np.clip(place - before, 0, 1).astype(np.float32)))
        return places


def centre_view(camera: Camera, width: int, height: int) -> View:
    """The largest centred part of the camera's picture that has the aspect of ``width`` x ``height``."""
    return centre_of(camera.width, camera.height, width, height)


def centre_of(across: int, down: int, width: int, height: int) -> View:
    """As :func:`centre_view`, of a picture of ``across`` x ``down`` pixels."""
    columns = min(across, max(1, round(down * width / height)))
    rows = min(down, max(1, round(across * height / width)))
    return View((across - columns) // 2, (down - rows) // 2, columns, rows, width, height)
