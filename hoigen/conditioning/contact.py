"""Contact of hand and object from their surface samples."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

__all__ = ['point_contact']


def point_contact(points: np.ndarray, role: np.ndarray, hand: int, other: int, distance_m: float) -> np.ndarray:
    """[N] bool: samples of role ``hand`` within ``distance_m`` of one of role ``other``, and the reverse."""
    contact = np.zeros(len(points), bool)
    rows = [np.flatnonzero(role == code) for code in (hand, other)]
    if not all(len(r) for r in rows):
        return contact
    low, high = (np.max([edge(points[r], axis=0) * sign for r in rows], axis=0) * sign
                 for edge, sign in ((np.min, 1), (np.max, -1)))  # the box that both parties reach into
    near = [r[((points[r] >= low - distance_m) & (points[r] <= high + distance_m)).all(axis=1)] for r in rows]
    for mine, theirs in (near, near[::-1]):
        if len(mine) and len(theirs):
            gap, _ = cKDTree(points[theirs]).query(points[mine], distance_upper_bound=distance_m)
            contact[mine] = gap <= distance_m
    return contact
