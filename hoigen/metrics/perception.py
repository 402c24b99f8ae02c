"""How near what was perceived is to the truth: masks, depth, point maps, cameras, tracks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hoigen.geometry.alignment import Similarity
from hoigen.geometry.transforms import angle_between

TRACK_MM = (5.0, 10.0, 20.0, 40.0, 80.0)
TRACK_PX = (1.0, 2.0, 4.0, 8.0, 16.0)
"""A followed point is right within so much; the average Jaccard is the mean over them."""


def mask_iou(found: np.ndarray, true: np.ndarray) -> float:
    """Mean over frames of intersection over union of [T,H,W] bool masks (J of DAVIS); NaN if neither ever has any."""
    inter = np.logical_and(found, true).sum((1, 2))
    union = np.logical_or(found, true).sum((1, 2))
    return float((inter[union > 0] / union[union > 0]).mean()) if union.any() else float('nan')


def absrel(depth: np.ndarray, true: np.ndarray) -> float:
    """Mean of |depth - true| / true where both [T,H,W] are known; NaN where none is."""
    known = np.isfinite(depth) & np.isfinite(true)
    return float((np.abs(depth[known] - true[known]) / true[known]).mean()) if known.any() else float('nan')


def place_errors_mm(places: np.ndarray, true: np.ndarray, carry: Similarity) -> np.ndarray:
    """[N] distances in mm of world places [N,3], carried into the truth's world, to the true ones [N,3] m."""
    return 1000 * np.linalg.norm(carry(places) - true, axis=-1)


def camera_errors(found: Sequence[np.ndarray], true: Sequence[np.ndarray], scale: float) -> tuple[float, float]:
    """Mean rotation error in degrees and translation error in mm of poses ``T_world_cam`` [4,4] relative to the first.

    scale: metres for each unit of what was found.
    """
    turns, ways = [], []
    for a, b in zip(found[1:], true[1:], strict=True):
        motion, wanted = np.linalg.inv(found[0]) @ a, np.linalg.inv(true[0]) @ b
        turns.append(np.degrees(angle_between(motion[:3, :3], wanted[:3, :3])))
        ways.append(1000 * np.linalg.norm(scale * motion[:3, 3] - wanted[:3, 3]))
    return (float(np.mean(turns)), float(np.mean(ways))) if turns else (float('nan'), float('nan'))


def average_jaccard(
    errors: np.ndarray, visible: np.ndarray, true_visible: np.ndarray, thresholds: Sequence[float] = TRACK_MM
) -> float:
    """Mean over thresholds of TP / (TP + FP + FN) of points [T,M] (TAP-Vid; Doersch et al. 2022, section 3).

    A point said and truly visible, nearer to the truth than the threshold, is a true positive; one said visible that is
    hidden or farther is a false positive; one truly visible that is said hidden or is farther, a false negative. NaN if
    no point is visible, said or truly.
    """
    if not (visible | true_visible).any():
        return float('nan')
    scores = []
    for threshold in thresholds:
        near = errors <= threshold
        right = (visible & true_visible & near).sum()
        false = (visible & ~(true_visible & near)).sum()
        missed = (true_visible & ~(visible & near)).sum()
        scores.append(right / (right + false + missed))
    return float(np.mean(scores))
