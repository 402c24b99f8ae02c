"""Rigid and similarity transforms that carry one set of points onto another."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Similarity(NamedTuple):
    """``x -> scale * rotation @ x + translation``; rotation [3,3] float64, translation [3]."""

    scale: float
    rotation: np.ndarray
    translation: np.ndarray

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Points [...,3] carried over, float64."""
        return self.scale * points @ self.rotation.T + self.translation


def align(
    points: np.ndarray, onto: np.ndarray, weights: np.ndarray | None = None, *, scaled: bool = True
) -> Similarity:
    """The least-squares transform of points [N,3] onto [N,3], N >= 3, weights [N] >= 0 (Umeyama 1991).

    scaled: with a scale; without, it is rigid. Points on one line leave the turn about it open.
    """
    weights = np.ones(len(points)) if weights is None else weights
    if len(points) < 3 or not weights.sum() > 0:
        raise ValueError(f'points: expected at least 3 with weights, got {len(points)} of weight {weights.sum():.3g}')
    share = weights / weights.sum()
    centre, centre_onto = share @ points, share @ onto
    a, b = points - centre, onto - centre_onto
    u, spread, vt = np.linalg.svd((share[:, None] * b).T @ a)
    signs = np.array([1.0, 1.0, np.sign(np.linalg.det(u) * np.linalg.det(vt))])
    rotation = (u * signs) @ vt
    scale = float(spread @ signs / (share @ (a**2).sum(1))) if scaled else 1.0
    return Similarity(scale, rotation, centre_onto - scale * rotation @ centre)
