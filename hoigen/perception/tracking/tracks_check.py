"""What the pictures themselves say of followed points: a measurement that no place, camera or depth took part in."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from hoigen.conventions import ROLE_CODE, SCENE
from hoigen.geometry.camera import project
from hoigen.perception.records import Geometry, Tracks
from hoigen.perception.tracking.rigid_features import find_again
from hoigen.records import Footage

__all__ = ['found_again', 'scene_reprojection_px']

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


def scene_reprojection_px(footage: Footage, tracks: Tracks, geometry: Geometry) -> tuple[float, float]:
    """How well depth and the cameras' motion explain what stands still, by the pictures alone.

    The median distance in pixels between where the scene's points project to and where the pictures show them, NaN
    where nothing is found again, and the share that was found, which needs texture.
    """
    scene = tracks.instance == ROLE_CODE[SCENE]
    if tracks.places is None or not scene.any():
        return float('nan'), 0.0
    expected = np.stack(
        [project(camera, places)[0] for camera, places in zip(geometry.cameras, tracks.places, strict=True)]
    ).astype(np.float32)
    chosen = tracks.query, np.arange(len(scene))
    expected[chosen] = tracks.pixels[chosen]
    misses = np.linalg.norm(found_again(footage, replace(tracks, pixels=expected), scene) - expected, axis=-1)
    misses, looked = misses[np.isfinite(misses)], tracks.visible[:, scene].sum() - scene.sum()
    return (float(np.median(misses)), float(len(misses) / looked)) if len(misses) else (float('nan'), 0.0)
