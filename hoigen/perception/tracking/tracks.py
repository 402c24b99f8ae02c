"""Points on scene, hand and object, followed through the frames and lifted to the world."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import cv2
import numpy as np

from hoigen.conventions import HAND, OBJECT, ROLE_CODE, SCENE
from hoigen.geometry.camera import project
from hoigen.perception.records import Flow, Geometry, PerceptionError, Segmentation, Tracks
from hoigen.perception.tracking.lift import lift, trusted_depth
from hoigen.perception.tracking.rigid_features import find_again
from hoigen.perception.tracking.tracks_flow import Followed, follow_flow
from hoigen.records import Footage


@dataclass(frozen=True)
class FollowConfig:
    """How many points are followed.

    A role that is never seen leaves its points to the others.
    """

    points: int = 8192
    """Points in all, if anything can be followed."""
    hand_share: float = 0.45
    """Fraction of the points on hands, above 0; hands and objects together below 1, the rest on the scene."""
    object_share: float = 0.30
    """Fraction of the points on objects, above 0."""

    def __post_init__(self) -> None:
        if self.points < 1:
            raise PerceptionError(f'FollowConfig: points: expected >= 1, got {self.points}')
        if not (self.hand_share > 0 and self.object_share > 0 and self.hand_share + self.object_share < 1):
            raise PerceptionError(
                'FollowConfig: hand_share, object_share: expected positive parts with a sum < 1, '
                f'got {self.hand_share}, {self.object_share}'
            )


class Tracker(Protocol):
    """Anything that follows points: it may stand in for the flow."""

    def __call__(self, footage: Footage, pixels: np.ndarray, query: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pixels [T,M,2] float32 and visible [T,M] bool of points at pixels [M,2] float32 in frames query [M] int32."""


def follow(
    footage: Footage,
    flow: Flow,
    segmentation: Segmentation,
    geometry: Geometry | None,
    config: FollowConfig,
    tracker: Tracker | None = None,
) -> Tracks:
    """Points chosen in the first frame, and later where an instance shows what has none, through all frames.

    With geometry, points are chosen where depth is known and have a place in every frame; see
    :func:`~hoigen.perception.tracking.lift.lift` for when they count as seen. Without, a point is seen while the flow,
    or the ``tracker``, follows it on its own instance.
    """
    usable = np.ones(segmentation.instance.shape, bool) if geometry is None else np.isfinite(trusted_depth(geometry))
    followed = follow_flow(flow, segmentation.instance, usable, _budget(segmentation, config))
    if tracker is not None:
        followed = _tracked(footage, segmentation, tracker, followed)
    if geometry is None:
        seen = np.isfinite(followed.pixels[..., 0])
        return Tracks(followed.pixels, seen, followed.instance, followed.query, None)
    lifted = lift(footage, flow, segmentation, geometry, followed, tracked=tracker is not None)
    return Tracks(lifted.pixels, lifted.visible, followed.instance, followed.query, lifted.places.astype(np.float32))


def _budget(segmentation: Segmentation, config: FollowConfig) -> tuple[int, ...]:
    """Points for the scene and each instance; instances of a role share by the largest area that they show."""
    areas = np.array([(segmentation.instance == i).sum((1, 2)).max() for i in range(len(segmentation.role) + 1)])
    role = np.append(ROLE_CODE[SCENE], segmentation.role)
    share = {
        ROLE_CODE[HAND]: config.hand_share,
        ROLE_CODE[OBJECT]: config.object_share,
        ROLE_CODE[SCENE]: 1 - config.hand_share - config.object_share,
    }
    parts = np.array(
        [share[code] * area / max(areas[role == code].sum(), 1) for code, area in zip(role, areas, strict=True)]
    )
    upto = np.rint(config.points * np.cumsum(parts) / max(parts.sum(), 1e-9)).astype(int)
    return tuple(int(n) for n in np.diff(upto, prepend=0))


def _tracked(footage: Footage, segmentation: Segmentation, tracker: Tracker, followed: Followed) -> Followed:
    """The points as the tracker follows them, NaN where it does not see them on their own instance."""
    pixels, instance, query = followed.pixels, followed.instance, followed.query
    start = pixels[query, np.arange(len(query))]
    found, visible = tracker(footage, start, query)
    if found.shape != pixels.shape or visible.shape != pixels.shape[:2]:
        raise PerceptionError(
            f'tracker: expected pixels {list(pixels.shape)} and visible {list(pixels.shape[:2])}, '
            f'got {list(found.shape)} and {list(visible.shape)}'
        )
    height, width = segmentation.instance.shape[1:]
    with np.errstate(invalid='ignore'):
        inside = visible & ((found >= -0.5) & (found < np.array([width, height]) - 0.5)).all(axis=-1)
    column, row = np.moveaxis(np.rint(np.where(inside[..., None], found, 0)).astype(int), -1, 0)
    own = inside & (segmentation.instance[np.arange(len(found))[:, None], row, column] == instance)
    own[query, np.arange(len(query))] = True
    found = np.where(own[..., None], found, np.nan).astype(np.float32)
    found[query, np.arange(len(query))] = start
    return Followed(found, instance, query)


RETURN_PX = 0.5
"""A patch that is found must lead back to where it was to this many pixels."""


def found_again(footage: Footage, tracks: Tracks, which: np.ndarray) -> np.ndarray:
    """[T,M,2] float32: where the pictures show the patch around a point's pixel in its query frame, NaN where not.

    which: [M] bool, the points that are looked for, in every other frame that is said to show them, from where they
    are said to be. Points on plain surfaces are rarely found. How far a standing point is found from its pixel is the
    reprojection error of cameras and depth.
    """
    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in footage.rgb]
    pixels = np.full_like(tracks.pixels, np.nan)
    for q in np.unique(tracks.query[which]):
        for t in range(len(grey)):
            rows = np.flatnonzero(which & (tracks.query == q) & tracks.visible[t])
            if t != q and len(rows):
                start = tracks.pixels[q, rows]
                there, ok = find_again(grey[q], grey[t], start, tracks.pixels[t, rows])
                back, returned = find_again(grey[t], grey[q], there, start)
                ok &= returned & (np.linalg.norm(back - start, axis=1) <= RETURN_PX)
                pixels[t, rows[ok]] = there[ok]
    return pixels


def scene_reprojection_px(footage: Footage, tracks: Tracks, geometry: Geometry) -> tuple[float, float]:
    """How well depth and the cameras' motion explain what stands still, by the pictures alone.

    The median distance in pixels between where the scene's points project to and where the pictures show them, NaN
    where nothing is found again, and the share that was found, which needs texture.
    """
    scene = tracks.instance == ROLE_CODE[SCENE]
    if tracks.places is None or not scene.any():
        return float('nan'), 0.0
    expected = np.stack(
        [project(camera, places)[0] for camera, places in zip(geometry.cameras, tracks.places, strict=True)]
    ).astype(np.float32)
    chosen = tracks.query, np.arange(len(scene))
    expected[chosen] = tracks.pixels[chosen]
    misses = np.linalg.norm(found_again(footage, replace(tracks, pixels=expected), scene) - expected, axis=-1)
    misses, looked = misses[np.isfinite(misses)], tracks.visible[:, scene].sum() - scene.sum()
    return (float(np.median(misses)), float(len(misses) / looked)) if len(misses) else (float('nan'), 0.0)
