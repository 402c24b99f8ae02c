"""How far a measured depth can be trusted, told from the depths around it."""

from __future__ import annotations

import numpy as np

from hoigen.compiling import numba

__all__ = ['depth_confidence']

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
