"""Contact of hand and object from their surface samples."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from hoigen.conventions import HAND, OBJECT, ROLE_CODE


def point_contact(
    points: np.ndarray, corners: np.ndarray, role: np.ndarray, spacing_m: np.ndarray, distance_m: float
) -> np.ndarray:
    """[N] bool: samples of the hand within ``distance_m`` of the object's surface, and the reverse.

    points: [N,3] world. corners: [N,3,3] world corners of their triangles. role: [N] codes. spacing_m: [N] distance
    of a sample to its neighbours. A surface is taken as a flat disc around each of its samples, as wide as the
    spacing, so that contact does not depend on how densely a large object is sampled.
    """
    contact = np.zeros(len(points), bool)
    rows = [np.flatnonzero(role == ROLE_CODE[name]) for name in (HAND, OBJECT)]
    if not all(len(r) for r in rows):
        return contact
    widest = distance_m + max(spacing_m[r].max() for r in rows)
    low = np.max([points[r].min(axis=0) for r in rows], axis=0) - widest
    high = np.min([points[r].max(axis=0) for r in rows], axis=0) + widest  # the box that both parties reach into
    near = [r[((points[r] >= low) & (points[r] <= high)).all(axis=1)] for r in rows]
    for mine, theirs in (near, near[::-1]):
        if len(mine) and len(theirs):
            _, found = cKDTree(points[theirs]).query(points[mine], distance_upper_bound=widest)
            mine, found = mine[found < len(theirs)], theirs[found[found < len(theirs)]]
            gap = points[mine] - points[found]
            above = np.abs((gap * _normals(corners[found])).sum(axis=1))
            beside = np.sqrt(np.maximum((gap**2).sum(axis=1) - above**2, 0))
            contact[mine] = (above <= distance_m) & (beside <= spacing_m[found])
    return contact


def _normals(corners: np.ndarray) -> np.ndarray:
    """Unit normals [N,3] of triangles with corners [N,3,3]; 0 where a triangle has no area."""
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), np.finfo(float).tiny)
