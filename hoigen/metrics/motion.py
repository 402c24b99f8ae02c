"""Whether a video moves as its scene does: dense optical flow between its frames against the points' own paths."""

from __future__ import annotations

import cv2
import numpy as np

from hoigen.conventions import ROLE_CODE, SCENE
from hoigen.metrics.expected import Expected

TOLERANCE_PX, TOLERANCE_PART = 1.0, 0.1
"""The flow at a point agrees with its path when it ends no farther from it than the larger of these: pixels, and a
part of the path's length."""

CLEARER = 4.0
"""One of two displacements explains a point's surroundings better when its colours fit better by this (of 255)."""

FITS = 40.0
"""Colours that differ by more than this (of 255) on average do not show the same piece of a surface."""

RADIUS = 3
"""Of the square around a point that is compared, in pixels."""

FEWEST = 0.05
"""Moving, or resting, points are judged apart when they are at least this part of the points that are seen."""

FOLLOWED = 0.25
"""At least this part of them must be judged: a surface on which no motion can be seen does not follow the scene."""

_DOWN, _RIGHT = (offset.ravel().astype(np.float32) for offset in np.mgrid[-RADIUS : RADIUS + 1, -RADIUS : RADIUS + 1])


def motion_fidelity(frames: np.ndarray, expected: Expected) -> np.ndarray:
    """[T] float32 in [0, 1]: part of the points of hand and object that move from the frame before as their scene does.

    frames: [T,H,W,3] uint8. A point that is seen in both frames agrees when the optical flow
    (DIS) at it is its own displacement; where flow and displacement differ, the one that fits the colours around the
    point better is right. Where both fit them equally well (a plain surface), the point is not judged. Points that
    should move and points that should rest count half each. Frame 0 has the score of the step after it. NaN for a step
    without such points, and for a clip of one frame.
    """
    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames]
    smooth = [cv2.GaussianBlur(frame, (3, 3), 0) for frame in frames]
    dense = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    dense.setFinestScale(0)
    scores = [
        _step(dense.calc(grey[t], grey[t + 1], None), smooth[t : t + 2], expected, t) for t in range(len(frames) - 1)
    ]
    return np.asarray(scores[:1] + scores if scores else [np.nan], np.float32)


def _step(flow: np.ndarray, pictures: list[np.ndarray], expected: Expected, t: int) -> float:
    """The score of the step from frame t to frame t+1."""
    seen = (expected.point_visible[t : t + 2].all(axis=0)) & (expected.point_role != ROLE_CODE[SCENE])
    if not seen.any():
        return np.nan
    before, after = expected.point_pixels[t][seen], expected.point_pixels[t + 1][seen]
    path, found = after - before, _at(flow, before)
    length = np.linalg.norm(path, axis=1)
    near = np.linalg.norm(found - path, axis=1) <= np.maximum(TOLERANCE_PX, TOLERANCE_PART * length)
    role = expected.point_role[seen][:, None]
    own = (_around(expected.mask[t], before, cv2.INTER_NEAREST) == role) & (
        _around(expected.mask[t + 1], after, cv2.INTER_NEAREST) == role
    )
    by_path, by_flow = (_difference(pictures, before, before + way, own) for way in (path, found))
    gain, fits = by_flow - by_path, by_path <= FITS
    agrees = (near | (gain > CLEARER)) & fits
    judged = near | (abs(gain) > CLEARER) | ~fits
    return _balanced(agrees, judged, length > TOLERANCE_PX)


def _balanced(agrees: np.ndarray, judged: np.ndarray, moves: np.ndarray) -> float:
    """Mean of the shares of moving and of resting points that agree, of those that there are enough of."""
    shares = [
        (agrees & of).sum() / max((judged & of).sum(), FOLLOWED * of.sum())
        for of in (moves, ~moves)
        if of.sum() >= FEWEST * len(moves)
    ]
    return float(np.mean(shares))


def _difference(pictures: list[np.ndarray], before: np.ndarray, after: np.ndarray, own: np.ndarray) -> np.ndarray:
    """[N] mean difference of the colours around two places, in their largest channel, over their ``own`` surface."""
    first, second = (
        _around(picture, places, cv2.INTER_LINEAR).astype(np.float32)
        for picture, places in zip(pictures, (before, after), strict=True)
    )
    return (abs(first - second).max(-1) * own).sum(1) / np.maximum(own.sum(1), 1)


def _around(picture: np.ndarray, places: np.ndarray, interpolation: int) -> np.ndarray:
    """[N,K] or [N,K,3]: the picture in the square around each place (u, v); its edge goes on beyond it."""
    return cv2.remap(
        picture, places[:, :1] + _RIGHT, places[:, 1:] + _DOWN, interpolation, borderMode=cv2.BORDER_REPLICATE
    )


def _at(field: np.ndarray, places: np.ndarray) -> np.ndarray:
    """[N,2] of a field [H,W,2] at places (u, v)."""
    return cv2.remap(field, places[:, :1], places[:, 1:], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[:, 0]
