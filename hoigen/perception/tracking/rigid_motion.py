"""The motion between a camera and a rigid thing that it sees with depth: the scene, or an object."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from hoigen.geometry.transforms import apply, invert, rigid
from hoigen.perception.records import Flow
from hoigen.perception.tracking.rigid import Sighting, fit_pose
from hoigen.perception.tracking.rigid_features import corners_of, find_again, match_features, sample_flow

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
class View:
    """A frame: its number, grey [H,W] uint8, depth [H,W], where the thing may be seen and where depth can be trusted.

    shown: [H,W] bool. trusted: [H,W] bool, part of ``shown``.
    """

    number: int
    grey: np.ndarray
    depth_m: np.ndarray
    shown: np.ndarray
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


class _Key:
    """A key frame's corners while they are followed: where they were, are now, and how often each went astray."""

    def __init__(self, view: View, cell_px: int, moving: np.ndarray) -> None:
        """One corner at most per cell; ``moving``: [N,2] pixels around which none is taken."""
        allowed = view.trusted.copy()
        for column, row in np.rint(moving).astype(int):
            allowed[
                max(row - MOVING_PX, 0) : max(row + MOVING_PX + 1, 0),
                max(column - MOVING_PX, 0) : max(column + MOVING_PX + 1, 0),
            ] = False
        self.view, self.corners = view, corners_of(view.grey, allowed, cell_px)
        self.at, self.strikes = self.corners, np.zeros(len(self.corners), int)
        self.good = 0

    def find(self, view: View, flow: np.ndarray) -> tuple[np.ndarray, _Pair]:
        """Follow the corners into the next frame: which are found there and do not move [N] bool, and their pixels."""
        guess = self.at + sample_flow(flow, self.at)
        found, ok = find_again(self.view.grey, view.grey, self.corners, guess)
        self.at = np.where(ok[:, None], found, guess)
        column, row = _nearest(view, found)
        ok &= (self.strikes < STRIKES) & view.shown[row, column]
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


def follow_rigid(K: np.ndarray, views: list[View], flow: Flow, cell_px: int) -> dict[int, np.ndarray]:
    """``T_first_cam`` [4,4] by frame: the camera as seen from the rigid thing, whose frame is the first camera's.

    views: consecutive frames, of which the first shows the thing. Each is placed by the corners of a key frame that it
    still shows, at most one for each cell of the picture; they are followed with the flow, then found in the picture
    itself, so that errors do not add up. Where that fails, by matched features. A camera whose last pose explains the
    picture about as well as the best keeps that very pose. Frames that cannot be placed are left out.
    """
    first = views[0].number
    path = _Path({first: np.eye(4)})
    by_number = {view.number: view for view in views}
    key = _Key(views[0], cell_px, np.zeros((0, 2)))
    for t in range(first + 1, first + len(views)):
        found, pair = key.find(by_number[t], flow.forward[t - 1])
        seen = _place(K, by_number, pair, path.poses[pair.a], path.poses.get(t - 1, path.poses[pair.a]))
        lasts = seen is not None and key.judge(found, seen.weight)
        if seen is None:
            seen = _match(K, by_number, path, t)
        if seen is not None:
            path.poses[t] = invert(seen.T_cam_points)
            key = key if lasts else _Key(by_number[t], cell_px, key.moving)
    _settle(K, by_number, path)
    return path.poses


def _place(
    K: np.ndarray, views: dict[int, View], pair: _Pair, T_world_a: np.ndarray, guess: np.ndarray
) -> Sighting | None:
    """Where view b stands by the corners of a placed view a; None if they do not agree."""
    if len(pair.at_a) < LEAST_POINTS:
        return None
    places = _places(K, views[pair.a], pair.at_a, T_world_a)
    seen = fit_pose(K, places, pair.at_b, _depth_at(views[pair.b], pair.at_b), invert(guess))
    rest = Sighting(invert(guess), _near(K, places, pair.at_b, guess), seen.miss_px)
    if rest.weight.sum() >= max(
        STILL_SHARE * _near(K, places, pair.at_b, invert(seen.T_cam_points)).sum(), LEAST_POINTS
    ):
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


def _match(K: np.ndarray, views: dict[int, View], path: _Path, t: int) -> Sighting | None:
    """Where view t stands by features matched with the placed views before it; what was matched is kept."""
    best: Sighting | None = None
    for a in sorted(path.poses, reverse=True)[:WIDE_BACK]:
        found = match_features(views[a].grey, views[t].grey, views[a].shown, views[t].shown)
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
    found, turn, shift, _ = cv2.solvePnPRansac(
        places, pixels.astype(float), K, None, iterationsCount=300, reprojectionError=3.0, flags=cv2.SOLVEPNP_EPNP
    )
    if not found:
        return None
    return invert(rigid(Rotation.from_rotvec(turn[:, 0]).as_matrix(), shift[:, 0]))


def _settle(K: np.ndarray, views: dict[int, View], path: _Path) -> None:
    """Place every matched view again by all its matches, before and after it, until they agree."""
    for _ in range(SWEEPS if path.pairs else 0):
        for t in sorted({pair.b for pair in path.pairs}):
            parts = [(pair.a, pair.at_a, pair.at_b) for pair in path.pairs if pair.b == t]
            parts += [(pair.b, pair.at_b, pair.at_a) for pair in path.pairs if pair.a == t]
            places = np.concatenate([_places(K, views[other], there, path.poses[other]) for other, there, _ in parts])
            here = np.concatenate([at for _, _, at in parts])
            known = np.isfinite(places).all(axis=1)
            seen = fit_pose(K, places[known], here[known], _depth_at(views[t], here[known]), invert(path.poses[t]))
            if _agree(seen):
                path.poses[t] = invert(seen.T_cam_points)


def _places(K: np.ndarray, view: View, pixels: np.ndarray, T_world_cam: np.ndarray) -> np.ndarray:
    rays = np.column_stack([pixels, np.ones(len(pixels))]) @ np.linalg.inv(K).T
    return apply(T_world_cam, rays * _depth_at(view, pixels)[:, None])


def _depth_at(view: View, pixels: np.ndarray) -> np.ndarray:
    """[N] depth at the nearest pixels, NaN where it is not trusted."""
    column, row = _nearest(view, pixels)
    return np.where(view.trusted[row, column], view.depth_m[row, column], np.nan)


def _nearest(view: View, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Column and row [N] of the nearest pixels in the picture."""
    column, row = np.clip(np.rint(pixels), 0, np.array(view.grey.shape[::-1]) - 1).astype(int).T
    return column, row
