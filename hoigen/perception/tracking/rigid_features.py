"""Corners that can be found again in other frames: followed from a key frame, or matched where following fails."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

MOST_CORNERS = 900
"""So many corners at most are followed."""

LEAST_CORNER = 1e-6
"""Smallest eigenvalue of the grey gradients (grey in [0, 1]) of what may be called a corner."""

WINDOW_PX = 15
"""Side of the patch that is looked for again."""

FEATURES = 1500
"""So many scale-invariant features are taken from a frame that following did not reach."""

RATIO = 0.8
"""A match must be nearer than the next best by this factor (Lowe 2004)."""


class Matches(NamedTuple):
    """Pixels [N,2] float32 of the same N corners in two frames."""

    before: np.ndarray
    after: np.ndarray


def corners_of(grey: np.ndarray, allowed: np.ndarray, cell_px: int) -> np.ndarray:
    """[N,2] float32: the best corner of each square cell of grey [H,W] uint8 among the ``allowed`` [H,W] bool."""
    strength = np.where(allowed, cv2.cornerMinEigenVal(grey.astype(np.float32) / 255, 5), 0)
    rows, columns = (size // cell_px for size in grey.shape)
    squares = strength[: rows * cell_px, : columns * cell_px].reshape(rows, cell_px, columns, cell_px)
    cells = squares.transpose(0, 2, 1, 3).reshape(rows * columns, -1)
    best, place = cells.max(axis=1, initial=0), cells.argmax(axis=1) if cells.size else np.zeros(0, int)
    order = np.argsort(-best, kind='stable')[:MOST_CORNERS]
    order = order[best[order] > LEAST_CORNER]
    row, column = np.divmod(order, columns) if columns else (order, order)
    inside_row, inside_column = np.divmod(place[order], cell_px)
    return np.column_stack([column * cell_px + inside_column, row * cell_px + inside_row]).astype(np.float32)


def find_again(
    before: np.ndarray, after: np.ndarray, pixels: np.ndarray, guess: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Where the patches around ``pixels`` [N,2] of grey ``before`` lie in ``after`` [N,2] and [N] bool if found."""
    if not len(pixels):
        return guess.copy(), np.zeros(0, bool)
    stop = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 15, 0.01)
    found, status, _ = cv2.calcOpticalFlowPyrLK(
        before,
        after,
        pixels.astype(np.float32)[:, None],
        guess.astype(np.float32)[:, None].copy(),
        winSize=(WINDOW_PX,) * 2,
        maxLevel=1,
        criteria=stop,
        flags=cv2.OPTFLOW_USE_INITIAL_FLOW,
    )
    found = found[:, 0]
    inside = (found >= 0).all(axis=1) & (found <= np.array(after.shape[::-1]) - 1).all(axis=1)
    return found, (status[:, 0] > 0) & inside


def sample_flow(flow: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """[N,2] float32: flow [H,W,2] at pixels [N,2], blended between the four around; the border's beyond it."""
    if not len(pixels):
        return np.zeros((0, 2), np.float32)
    spot = np.ascontiguousarray(pixels, np.float32)
    sampled = cv2.remap(flow, spot[:, None, 0], spot[:, None, 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return sampled[:, 0]


def match_features(before: np.ndarray, after: np.ndarray, shown_before: np.ndarray, shown_after: np.ndarray) -> Matches:
    """Scale-invariant features (Lowe 2004) of what two grey frames show that are each other's best match."""
    search = cv2.SIFT.create(nfeatures=FEATURES)
    found = [
        search.detectAndCompute(grey, shown.astype(np.uint8))
        for grey, shown in ((before, shown_before), (after, shown_after))
    ]
    if min(len(points) for points, _ in found) < 2:
        return Matches(np.zeros((0, 2), np.float32), np.zeros((0, 2), np.float32))
    (points_a, words_a), (points_b, words_b) = found
    matcher = cv2.BFMatcher(cv2.NORM_L2)
    there = {
        m.queryIdx: m.trainIdx for m, n in matcher.knnMatch(words_a, words_b, k=2) if m.distance < RATIO * n.distance
    }
    back = {m.queryIdx: m.trainIdx for m in matcher.match(words_b, words_a)}
    pairs = [(a, b) for a, b in there.items() if back[b] == a]
    return Matches(
        np.array([points_a[a].pt for a, _ in pairs], np.float32).reshape(-1, 2),
        np.array([points_b[b].pt for _, b in pairs], np.float32).reshape(-1, 2),
    )
