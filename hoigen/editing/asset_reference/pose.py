"""An object's 6DoF pose from the point map of its picture: perspective-n-point, robust to what is wrong in the map."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from hoigen.geometry.transforms import apply, rigid

LEAST = 24
"""Fewer pixels of an object do not tell its pose."""
LEAST_SHARE = 0.5
"""A pose that fewer of the object's pixels agree with is not one."""
TRIES = 400
VIEWS_DEG = (12.0, 20.0, 30.0, 45.0, 60.0)
"""How wide a generated picture's view may be: it has no camera of its own."""
REACH = 0.05
"""A pixel agrees with a pose that puts its point so near, as a share of the picture's side: 3 pixels of a small model,
whose maps are that rough. How well a pose fits is told with it."""


@dataclass(frozen=True, eq=False)
class FoundPose:
    """T_cam_object: [4,4] float64. residual_px: median distance of the object's pixels from where the pose puts their
    points. share: of those pixels that agree with the pose."""

    T_cam_object: np.ndarray
    residual_px: float
    share: float


def plain_camera(size: int, view_deg: float = 45.0) -> np.ndarray:
    """Intrinsics [3,3] of a picture [size,size] with a view so wide, degrees."""
    focal = size / 2 / np.tan(np.radians(view_deg) / 2)
    return np.array([[focal, 0, (size - 1) / 2], [0, focal, (size - 1) / 2], [0, 0, 1.0]])


def find_view(points: np.ndarray, seed: int = 0) -> tuple[np.ndarray, FoundPose | None]:
    """Intrinsics [3,3] and pose that fit the points [S,S,3] of a picture best, of a few widths of view.

    How far away the object is depends on that width, which weak perspective hardly tells; its orientation does not.
    Without a pose the intrinsics are NaN.
    """
    best, K = None, np.full((3, 3), np.nan)
    for view_deg in VIEWS_DEG:
        tried = plain_camera(points.shape[0], view_deg)
        found = find_pose(points, tried, seed)
        if found is not None and (best is None or found.residual_px < best.residual_px):
            best, K = found, tried
    return K, best


def find_pose(points: np.ndarray, K: np.ndarray, seed: int = 0) -> FoundPose | None:
    """The pose that puts the points [H,W,3] (object frame, metres, NaN where the object is not) at their pixels.

    None where the map does not tell one: too few pixels, points of no extent, or no pose that half of them agree with.
    """
    rows, columns = np.nonzero(np.isfinite(points).all(-1))
    if len(rows) < LEAST:
        return None
    places = points[rows, columns].astype(np.float64)
    pixels = np.stack([columns, rows], 1).astype(np.float64)
    if np.linalg.svd(places - places.mean(0), compute_uv=False)[1] < 1e-9:  # a point or a line
        return None
    cv2.setRNGSeed(seed % 2**31)
    try:
        found, turn, shift, inliers = cv2.solvePnPRansac(
            places,
            pixels,
            K,
            None,
            iterationsCount=TRIES,
            reprojectionError=REACH * points.shape[1],
            confidence=0.999,
            flags=cv2.SOLVEPNP_SQPNP,
        )
        if not found or inliers is None or len(inliers) < max(LEAST, LEAST_SHARE * len(rows)):
            return None
        good = inliers[:, 0]
        turn, shift = cv2.solvePnPRefineLM(places[good], pixels[good], K, None, turn, shift)
    except cv2.error:  # points of no extent, whatever it calls them
        return None
    pose = rigid(Rotation.from_rotvec(turn[:, 0]).as_matrix(), shift[:, 0])
    seen = apply(pose, places)
    if (seen[:, 2] <= 0).any():
        return None
    image = seen @ K.T
    apart = np.linalg.norm(image[:, :2] / image[:, 2:] - pixels, axis=1)
    return FoundPose(pose, float(np.median(apart)), float((apart <= REACH * points.shape[1]).mean()))
