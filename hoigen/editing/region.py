"""The square part of a picture that a model works on: cut out at its size, put back without a seam."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

MARGIN = 1.55
"""The region's side, in sides of the box about what is to be painted."""
LEAST = 24
"""The smallest side of a region, pixels of the frame."""


@dataclass(frozen=True)
class Region:
    """A square of a frame [left, top, left+side, top+side) in pixels, which may reach over the frame's border, and the
    side ``size`` of the model's picture."""

    left: int
    top: int
    side: int
    size: int

    def cut(self, picture: np.ndarray, fill: float | None = None) -> np.ndarray:
        """The region at the model's size, of a picture [H,W] or [H,W,3].

        Colours are averaged, and continued over the border; masks (bool) and depth (float32) take the nearest pixel,
        beyond the border ``fill``.
        """
        exact = picture.dtype != np.uint8
        source = picture.astype(np.uint8) if picture.dtype == bool else picture
        pad = [
            max(0, -self.top),
            max(0, self.top + self.side - picture.shape[0]),
            max(0, -self.left),
            max(0, self.left + self.side - picture.shape[1]),
        ]
        if any(pad):
            border = cv2.BORDER_CONSTANT if exact else cv2.BORDER_REPLICATE
            source = cv2.copyMakeBorder(source, *pad, border, value=0.0 if fill is None else fill)
        top, left = self.top + pad[0], self.left + pad[2]
        piece = source[top : top + self.side, left : left + self.side]
        smooth = cv2.INTER_AREA if self.side > self.size else cv2.INTER_LINEAR
        piece = cv2.resize(piece, (self.size, self.size), interpolation=cv2.INTER_NEAREST_EXACT if exact else smooth)
        return piece.astype(picture.dtype)

    def detail(self, picture: np.ndarray) -> np.ndarray:
        """[side,side,3] float32: what of a picture [H,W,3] uint8 is too fine for the model's size."""
        whole = Region(self.left, self.top, self.side, self.side).cut(picture).astype(np.float32)
        return whole - self._grown(self.cut(picture))

    def paste(
        self,
        frame: np.ndarray,
        painted: np.ndarray,
        share: np.ndarray,
        detail: np.ndarray | None = None,
    ) -> np.ndarray:
        """A frame [H,W,3] uint8 with the model's picture [size,size,3] uint8, and ``detail`` over it, put in by the
        shares [H,W] in [0, 1]."""
        piece = self._grown(painted)
        if detail is not None:
            piece = np.clip(piece + detail, 0, 255)
        whole = frame.copy()
        rows = slice(max(0, self.top), min(frame.shape[0], self.top + self.side))
        columns = slice(max(0, self.left), min(frame.shape[1], self.left + self.side))
        inner = piece[
            rows.start - self.top : rows.stop - self.top, columns.start - self.left : columns.stop - self.left
        ]
        weight = share[rows, columns, None].astype(np.float32)
        mixed = weight * inner + (1 - weight) * frame[rows, columns].astype(np.float32)
        whole[rows, columns] = np.clip(mixed.round(), 0, 255)
        return whole

    def _grown(self, painted: np.ndarray) -> np.ndarray:
        """The model's picture at the frame's scale, [side,side,3] float32."""
        smooth = cv2.INTER_AREA if self.side < self.size else cv2.INTER_CUBIC
        return cv2.resize(painted, (self.side, self.side), interpolation=smooth).astype(np.float32)


def region_of(mask: np.ndarray, size: int) -> Region:
    """The region about a mask [H,W] bool with something in it, moved inside the frame where it fits there, and about
    all of it where it does not."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    extent = max(rows[-1] - rows[0], columns[-1] - columns[0]) + 1
    side = max(LEAST, round(MARGIN * extent))
    corner = []
    for found, length in ((columns, mask.shape[1]), (rows, mask.shape[0])):
        first = round((found[0] + found[-1] + 1 - side) / 2)
        corner.append(min(max(first, min(0, length - side)), max(0, length - side)))
    return Region(corner[0], corner[1], side, size)
