"""A 6DoF pose split into what a picture model follows: outline, depth, orientation (SpatialHand, key design 1)."""

from __future__ import annotations

import numpy as np

from hoigen.editing.orientation import apparent
from hoigen.editing.records import Placement
from hoigen.geometry.camera import crop_camera, project
from hoigen.geometry.raster import rasterise
from hoigen.geometry.transforms import apply, invert
from hoigen.records import Camera, MeshAsset

__all__ = ['PlacementError', 'box_of', 'place', 'refuse_size']

LARGEST_M, SMALLEST_M = 5.0, 0.002
"""An object larger or smaller than these across was given in another unit."""
UNITS = (('millimetres', 1e-3), ('centimetres', 1e-2), ('inches', 0.0254))


class PlacementError(ValueError):
    """An object cannot be put there; says the value and, where the unit is likely wrong, which one it may be."""


def place(mesh: MeshAsset, T_world_object: np.ndarray, camera: Camera) -> Placement:
    """Where, how deep and how turned a camera sees a mesh at a pose.

    PlacementError for a pose behind the camera or outside its view and for an object of an unlikely size.
    """
    refuse_size(mesh)
    points = apply(invert(camera.T_world_cam), apply(T_world_object, mesh.vertices))
    origin = apply(invert(camera.T_world_cam), T_world_object[:3, 3])
    if (points[:, 2] <= 0).all() or origin[2] <= 0:
        raise PlacementError(f'pose: expected the object before the camera, got its origin {origin[2]:.3g} m along the '
                             'optical axis (z forward); is T_world_object in the world frame, and T_world_cam the '
                             'optical frame?')
    wide = crop_camera(camera, -camera.width, -camera.height, 3 * camera.width, 3 * camera.height)
    raster = rasterise(wide, apply(T_world_object, mesh.vertices), mesh.triangles)
    whole = raster.triangle >= 0
    inner = np.s_[camera.height:2 * camera.height, camera.width:2 * camera.width]
    mask = np.ascontiguousarray(whole[inner])
    if not mask.any():
        u, v = project(camera, T_world_object[:3, 3])[0]
        raise PlacementError(f'pose: expected the object inside the {camera.width}x{camera.height} picture, got its '
                             f'origin at pixel ({u:.0f}, {v:.0f}), {origin[2]:.3g} m away; lengths are metres')
    depth = np.where(mask, raster.depth_m[inner], np.inf).astype(np.float32)
    return Placement(camera, T_world_object, mask, depth, float(origin[2]), apparent(camera, T_world_object),
                     1 - float(mask.sum()) / float(whole.sum()))


def box_of(mesh: MeshAsset) -> MeshAsset:
    """The box about a mesh, in its frame: the shape to work with when only an object's size is known."""
    low, high = mesh.vertices.min(0), mesh.vertices.max(0)
    corners = np.array([[(low, high)[i][0], (low, high)[j][1], (low, high)[k][2]]
                        for i in (0, 1) for j in (0, 1) for k in (0, 1)], np.float32)
    faces = ((0, 1, 3), (0, 3, 2), (4, 6, 7), (4, 7, 5), (0, 4, 5), (0, 5, 1), (2, 3, 7), (2, 7, 6), (0, 2, 6),
             (0, 6, 4), (1, 5, 7), (1, 7, 3))
    return MeshAsset(mesh.id, mesh.role, corners, np.array(faces, np.int32))


def refuse_size(mesh: MeshAsset) -> None:
    """PlacementError for a mesh of an unlikely size."""
    across = float(np.linalg.norm(np.ptp(mesh.vertices, axis=0)))
    if SMALLEST_M <= across <= LARGEST_M:
        return
    likely = [f'{name} ({across * scale:.3g} m)' for name, scale in UNITS if SMALLEST_M <= across * scale <= 1]
    hint = f'; it may be in {" or ".join(likely)}: give its scale' if likely else ''
    raise PlacementError(f'mesh {mesh.id!r}: expected metres, between {SMALLEST_M} and {LARGEST_M} m across, '
                         f'got {across:.6g} m{hint}')

