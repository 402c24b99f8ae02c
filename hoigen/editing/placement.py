"""A 6DoF pose split into what a picture model follows: outline, depth, orientation (SpatialHand, key design 1)."""

from __future__ import annotations

import numpy as np

from hoigen.editing.records import Placement
from hoigen.geometry.camera import crop_camera, project, unproject
from hoigen.geometry.orientation import apparent
from hoigen.geometry.raster import NEAR_M, rasterise
from hoigen.geometry.transforms import apply, invert
from hoigen.records import Camera, Check, MeshAsset, RecordError

LARGEST_M, SMALLEST_M = 5.0, 0.002
"""An object larger or smaller than these across was given in another unit."""
HANDLED_M = 0.01, 1.0
"""An object that hands move is between that across."""
ROWS = 128
"""Rows of a depth map that are looked at together."""
FAR_M = 20.0
"""A pose farther than that that shows nothing was likely given in another unit."""
UNITS = (('millimetres', 1e-3), ('centimetres', 1e-2), ('inches', 0.0254))


class PlacementError(ValueError):
    """An object cannot be put there; says the value and, where the unit is likely wrong, which one it may be."""


def place(mesh: MeshAsset, T_world_object: np.ndarray, camera: Camera) -> Placement:
    """Where, how deep and how turned a camera sees a mesh at a pose.

    What of the object is farther outside the picture than the picture is wide or high does not count in ``cut``.
    PlacementError for a pose that is none, behind the camera, about it, or outside its view, and for an object of an
    unlikely size.
    """
    refuse_size(mesh)
    _refuse_pose(T_world_object)
    world = apply(T_world_object, mesh.vertices)
    depth = apply(invert(camera.T_world_cam), world)[:, 2]
    origin = apply(invert(camera.T_world_cam), T_world_object[:3, 3])
    if (depth <= 0).all() or origin[2] <= 0:
        raise PlacementError(
            f'pose: expected the object before the camera, got its origin {origin[2]:.3g} m along the '
            'optical axis (z forward); is T_world_object in the world frame, and T_world_cam the '
            'optical frame?'
        )
    if depth.min() < NEAR_M:
        raise PlacementError(
            f'pose: expected all of the object before the camera, got a part {depth.min():.3g} m '
            f'along the optical axis and its origin at {origin[2]:.3g} m: the camera is inside or '
            'beside it'
        )
    whole, inner = _window(camera, project(camera, world)[0])
    raster = rasterise(whole, world, mesh.triangles)
    mask = np.ascontiguousarray(raster.triangle[inner] >= 0)
    if not mask.any():
        raise PlacementError(_unseen(camera, T_world_object, origin))
    seen = np.where(mask, raster.depth_m[inner], np.inf).astype(np.float32)
    return Placement(
        camera,
        T_world_object,
        mask,
        seen,
        float(origin[2]),
        apparent(camera, T_world_object),
        1 - float(mask.sum()) / float((raster.triangle >= 0).sum()),
    )


def box_of(mesh: MeshAsset) -> MeshAsset:
    """The box about a mesh, in its frame: the shape to work with when only an object's size is known."""
    low, high = mesh.vertices.min(0), mesh.vertices.max(0)
    corners = np.array(
        [[(low, high)[i][0], (low, high)[j][1], (low, high)[k][2]] for i in (0, 1) for j in (0, 1) for k in (0, 1)],
        np.float32,
    )
    faces = (
        (0, 1, 3),
        (0, 3, 2),
        (4, 6, 7),
        (4, 7, 5),
        (0, 4, 5),
        (0, 5, 1),
        (2, 3, 7),
        (2, 7, 6),
        (0, 2, 6),
        (0, 6, 4),
        (1, 5, 7),
        (1, 7, 3),
    )
    return MeshAsset(mesh.id, mesh.role, corners, np.array(faces, np.int32))


def refuse_size(mesh: MeshAsset) -> None:
    """PlacementError for a mesh of an unlikely size, with the unit that it is likely in."""
    across = _across(mesh.vertices)
    if SMALLEST_M <= across <= LARGEST_M:
        return
    hint = f'; it may be in {_likely(across)}: give its scale' if across > LARGEST_M and _likely(across) else ''
    if across < SMALLEST_M:
        hint = '; was a scale given that the file had already?'
    raise PlacementError(
        f'mesh {mesh.id!r}: expected metres, between {SMALLEST_M} and {LARGEST_M} m across, got {across:.6g} m{hint}'
    )


def refuse_larger(mesh: MeshAsset, depth_m: np.ndarray, camera: Camera) -> None:
    """PlacementError for a mesh that is larger than all of the scene whose depth [H,W] float32 is known."""
    bounds = []
    for top in range(0, camera.height, ROWS):  # not all at once: 12 megapixels would take a gigabyte
        v, u = np.nonzero(np.isfinite(depth_m[top : top + ROWS]))
        if len(v):
            v += top
            points = unproject(camera, np.stack([u, v], -1), depth_m[v, u])
            bounds += [points.min(0), points.max(0)]
    if not bounds:
        return
    scene = _across(np.array(bounds))
    across = _across(mesh.vertices)
    if across > scene > 0:
        hint = f'; it may be in {_likely(across)}' if _likely(across) else ''
        raise PlacementError(
            f'mesh {mesh.id!r}: expected an object that is smaller than the scene, got {across:.3g} m '
            f'across in a view of {scene:.3g} m{hint}; is the depth in metres?'
        )


def _refuse_pose(T_world_object: np.ndarray) -> None:
    check = Check('pose')
    check.rigid('T_world_object', T_world_object)
    try:
        check.done()
    except RecordError as error:
        raise PlacementError(str(error)) from None


def _window(camera: Camera, pixels: np.ndarray) -> tuple[Camera, tuple[slice, slice]]:
    """A camera that also sees what of pixels [V,2] is outside the picture, and where in its view the picture is."""
    size = np.array([camera.width, camera.height])
    low = np.clip(np.floor(pixels.min(0)), -size, 0).astype(int)
    high = np.clip(np.ceil(pixels.max(0)) + 1, size, 2 * size).astype(int)
    inner = tuple(slice(int(-first), int(-first + length)) for first, length in zip(low[::-1], size[::-1], strict=True))
    return crop_camera(camera, *low.tolist(), *(high - low).tolist()), (inner[0], inner[1])


def _unseen(camera: Camera, T_world_object: np.ndarray, origin: np.ndarray) -> str:
    u, v = project(camera, T_world_object[:3, 3])[0]
    away = float(np.linalg.norm(origin))
    hint = f'; it may be in {_likely(away)}' if away > FAR_M and _likely(away) else ''
    return (
        f'pose: expected the object inside the {camera.width}x{camera.height} picture and larger than a '
        f'pixel of it, got its origin at pixel ({u:.0f}, {v:.0f}), {away:.3g} m away; lengths are metres{hint}'
    )


def _across(points: np.ndarray) -> float:
    return float(np.linalg.norm(np.ptp(points, axis=0)))


def _likely(length: float) -> str:
    """The units in which a length would be that of a handled object, else of any that can be put in, with the metres
    that it would be then."""
    for low, high in (HANDLED_M, (SMALLEST_M, LARGEST_M)):
        found = [f'{name} ({length * scale:.3g} m)' for name, scale in UNITS if low <= length * scale <= high]
        if found:
            return ' or '.join(found)
    return ''
