"""What was perceived of a recording, as a clip: the same record that a simulator's scene becomes."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from hoigen.conditioning.lookup import picture_of, point_colours
from hoigen.conventions import HAND, OBJECT, ROLE_CODE
from hoigen.geometry.alignment import align
from hoigen.geometry.transforms import apply, invert, rigid
from hoigen.perception.hands.lift import lift_hands
from hoigen.perception.records import Geometry, Hands, PerceptionError, Segmentation, Tracks
from hoigen.perception.tracking.lift_holes import fill_holes
from hoigen.records import Clip, Footage, Labels, Objects
from hoigen.records.labels import Hands as HandLabels

__all__ = ['build_recorded_clip', 'touching']

TRACKS = 1024
"""So many of the points, evenly taken, are the clip's tracks."""

CONTACT_M = 0.01
"""Points of hand and object nearer than this touch. It is wider than a simulator's, for the surfaces that touch are
hidden from the camera: what is measured of a finger is its back, about its thickness away."""

LEAST_POINTS = 12
"""An object's pose is told by at least so many points that are seen,"""

LOOSE = 0.1
"""which usually lie within this part of the object's size of where a rigid motion puts them."""


def build_recorded_clip(
    footage: Footage, hands: Hands, segmentation: Segmentation, geometry: Geometry, tracks: Tracks, task: str
) -> Clip:
    """The clip of a stretch of footage; its world is the first camera's frame, in metres if ``geometry.metric``.

    Its depth is the geometry's with small holes within one surface filled (:func:`fill_holes`), so that what is drawn
    from it has no holes that the scene has not. Labels hold the task, each side's first hand with its keypoints
    where it is seen (:func:`~hoigen.perception.hands.lift.lift_hands`) and, where enough of it is seen to tell, the
    object's pose: its frame has its origin at the mean of the points seen in the first frame that shows enough of them,
    and the world's axes then. Contact is told from places in metres; without these none is known and none is said.
    Raises :class:`PerceptionError` without points.
    """
    if tracks.places is None or not len(tracks.query):
        raise PerceptionError(
            'clip: expected points with places, got none: nothing in the recording has known depth where it is seen'
        )
    role = np.append(np.uint8(0), segmentation.role)[tracks.instance]
    depth_m = fill_holes(geometry.depth_m, segmentation.instance)
    rgb, known = _first_colours(footage, segmentation, geometry, depth_m[0], tracks, role)
    frames = len(footage.stamps_ns)
    chosen = np.linspace(0, len(role) - 1, min(TRACKS, len(role))).astype(int)
    contact = np.zeros((frames, len(role)), bool)
    if geometry.metric:
        contact = np.stack([touching(*row, role) for row in zip(tracks.places, tracks.visible, strict=True)])
    found = ('object',) if (role == ROLE_CODE[OBJECT]).any() else ()
    poses = _object_poses(tracks, role)
    first = [hands.side.index(side) for side in sorted(set(hands.side))]
    sides = tuple(hands.side[i] for i in first)
    keypoints, wrists = lift_hands(hands, geometry, segmentation.mask == ROLE_CODE[HAND])
    labels = tuple(
        Labels(
            episode=0,
            frame=t,
            last=t == frames - 1,
            task=task,
            hands=HandLabels(sides, wrists[t, first], keypoints[t, first], hands.keypoints_px[t, first]),
            objects=Objects(found, poses[t, : len(found)]),
        )
        for t in range(frames)
    )
    return Clip(
        stamps_ns=footage.stamps_ns,
        cameras=geometry.cameras,
        rgb=footage.rgb,
        depth_m=depth_m,
        mask=segmentation.mask,
        points=tracks.places,
        point_role=role,
        point_visible=tracks.visible,
        point_rgb=rgb,
        point_rgb_known=known,
        point_contact=contact,
        tracks=tracks.places[:, chosen],
        track_visible=tracks.visible[:, chosen],
        labels=labels,
    )


def _first_colours(
    footage: Footage,
    segmentation: Segmentation,
    geometry: Geometry,
    depth_m: np.ndarray,
    tracks: Tracks,
    role: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Colours [N,3] uint8 in the first frame and known [N] bool.

    Of one surface where depth tells that it is one; else, as noise hides that, of the pixel at which a point is seen.
    """
    assert tracks.places is not None
    camera, places = geometry.cameras[0], apply(invert(geometry.cameras[0].T_world_cam), tracks.places[0])
    picture = picture_of(footage.rgb[0], segmentation.mask[0], depth_m, camera)
    rgb, known = point_colours(picture, places, role, tracks.visible[0])
    seen = tracks.visible[0] & ~known & np.isfinite(tracks.pixels[0]).all(axis=1)
    height, width = segmentation.mask.shape[1:]
    column, row = np.clip(np.rint(tracks.pixels[0, seen]), 0, (width - 1, height - 1)).astype(int).T
    own = segmentation.instance[0, row, column] == tracks.instance[seen]
    rows = np.flatnonzero(seen)[own]
    rgb[rows], known[rows] = footage.rgb[0, row[own], column[own]], True
    return rgb, known


def touching(places: np.ndarray, visible: np.ndarray, role: np.ndarray) -> np.ndarray:
    """[N] bool: seen points of the hand within ``CONTACT_M`` of a seen one of the object, and the reverse."""
    contact = np.zeros(len(places), bool)
    rows = [np.flatnonzero(visible & (role == ROLE_CODE[name])) for name in (HAND, OBJECT)]
    if all(len(r) for r in rows):
        for mine, theirs in (rows, rows[::-1]):
            apart, _ = cKDTree(places[theirs]).query(places[mine], distance_upper_bound=CONTACT_M)
            contact[mine] = apart <= CONTACT_M
    return contact


def _object_poses(tracks: Tracks, role: np.ndarray) -> np.ndarray:
    """``T_world_object`` [T,1,4,4] of the object that most points are on, NaN where unsure."""
    none = np.full((len(tracks.visible), 1, 4, 4), np.nan)
    of_objects = tracks.instance[role == ROLE_CODE[OBJECT]]
    if tracks.places is None or not len(of_objects):
        return none
    rows = np.flatnonzero(tracks.instance == np.bincount(of_objects).argmax())
    places, seen = tracks.places[:, rows].astype(float), tracks.visible[:, rows]
    enough = np.flatnonzero(seen.sum(axis=1) >= LEAST_POINTS)
    if not len(enough):
        return none
    first = enough[0]
    centre = places[first, seen[first]].mean(axis=0)
    return np.stack([_pose(places[first] - centre, *row) for row in zip(places, seen, strict=True)])[:, None]


def _pose(points: np.ndarray, places: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """``T_world_object`` that carries points [N,3] of the object to places [N,3] as far as they are seen [N] bool."""
    unsure = np.full((4, 4), np.nan)
    if seen.sum() < LEAST_POINTS:
        return unsure
    start, end, weight = points[seen], places[seen], np.ones(int(seen.sum()))
    for _ in range(3):
        move = align(start, end, weight, scaled=False)
        miss = np.linalg.norm(move(start) - end, axis=1)
        weight = (miss <= np.quantile(miss, 0.8)).astype(float)
    size = np.sqrt(((start - start.mean(axis=0)) ** 2).sum(axis=1).mean())
    return rigid(move.rotation, move.translation) if np.median(miss) <= LOOSE * size else unsure
