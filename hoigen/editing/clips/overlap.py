"""How far a hand reaches into an object: a counterfactual may put the one through the other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.spatial import cKDTree

from hoigen.conventions import HAND, ROLE_CODE
from hoigen.editing.clips.recorded import Recorded
from hoigen.geometry.meshes import world_vertices
from hoigen.geometry.surface import sample_surface, seed_of
from hoigen.geometry.transforms import apply, invert
from hoigen.records import Clip, MeshAsset

SAMPLES = 1000
"""Places on the object from which the depth of a point in it is told."""
NEAR_M = 0.05
"""A hand that is nearer to an object is measured to its triangles, from this many of its nearest points."""
NEAREST = 5
INNER = 64
"""About this many of a hand's points in the box about an object tell whether it is in it."""


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


def gap_m(recorded: Recorded, mesh: MeshAsset, poses: np.ndarray) -> np.ndarray:
    """[T] float64 metres: how far a clip's hand is from an object, 0 where it is in it; infinite without a hand.

    The hand is its meshes' vertices, and its points that are seen. poses: ``T_world_object`` [T,4,4] of the mesh. Exact
    below NEAR_M.
    """
    clip, surface, found = recorded.clip, _surface(mesh), np.full(len(poses), np.inf)
    corners = mesh.vertices[mesh.triangles].astype(float)
    for t, pose in enumerate(poses):
        points = apply(
            invert(pose),
            np.concatenate(
                [
                    clip.points[
                        t, (clip.point_role == ROLE_CODE[HAND]) & (clip.point_visible[t] | bool(recorded.assets))
                    ],
                    *(
                        world_vertices(asset, recorded.mesh_frames[t])
                        for asset in recorded.assets
                        if asset.role == HAND
                    ),
                ]
            ),
        )
        if not len(points):
            continue
        away, _ = surface.query(points)
        found[t] = away.min()
        boxed = points[((points > mesh.vertices.min(0)) & (points < mesh.vertices.max(0))).all(1)]
        if inside(boxed[:: max(1, len(boxed) // INNER)], mesh).any():
            found[t] = 0.0
        elif found[t] < NEAR_M:
            found[t] = min(_to_triangles(point, corners) for point in points[np.argsort(away)[:NEAREST]])
    return found


def _to_triangles(point: np.ndarray, corners: np.ndarray) -> float:
    """Metres from a point [3] to the nearest of triangles [F,3,3]."""
    from trimesh.triangles import closest_point

    nearest = closest_point(corners, np.broadcast_to(point, (len(corners), 3)))
    return float(np.linalg.norm(nearest - point, axis=1).min())


def inside(points: np.ndarray, mesh: MeshAsset) -> np.ndarray:
    """[N] bool: is a point [N,3] inside a closed mesh? By its winding number, the solid angle of all triangles."""
    # Ours: trimesh's rays miscount where a scan has holes and need rtree; Open3D and libigl are large for ten lines.
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
