"""Camera motion of an RGB-D recording, from what does not move in it."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

from hoigen.geometry.transforms import apply, invert
from hoigen.perception.lift_confidence import depth_confidence
from hoigen.perception.odometry_features import corners_of, find_again, match_features, sample_flow
from hoigen.perception.records import Flow, Geometry, PerceptionError
from hoigen.perception.rigid import Sighting, fit_pose
from hoigen.records import Camera, Footage

__all__ = ['measured_geometry']

TRUSTED = 0.5
"""Depth of at least this confidence is used to find the camera's motion."""

LEAST_POINTS = 16
"""A camera's place is told by at least so many corners that agree,"""

LEAST_SHARE = 0.4
"""which are at least this share of those found again."""

FEW_LEFT = 0.5
"""When fewer than this share of a key frame's good corners is left, the frame becomes the next key frame."""

STRIKES = 3
"""A corner that does not go along with the rest in so many more frames than it does moves, and is dropped."""

MOVING_PX = 12
"""A new key frame takes no corners within this distance (along rows and columns) of those that move."""

MOST_MISS_PX = 1.0
"""Corners that usually miss by more than this were not found again."""

STILL_PX, STILL_SHARE = 0.15, 0.8
"""A camera has not moved if its last pose explains, to so many pixels, this share of the corners that the best one
does."""

WIDE_BACK = 3
"""A frame that was reached by matching is matched with so many frames before it."""

SWEEPS = 8
"""Rounds in which each matched frame is placed anew among its neighbours."""


@dataclass(frozen=True, eq=False)
class _View:
    """A frame: its number, grey [H,W] uint8, depth [H,W] and where that can be trusted."""

    number: int
    grey: np.ndarray
    depth_m: np.ndarray
    trusted: np.ndarray


@dataclass(frozen=True, eq=False)
class _Pair:
    """Corners of view a, pixels [N,2], that view b shows at pixels [N,2]."""

    a: int
    b: int
    at_a: np.ndarray
    at_b: np.ndarray


@dataclass(eq=False)
class _Path:
    """The camera's way as far as it is known: T_world_cam by frame; the pairs that matching found."""

    poses: dict[int, np.ndarray] = field(default_factory=dict)
    pairs: list[_Pair] = field(default_factory=list)


def measured_geometry(footage: Footage, flow: Flow) -> Geometry:
    """Cameras and measured depth of an RGB-D recording; what moves may cover up to about half of the corners.

    Each frame is placed by the corners of a key frame that it still shows (followed with the flow, then found in the
    picture itself, so that errors do not add up), or by matched features where following fails. A camera whose last
    pose explains the picture about as well as the best keeps that very pose: still cameras come out exactly still.
    A frame that cannot be placed keeps the pose before it and its depth is unknown. Raises :class:`PerceptionError`
    without depth or K, or if less than half of the frames can be placed.
    """
    K, depth_m = _calibrated(footage)
    views = [_view(t, rgb, depth_m[t]) for t, rgb in enumerate(footage.rgb)]
    path = _follow_camera(K, views, flow)
    _settle(K, views, path)
    placed = np.array([t in path.poses for t in range(len(views))])
    if placed.sum() * 2 < len(views) and len(views) > 1:
        raise PerceptionError(f'camera motion: expected at least half of {len(views)} frames to show {LEAST_POINTS} '
                              f'corners of a rigid scene with depth, got {placed.sum()}')
    height, width = depth_m.shape[1:]
    cameras = tuple(Camera(K, width, height, pose) for pose in _held(path.poses, len(views)))
    known = np.where(placed[:, None, None], depth_m, np.float32(np.nan))
    confidence = np.stack([depth_confidence(depth) for depth in known])
    return Geometry(cameras, known, confidence, 'measured depth', metric=True)


def _calibrated(footage: Footage) -> tuple[np.ndarray, np.ndarray]:
    if footage.depth_m is None or not np.isfinite(footage.depth_m).any():
        what = 'no depth' if footage.depth_m is None else 'depth that is unknown everywhere'
        raise PerceptionError(f'geometry: expected a recording with measured depth, got {what}')
    if footage.K is None:
        raise PerceptionError('geometry: expected the camera\'s intrinsics K with the depth, got none')
    return footage.K, np.where(np.isfinite(footage.depth_m), footage.depth_m, np.float32(np.nan))


def _view(number: int, rgb: np.ndarray, depth_m: np.ndarray) -> _View:
    return _View(number, cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), depth_m, depth_confidence(depth_m) >= TRUSTED)


class _Key:
    """A key frame's corners while they are followed: where they were, are now, and how often each went astray."""

    def __init__(self, view: _View, moving: np.ndarray) -> None:
        """``moving``: [N,2] pixels around which no corner is taken."""
        allowed = view.trusted.copy()
        for column, row in np.rint(moving).astype(int):
            allowed[max(row - MOVING_PX, 0):max(row + MOVING_PX + 1, 0),
                    max(column - MOVING_PX, 0):max(column + MOVING_PX + 1, 0)] = False
        self.view, self.corners = view, corners_of(view.grey, allowed)
        self.at, self.strikes = self.corners, np.zeros(len(self.corners), int)
        self.good = 0

    def find(self, view: _View, flow: np.ndarray) -> tuple[np.ndarray, _Pair]:
        """Follow the corners into the next frame: which are found there and do not move [N] bool, and their pixels."""
        guess = self.at + sample_flow(flow, self.at)
        found, ok = find_again(self.view.grey, view.grey, self.corners, guess)
        self.at = np.where(ok[:, None], found, guess)
        ok &= self.strikes < STRIKES
        return ok, _Pair(self.view.number, view.number, self.corners[ok], found[ok])

    def judge(self, found: np.ndarray, weight: np.ndarray) -> bool:
        """Count who went along; False if too few are left."""
        agree = np.zeros(len(found), bool)
        agree[found] = weight > 0
        self.strikes = np.maximum(self.strikes + np.where(agree, -1, 1), 0)
        self.good = self.good or int(agree.sum())
        return bool(agree.sum() >= FEW_LEFT * self.good)

    @property
    def moving(self) -> np.ndarray:
        """[N,2] where the corners that move are now."""
        return self.at[self.strikes >= STRIKES]


def _follow_camera(K: np.ndarray, views: list[_View], flow: Flow) -> _Path:
    """Place each frame by the last key frame's corners, or by matching; become a key frame where few are left."""
    path = _Path({0: np.eye(4)})
    key = _Key(views[0], np.zeros((0, 2)))
    for t in range(1, len(views)):
        found, pair = key.find(views[t], flow.forward[t - 1])
        seen = _place(K, views, pair, path.poses[pair.a], path.poses.get(t - 1, path.poses[pair.a]))
        lasts = seen is not None and key.judge(found, seen.weight)
        if seen is None:
            seen = _match(K, views, path, t)
        if seen is not None:
            path.poses[t] = invert(seen.T_cam_points)
            key = key if lasts else _Key(views[t], key.moving)
    return path


def _place(K: np.ndarray, views: list[_View], pair: _Pair, T_world_a: np.ndarray, guess: np.ndarray
           ) -> Sighting | None:
    """Where view b stands by the corners of a placed view a; None if they do not agree."""
    if len(pair.at_a) < LEAST_POINTS:
        return None
    places = _places(K, views[pair.a], pair.at_a, T_world_a)
    seen = fit_pose(K, places, pair.at_b, _depth_at(views[pair.b], pair.at_b), invert(guess))
    rest = Sighting(invert(guess), _near(K, places, pair.at_b, guess), seen.miss_px)
    if rest.weight.sum() >= max(STILL_SHARE * _near(K, places, pair.at_b, invert(seen.T_cam_points)).sum(),
                                LEAST_POINTS):
        return rest
    return seen if _agree(seen) else None


def _near(K: np.ndarray, places: np.ndarray, pixels: np.ndarray, T_world_cam: np.ndarray) -> np.ndarray:
    """[N] float64: 1 where a pose explains a corner to ``STILL_PX``, else 0."""
    seen = apply(invert(T_world_cam), places) @ K.T
    with np.errstate(divide='ignore', invalid='ignore'):
        return (np.linalg.norm(seen[:, :2] / seen[:, 2:] - pixels, axis=1) <= STILL_PX).astype(float)


def _agree(seen: Sighting) -> bool:
    good = seen.weight > 0
    return bool(good.sum() >= LEAST_POINTS and good.mean() >= LEAST_SHARE and seen.miss_px <= MOST_MISS_PX)


def _match(K: np.ndarray, views: list[_View], path: _Path, t: int) -> Sighting | None:
    """Where view t stands by features matched with the placed views before it; what was matched is kept."""
    best: Sighting | None = None
    for a in sorted(path.poses, reverse=True)[:WIDE_BACK]:
        found = match_features(views[a].grey, views[t].grey)
        known = np.isfinite(_depth_at(views[a], found.before))
        pair = _Pair(a, t, found.before[known], found.after[known])
        guess = _start(K, _places(K, views[a], pair.at_a, path.poses[a]), pair.at_b)
        seen = None if guess is None else _place(K, views, pair, path.poses[a], guess)
        if seen is not None:
            good = seen.weight > 0
            path.pairs.append(_Pair(a, t, pair.at_a[good], pair.at_b[good]))
            best = best or seen
    return best


def _start(K: np.ndarray, places: np.ndarray, pixels: np.ndarray) -> np.ndarray | None:
    """T_world_cam by random samples of the matches (the generator inside is seeded); None where there is none."""
    if len(places) < LEAST_POINTS:
        return None
    cv2.setRNGSeed(0)
    found, turn, shift, _ = cv2.solvePnPRansac(places, pixels.astype(float), K, None, iterationsCount=300,
                                               reprojectionError=3.0, flags=cv2.SOLVEPNP_EPNP)
    if not found:
        return None
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = cv2.Rodrigues(turn)[0], shift[:, 0]
    return invert(pose)


def _settle(K: np.ndarray, views: list[_View], path: _Path) -> None:
    """Place every matched view again by all its matches, before and after it, until they agree."""
    for _ in range(SWEEPS if path.pairs else 0):
        for t in sorted({pair.b for pair in path.pairs} - {0}):
            parts = [(pair.a, pair.at_a, pair.at_b) for pair in path.pairs if pair.b == t]
            parts += [(pair.b, pair.at_b, pair.at_a) for pair in path.pairs if pair.a == t]
            places = np.concatenate([_places(K, views[other], there, path.poses[other]) for other, there, _ in parts])
            here = np.concatenate([at for _, _, at in parts])
            known = np.isfinite(places).all(axis=1)
            seen = fit_pose(K, places[known], here[known], _depth_at(views[t], here[known]), invert(path.poses[t]))
            if _agree(seen):
                path.poses[t] = invert(seen.T_cam_points)


def _held(poses: dict[int, np.ndarray], frames: int) -> list[np.ndarray]:
    """T_world_cam of every frame: its own or the one before."""
    kept = [poses[0]]
    for t in range(1, frames):
        kept.append(poses.get(t, kept[-1]))
    return kept


def _places(K: np.ndarray, view: _View, pixels: np.ndarray, T_world_cam: np.ndarray) -> np.ndarray:
    rays = np.column_stack([pixels, np.ones(len(pixels))]) @ np.linalg.inv(K).T
    return apply(T_world_cam, rays * _depth_at(view, pixels)[:, None])


def _depth_at(view: _View, pixels: np.ndarray) -> np.ndarray:
    """[N] depth at the nearest pixels, NaN where it is not trusted."""
    column, row = np.clip(np.rint(pixels), 0, np.array(view.grey.shape[::-1]) - 1).astype(int).T
    return np.where(view.trusted[row, column], view.depth_m[row, column], np.nan)
