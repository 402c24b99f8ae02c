"""Camera motion of an RGB-D recording, from what does not move in it."""

from __future__ import annotations

import cv2
import numpy as np

from hoigen.compiling import numba
from hoigen.perception.records import Flow, Geometry, PerceptionError
from hoigen.perception.tracking.rigid_features import corners_of
from hoigen.perception.tracking.rigid_motion import LEAST_POINTS, View, follow_rigid
from hoigen.records import Camera, Footage

HALF_TRUST = 0.01
"""Depth whose noise is this part of it has a confidence of one half."""


def depth_confidence(depth_m: np.ndarray) -> np.ndarray:
    """[H,W] float32 in [0, 1] of depth [H,W], NaN unknown: 0 where unknown, less beside holes, at edges, in noise.

    The noise is what neighbouring inverse depths leave a plane by, so it needs no model of the sensor; at the edge of
    a surface, where a pixel may show a mixture, it is the step.
    """
    confidence = np.zeros(depth_m.shape, np.float32)
    _confidence(depth_m, HALF_TRUST, confidence)
    return confidence


@numba.njit(cache=True, nogil=True, error_model='numpy')
def _confidence(depth_m: np.ndarray, half: float, confidence: np.ndarray) -> None:
    height, width = depth_m.shape
    for row in range(height):
        for column in range(width):
            z = depth_m[row, column]
            if not z > 0:
                continue
            known, pairs, folds = 0, 0, 0.0
            for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)):
                inside = 0
                sides = 0.0
                for way in (-1, 1):
                    r, c = row + way * down, column + way * right
                    if 0 <= r < height and 0 <= c < width and depth_m[r, c] > 0:
                        inside += 1
                        sides += z / depth_m[r, c]
                known += inside
                if inside == 2:
                    pairs += 1
                    folds += (sides / 2 - 1) ** 2
            if pairs:
                noise = folds / pairs / 1.5 / (half * half)  # half the sum of two and one has 1.5 times the variance
                confidence[row, column] = known / 8 / (1 + noise)


CELL_PX = 16
"""One corner, the best, is taken from each square cell of this size, so that they cover the picture."""

TRUSTED = 0.5
"""Depth of at least this confidence is used to find the camera's motion."""


def measured_geometry(footage: Footage, flow: Flow) -> Geometry:
    """Cameras and measured depth of an RGB-D recording; what moves may cover up to about half of the corners.

    Still cameras come out exactly still (:func:`~hoigen.perception.tracking.rigid_motion.follow_rigid`).
    A frame that cannot be placed keeps the pose before it, at the start that of the first that can, and its depth is
    unknown. Raises :class:`PerceptionError`
    without depth or K, or if less than half of the frames can be placed.
    """
    K, depth_m = _calibrated(footage)
    confidence = np.stack([depth_confidence(depth) for depth in depth_m])
    everywhere = np.ones(depth_m.shape[1:], bool)
    views = [
        View(t, cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), depth_m[t], everywhere, confidence[t] >= TRUSTED)
        for t, rgb in enumerate(footage.rgb)
    ]
    begin = next(
        (view.number for view in views if len(corners_of(view.grey, view.trusted, CELL_PX)) >= LEAST_POINTS), 0
    )
    poses = follow_rigid(K, views[begin:], flow, CELL_PX)
    placed = np.array([t in poses for t in range(len(views))])
    if placed.sum() * 2 < len(views) and len(views) > 1:
        raise PerceptionError(
            f'camera motion: expected at least half of {len(views)} frames to show {LEAST_POINTS} '
            f'corners of a rigid scene with depth, got {placed.sum()}'
        )
    height, width = depth_m.shape[1:]
    cameras = tuple(Camera(K, width, height, pose) for pose in _held(poses, len(views)))
    depth_m[~placed], confidence[~placed] = np.nan, 0
    return Geometry(cameras, depth_m, confidence, 'measured depth', metric=True)


def _calibrated(footage: Footage) -> tuple[np.ndarray, np.ndarray]:
    if footage.depth_m is None or not np.isfinite(footage.depth_m).any():
        what = 'no depth' if footage.depth_m is None else 'depth that is unknown everywhere'
        raise PerceptionError(f'geometry: expected a recording with measured depth, got {what}')
    if footage.K is None:
        raise PerceptionError("geometry: expected the camera's intrinsics K with the depth, got none")
    return footage.K, np.where(np.isfinite(footage.depth_m), footage.depth_m, np.float32(np.nan))


def _held(poses: dict[int, np.ndarray], frames: int) -> list[np.ndarray]:
    """T_world_cam of every frame: its own or the one before; at the start the first there is."""
    kept = [poses[min(poses)]]
    for t in range(frames):
        kept.append(poses.get(t, kept[-1]))
    return kept[1:]
