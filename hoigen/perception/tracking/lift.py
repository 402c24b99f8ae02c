"""Followed pixels -> places in the world, with what depth and rigidity say about when a point is seen."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from hoigen.conventions import OBJECT, ROLE_CODE
from hoigen.geometry.camera import project, unproject
from hoigen.geometry.transforms import rigid
from hoigen.perception.records import Flow, Geometry, Segmentation
from hoigen.perception.tracking.lift_depth import depth_at
from hoigen.perception.tracking.lift_local import carry_hidden
from hoigen.perception.tracking.lift_pieces import follow_pieces
from hoigen.perception.tracking.rigid_object import follow_object
from hoigen.perception.tracking.tracks_flow import Followed
from hoigen.records import Footage

TRUSTED = 0.3
"""Depth of at least this confidence tells where a surface is."""

SAME_PART = 0.01
"""A place and the measured surface are one if their depths differ by no larger part."""

FOUND_AGAIN = 4
"""A point that does not move rigidly is taken for seen again at most so many frames after it was seen."""

ALONG_PX = 3.0
"""A piece that is not believed has still come right if the flow, confirmed all the way, came about as near to it."""

RIGID_SHARE = 0.8
"""An object that is placed in fewer than this share of the frames that show it is not taken to be rigid."""


class Lifted(NamedTuple):
    """pixels [T,M,2] float32, NaN where not visible; visible [T,M] bool; places [T,M,3] float64 world."""

    pixels: np.ndarray
    visible: np.ndarray
    places: np.ndarray


def trusted_depth(geometry: Geometry) -> np.ndarray:
    """[T,H,W] float32: depth that tells where a surface is, NaN elsewhere."""
    return np.where(geometry.confidence >= TRUSTED, geometry.depth_m, np.float32(np.nan))


def lift(
    footage: Footage, flow: Flow, segmentation: Segmentation, geometry: Geometry, followed: Followed, *, tracked: bool
) -> Lifted:
    """Places of points that were followed in the picture.

    The scene stands: one place for all frames. An object that moves rigidly carries its points. What is neither moves
    in small rigid pieces; or, if the pixels were ``tracked`` by something better than the flow, is measured where it
    was followed and carried by what is seen around it where not. In its query frame a point's pixel must have depth.
    """
    pixels, instance, query = followed.pixels, followed.instance, followed.query
    depth_m = trusted_depth(geometry)
    frames = np.arange(len(pixels))[:, None]
    wanted = pixels if tracked else np.where((frames == query)[..., None], pixels, np.nan)
    places = _measured(segmentation, geometry, depth_m, wanted, instance, query)
    visible = np.zeros(pixels.shape[:2], bool)
    for number in np.unique(instance):
        rows = np.flatnonzero(instance == number)
        poses = _poses(footage, flow, segmentation, geometry, depth_m, int(number))
        part = places[:, rows]
        start = part[query[rows], np.arange(len(rows))]
        if poses is not None:
            places[:, rows], visible[:, rows] = _carried(
                segmentation, geometry, depth_m, poses, start, query[rows], instance[rows]
            )
            continue
        if tracked:
            places[:, rows], certain, sure = carry_hidden(part), np.isfinite(part[..., 0]), np.array(True)
        else:
            certain = frames == query[rows]
            places[:, rows], sure = _in_pieces(
                footage, flow, segmentation, geometry, depth_m, start, query[rows], int(number)
            )
        parts = _parts(segmentation, geometry, depth_m, places[:, rows], instance[rows])
        there = _bridged(parts, np.ones(len(parts), bool))
        sure = sure | _along(geometry, places[:, rows], pixels[:, rows])
        visible[:, rows] = certain | (_unbroken(there, certain) & sure)
    visible[query, np.arange(len(query))] = True
    shown = np.stack([project(camera, at)[0] for camera, at in zip(geometry.cameras, places, strict=True)])
    return Lifted(np.where(visible[..., None], shown, np.nan).astype(np.float32), visible, places)


def _measured(
    segmentation: Segmentation,
    geometry: Geometry,
    depth_m: np.ndarray,
    pixels: np.ndarray,
    instance: np.ndarray,
    query: np.ndarray,
) -> np.ndarray:
    """[T,M,3] float64: places of what depth shows at the pixels, NaN where it shows nothing of the instance.

    In a point's query frame it is its pixel's own depth where what is around tells nothing.
    """
    places = np.full((*pixels.shape[:2], 3), np.nan)
    for t, (camera, at) in enumerate(zip(geometry.cameras, pixels, strict=True)):
        depth = depth_at(depth_m[t], segmentation.instance[t], instance, at)
        alone = np.isnan(depth) & (query == t)
        column, row = np.rint(at[alone]).astype(int).T
        depth[alone] = depth_m[t, row, column]
        places[t] = unproject(camera, at.astype(float), depth)
    return places


def _poses(
    footage: Footage, flow: Flow, segmentation: Segmentation, geometry: Geometry, depth_m: np.ndarray, number: int
) -> list[np.ndarray | None] | None:
    """``T_world_body`` of each frame, None where it is not known, of a scene or a rigid object; None for neither."""
    if number == 0:
        return [np.eye(4) for _ in geometry.cameras]
    if segmentation.role[number - 1] != ROLE_CODE[OBJECT]:
        return None
    own = segmentation.instance == number
    found = follow_object(geometry.cameras[0].K, footage.rgb, depth_m, own, flow)
    if len(found) < RIGID_SHARE * own.any((1, 2)).sum():
        return None
    return [camera.T_world_cam @ found[t] if t in found else None for t, camera in enumerate(geometry.cameras)]


def _carried(
    segmentation: Segmentation,
    geometry: Geometry,
    depth_m: np.ndarray,
    poses: list[np.ndarray | None],
    start: np.ndarray,
    query: np.ndarray,
    instance: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Places [T,N,3] and visible [T,N] of points on a rigid body that were at ``start`` [N,3] in frames query [N].

    Along its query's ray, a point is put where the frames that show it agree (median) that it is.
    """
    known = np.array([pose is not None for pose in poses])
    every = np.stack(_between(poses))
    eye = np.stack([camera.T_world_cam[:3, 3] for camera in geometry.cameras])[query]
    places = _on_body(every, start, query)
    part = _parts(segmentation, geometry, depth_m, places, instance)
    part[~known] = np.nan
    fits = np.where(np.abs(part - 1) <= SAME_PART, part, np.nan)
    fits[query, np.arange(len(query))] = 1
    usual = np.nanmedian(fits, axis=0)
    return _on_body(every, eye + (start - eye) * usual[:, None], query), _bridged(part / usual, known)


def _on_body(poses: np.ndarray, start: np.ndarray, query: np.ndarray) -> np.ndarray:
    """Places [T,N,3] of points fixed to a body with poses [T,4,4] that were at ``start`` [N,3] in frames query [N]."""
    body = np.einsum('nyx,ny->nx', poses[query, :3, :3], start - poses[query, :3, 3])
    return body @ poses[:, :3, :3].transpose(0, 2, 1) + poses[:, None, :3, 3]


def _parts(
    segmentation: Segmentation, geometry: Geometry, depth_m: np.ndarray, places: np.ndarray, instance: np.ndarray
) -> np.ndarray:
    """[T,N] float64: depth measured where places [T,N,3] would be seen, as a part of theirs; NaN where it is unknown.

    0 where something else is seen there, or they are out of view.
    """
    height, width = depth_m.shape[1:]
    parts = np.zeros(places.shape[:2])
    for t, camera in enumerate(geometry.cameras):
        pixels, depth = project(camera, places[t])
        pixels = np.nan_to_num(pixels, nan=-1e6, posinf=-1e6, neginf=-1e6)
        inside = (depth > 0) & ((pixels >= -0.5) & (pixels < np.array([width, height]) - 0.5)).all(axis=1)
        column, row = np.rint(np.where(inside[:, None], pixels, 0)).astype(int).T
        own = inside & (segmentation.instance[t, row, column] == instance)
        parts[t, own] = depth_at(depth_m[t], segmentation.instance[t], instance[own], pixels[own]) / depth[own]
    return parts


def _bridged(parts: np.ndarray, known: np.ndarray) -> np.ndarray:
    """[T,N] bool: seen. Where depth is unknown: if seen in the nearest frames before and after that tell; never where
    the body's own pose is not known [T]."""
    seen, told = np.abs(parts - 1) <= SAME_PART, np.isfinite(parts)
    frames = np.arange(len(parts))[:, None]
    last = np.maximum.accumulate(np.where(told, frames, -1), axis=0)
    after = np.minimum.accumulate(np.where(told, frames, len(parts))[::-1], axis=0)[::-1]
    column = np.arange(parts.shape[1])
    before_seen = np.where(last < 0, True, seen[np.maximum(last, 0), column])
    after_seen = np.where(after == len(parts), True, seen[np.minimum(after, len(parts) - 1), column])
    return np.where(told, seen, before_seen & after_seen & told.any(axis=0)) & known[:, None]


def _in_pieces(
    footage: Footage,
    flow: Flow,
    segmentation: Segmentation,
    geometry: Geometry,
    depth_m: np.ndarray,
    start: np.ndarray,
    query: np.ndarray,
    number: int,
) -> tuple[np.ndarray, np.ndarray]:
    """World places [T,N,3] of an instance's points, which move in rigid pieces from ``start`` [N,3] in query [N],
    and [T,N] bool: they came there surely."""
    T_world_cam = np.stack([camera.T_world_cam for camera in geometry.cameras])
    inside = np.einsum('nyx,ny->nx', T_world_cam[query, :3, :3], start - T_world_cam[query, :3, 3])
    places, sure = follow_pieces(
        geometry.cameras[0].K, footage.rgb, depth_m, segmentation.instance == number, flow, inside, query
    )
    return places @ T_world_cam[:, :3, :3].transpose(0, 2, 1) + T_world_cam[:, None, :3, 3], sure


def _along(geometry: Geometry, places: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """[T,N] bool: places [T,N,3] are seen about where they were followed to, pixels [T,N,2], NaN where not."""
    seen = np.stack([project(camera, at)[0] for camera, at in zip(geometry.cameras, places, strict=True)])
    return np.linalg.norm(seen - pixels, axis=-1) <= ALONG_PX


def _unbroken(there: np.ndarray, certain: np.ndarray) -> np.ndarray:
    """[T,N] bool: where a surface is ``there``, as long as it was not missing for more than ``FOUND_AGAIN`` frames on
    end since the point was seen for ``certain``."""
    seen = there & False
    for order in (slice(None), slice(None, None, -1)):
        missing = np.full(there.shape[1], FOUND_AGAIN + 1)
        for now, fits, is_certain in zip(seen[order], there[order], certain[order], strict=True):
            missing[is_certain] = 0
            alive = missing <= FOUND_AGAIN
            now |= fits & alive
            missing = np.where(fits & alive | is_certain, 0, missing + 1)
    return seen


def _between(poses: list[np.ndarray | None]) -> list[np.ndarray]:
    """Every pose; unknown ones turn and shift evenly between known ones, and stay at the first and the last."""
    at = np.array([t for t, pose in enumerate(poses) if pose is not None])
    found = np.stack([pose for pose in poses if pose is not None])
    if len(at) == 1:
        return [found[0] for _ in poses]
    when = np.clip(np.arange(len(poses)), at[0], at[-1])
    turns = Slerp(at, Rotation.from_matrix(found[:, :3, :3]))(when).as_matrix()
    shifts = np.stack([np.interp(when, at, found[:, axis, 3]) for axis in range(3)], axis=-1)
    return [rigid(turn, shift) for turn, shift in zip(turns, shifts, strict=True)]
