"""What the pictures themselves say of followed points: a measurement that no place, camera or depth took part in."""

from __future__ import annotations

import cv2
import numpy as np

from hoigen.perception.records import Tracks
from hoigen.perception.rigid_features import find_again
from hoigen.records import Footage

__all__ = ['found_again']

RETURN_PX = 0.5
"""A patch that is found must lead back to where it was to this many pixels."""


def found_again(footage: Footage, tracks: Tracks, which: np.ndarray) -> np.ndarray:
    """[T,M,2] float32: where the pictures show the patch around a point's pixel in its query frame, NaN where not.

    which: [M] bool, the points that are looked for, in every other frame that is said to show them, from where they
    are said to be. Points on plain surfaces are rarely found. How far a standing point is found from its pixel is the
    reprojection error of cameras and depth.
    """
    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in footage.rgb]
    pixels = np.full_like(tracks.pixels, np.nan)
    for q in np.unique(tracks.query[which]):
        for t in range(len(grey)):
            rows = np.flatnonzero(which & (tracks.query == q) & tracks.visible[t])
            if t != q and len(rows):
                start = tracks.pixels[q, rows]
                there, ok = find_again(grey[q], grey[t], start, tracks.pixels[t, rows])
                back, returned = find_again(grey[t], grey[q], there, start)
                ok &= returned & (np.linalg.norm(back - start, axis=1) <= RETURN_PX)
                pixels[t, rows[ok]] = there[ok]
    return pixels
