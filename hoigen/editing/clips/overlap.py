"""How far a hand reaches into an object: a counterfactual may put the one through the other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.spatial import cKDTree

from hoigen.conventions import HAND, ROLE_CODE
from hoigen.geometry.surface import sample_surface, seed_of
from hoigen.geometry.transforms import apply, invert
from hoigen.records import Clip, MeshAsset

__all__ = ['inside', 'reach_m']

SAMPLES = 1000
"""Places on the object from which the depth of a point in it is told."""


def reach_m(clip: Clip, meshes: Sequence[MeshAsset], poses: np.ndarray) -> np.ndarray:
    """[T] float64 metres: how deep the deepest of a clip's hand points is in the object, 0 where none is in it.

    meshes: of each frame, or one for all. poses: ``T_world_object`` [T,4,4].
    """
    hand, found = clip.point_role == ROLE_CODE[HAND], np.zeros(len(poses))
    surfaces: dict[int, cKDTree] = {}
    for t, pose in enumerate(poses):
        mesh = meshes[t % len(meshes)]
        points = apply(invert(pose), clip.points[t, hand])
        low, high = mesh.vertices.min(0), mesh.vertices.max(0)
        points = points[((points > low) & (points < high)).all(1)]
        points = points[inside(points, mesh)]
        if len(points):
            shape = id(mesh.vertices)
            surfaces[shape] = surfaces.get(shape) or _surface(mesh)
            found[t] = surfaces[shape].query(points)[0].max()
    return found


def inside(points: np.ndarray, mesh: MeshAsset) -> np.ndarray:
    """[N] bool: is a point [N,3] inside a closed mesh? By its winding number, the solid angle of all triangles."""
    corners = mesh.vertices[mesh.triangles].astype(float)
    winding = np.zeros(len(points))
    for n, point in enumerate(points):
        a, b, c = ((corners[:, k] - point) for k in range(3))
        la, lb, lc = (np.linalg.norm(side, axis=1) for side in (a, b, c))
        above = np.einsum('fx,fx->f', a, np.cross(b, c))
        below = la * lb * lc + (a * b).sum(1) * lc + (b * c).sum(1) * la + (c * a).sum(1) * lb
        winding[n] = np.arctan2(above, below).sum() / (2 * np.pi)
    return np.abs(winding) > 0.5


def _surface(mesh: MeshAsset) -> cKDTree:
    samples = sample_surface(mesh.vertices, mesh.triangles, SAMPLES, seed_of(0, mesh.id))
    return cKDTree(samples.at(mesh.vertices, mesh.triangles))
