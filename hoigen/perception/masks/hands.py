"""Masks of the hands whose keypoints are known: these seed and bound a hand, colours of this very segment decide.

A hand's pixels are near its skeleton; its arm's are on a strip from the wrist away from the fingers. Colours of both
and of what surrounds them are learned from the pixels that the keypoints name; the field over space and time settles
the rest.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import scipy.ndimage

from hoigen.geometry.camera import pixel_grid
from hoigen.perception.masks.colour import Palette
from hoigen.perception.masks.field import Links, settle
from hoigen.perception.masks.skin import skin_likeness
from hoigen.perception.masks.view import View, sampled

WRIST, KNUCKLES = 0, np.array([5, 9, 13, 17])
FINGERS = [[0, 1, 2, 3, 4], [0, 5, 6, 7, 8], [9, 10, 11, 12], [13, 14, 15, 16], [0, 17, 18, 19, 20]]
PALM = [0, 1, 5, 9, 13, 17]

BRIDGED = 8
"""A hand that is not seen in at most this many frames is followed through them by the flow."""

SEED, AROUND = 0.07, 2.5
"""Lengths of the palm: so near its skeleton a hand's colours are learned, and up to here those of what surrounds it."""

BARE = 0.35
"""A hand is bare if this fraction of its seeds may be skin."""

PLACES, BY_PLACE = [0, 0.07, 0.2, 0.45, 0.6], [1.0, 1.0, 0.3, -2.0, -12.0]
"""Log odds of hand at these distances from its skeleton, in lengths of the palm."""

ACROSS, BY_ARM = [0, 0.6, 1, 1.4, 1.6], [0.5, 0.3, -0.5, -2.0, -12.0]
"""Log odds of arm at these distances from its axis, in halves of its width."""

ARM, ARM_GROWTH = 0.42, 0.08
"""Half the width of an arm at the wrist, in lengths of the palm, and how much wider it looks with every length more."""

DIRECTIONS, MAX_BEND, BEND_COST = 48, np.radians(75), 0.6
"""Directions of the arm that are tried, its largest angle with the hand's axis, and what an angle's square costs."""

ARM_STEADY, COARSE = 5, 3
"""An arm's direction is that of so many frames together; it is searched in every third pixel."""

COLOUR, LIMIT = 1.2, 2.5
"""Weight of colours, whose log odds are within this limit."""

OTHER = 3e-4
"""A colour of neither a hand nor what surrounds it is rather an object's: it counts as this fraction of the latter."""

ROUNDS, SWEEPS = 2, 2
"""Colours are learned this often from labels that so many sweeps settle."""

OFF = -12.0


@dataclass(frozen=True, eq=False)
class Skeletons:
    """Keypoints at the view's size: [T,I,21,2] float32 (u, v), NaN where the hand is neither seen nor bridged.

    size: [T,I] float32 pixels, the length of the palm; where it is foreshortened, by its width.
    """

    keypoints: np.ndarray
    size: np.ndarray

    @property
    def known(self) -> np.ndarray:
        """[T,I] bool."""
        return np.isfinite(self.size)


def skeletons_of(keypoints: np.ndarray, view: View) -> Skeletons:
    """Of keypoints [T,I,21,2] at the view's size, NaN where not seen: short gaps are bridged along the flow."""
    points = keypoints.copy()
    for i in range(points.shape[1]):
        seen = np.flatnonzero(np.isfinite(points[:, i, 0, 0]))
        for before, after in itertools.pairwise(seen):
            if 1 < after - before <= BRIDGED + 1:
                _bridge(points[before : after + 1, i], view.forward[before:after], view.backward[before:after])
    long = np.linalg.norm(points[:, :, KNUCKLES] - points[:, :, [WRIST]], axis=-1).max(-1)
    wide = np.linalg.norm(points[:, :, KNUCKLES[0]] - points[:, :, KNUCKLES[-1]], axis=-1)
    return Skeletons(points, np.maximum(long, 1.3 * wide))


def _bridge(points: np.ndarray, forward: np.ndarray, backward: np.ndarray) -> None:
    """Fill [n,21,2] between its ends, moved as a whole along the flow from both; the nearer counts more."""
    later, sooner = points.copy(), points.copy()
    for t in range(1, len(points) - 1):
        later[t] = later[t - 1] + _motion(forward[t - 1], later[t - 1])
        sooner[-1 - t] = sooner[-t] + _motion(backward[-t], sooner[-t])
    part = np.linspace(0, 1, len(points), dtype=np.float32)[:, None, None]
    points[1:-1] = ((1 - part) * later + part * sooner)[1:-1]


def _motion(flow: np.ndarray, points: np.ndarray) -> np.ndarray:
    return np.median(sampled(flow, points[None], cv2.INTER_LINEAR)[0], 0)


def label_hands(view: View, skeletons: Skeletons) -> np.ndarray:
    """[T,h,w,1+I] float32 beliefs in scene and each hand; each hand's pixels hang together with its skeleton."""
    palette = Palette(view.lab)
    links = Links(view.lab, view.depth_m, view.forward, view.backward, view.forward_ok, view.backward_ok)
    hands = skeletons.known.shape[1]
    away = np.full((hands, *view.shape), np.inf, np.float32)
    for t, i in zip(*np.nonzero(skeletons.known), strict=True):
        away[i, t] = _from_skeleton(skeletons.keypoints[t, i], view.shape[1:]) / skeletons.size[t, i]
    by_place = np.interp(away, PLACES, BY_PLACE).astype(np.float32)
    sure, arms = _seeds(away, skin_likeness(view.lab) > 0), np.zeros_like(away)
    belief = np.zeros((*view.shape, 1 + hands), np.float32)
    for _ in range(ROUNDS):
        score = np.zeros_like(belief)
        for i in range(hands):
            around = (away[i] > PLACES[-2]) & (away[i] < AROUND) & ~sure.any(0)
            colour = palette.favours(palette.learn(sure[i]), palette.learn(around) + OTHER, LIMIT)
            arms[i] = arms_of(skeletons.keypoints[:, i], skeletons.size[:, i], colour)
            score[..., 1 + i] = np.maximum(by_place[i], arms[i]) + COLOUR * colour
        belief = settle(score, links, score[..., 1:].max(-1) > OFF / 2, SWEEPS)
        sure = np.moveaxis(belief[..., 1:] > 0.7, -1, 0)
    return _connected(belief, away, by_place >= arms)


def _seeds(away: np.ndarray, skin: np.ndarray) -> np.ndarray:
    """[I,T,h,w] bool, the pixels from which a hand's colours are learned first: those of bare skin if there are enough.

    What a hand holds hides some of it, and is not to be learned with it.
    """
    sure = away < SEED
    for mine in sure:
        bare = mine & skin
        if bare.sum() > BARE * mine.sum():
            mine &= bare
    return sure


def _from_skeleton(points: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """[h,w] float32 pixels from the bones and the palm of points [21,2]."""
    palm = cv2.convexHull(points[PALM])[:, 0]
    return distance_from(FINGERS, points, shape, palm)


def distance_from(
    bones: Sequence[Sequence[int]], points: np.ndarray, shape: tuple[int, int], filled: np.ndarray | None = None
) -> np.ndarray:
    """[h,w] float32 pixels from chains of ``bones`` between points [21,2] and from what is ``filled`` [N,2]; infinite
    if nothing of them is in the image."""
    outside = np.ones(shape, np.uint8)
    for chain in bones:
        cv2.polylines(outside, [_eighths(points[list(chain)])], False, 0, 1, cv2.LINE_8, 3)
    if filled is not None:
        cv2.fillPoly(outside, [_eighths(filled)], 0, cv2.LINE_8, 3)
    return cv2.distanceTransform(outside, cv2.DIST_L2, 3) if not outside.all() else np.full(shape, np.inf, np.float32)


def _eighths(points: np.ndarray) -> np.ndarray:
    """As cv2 draws them at an eighth of a pixel."""
    return np.rint(np.clip(points, -2000, 4000) * 8).astype(np.int32)


def arms_of(keypoints: np.ndarray, size: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """[T,h,w] float32 log odds of being on the arm of the hand with keypoints [T,21,2] by place alone.

    colour: [T,h,w] float32 log odds of its colours, which tell in what direction the arm leaves the wrist.
    """
    frames, height, width = colour.shape
    grid, known = pixel_grid(width, height).astype(np.float32), np.isfinite(size)
    turns = np.linspace(-np.pi, np.pi, DIRECTIONS, endpoint=False)
    ways = np.stack([np.cos(turns), np.sin(turns)], 1).astype(np.float32)
    fit = np.zeros((frames, DIRECTIONS))
    for t in np.flatnonzero(known):
        wrist = keypoints[t, WRIST]
        axis = (wrist - keypoints[t, KNUCKLES].mean(0)) / size[t]
        offset = (grid[::COARSE, ::COARSE] - wrist) / size[t]
        near = np.hypot(offset[..., 0], offset[..., 1]) < 2.5
        offset, odds = offset[near], colour[t, ::COARSE, ::COARSE][near]
        along, aside = offset @ ways.T, np.abs(offset @ np.stack([-ways[:, 1], ways[:, 0]]))
        middle, flank = (along > 0) & (aside < 0.3), (along > 0) & (aside > 0.6) & (aside < 0.9)
        bend = np.abs(np.angle(np.exp(1j * (turns - np.arctan2(axis[1], axis[0])))))
        fit[t] = (odds @ middle) / np.maximum(middle.sum(0), 1) - 0.5 * (odds @ flank) / np.maximum(flank.sum(0), 1)
        fit[t] -= np.linalg.norm(axis) * (BEND_COST * bend**2 + np.where(bend > MAX_BEND, 99, 0))
    steady = scipy.ndimage.uniform_filter1d(fit, ARM_STEADY, axis=0, mode='nearest')
    found = np.full(colour.shape, OFF, np.float32)
    for t in np.flatnonzero(known):
        way, offset = ways[steady[t].argmax()], (grid - keypoints[t, WRIST]) / size[t]
        along, aside = offset @ way, np.abs(offset @ np.array([-way[1], way[0]]))
        arm = np.interp(aside / (ARM + ARM_GROWTH * np.maximum(along, 0)), ACROSS, BY_ARM)
        found[t] = np.where(along > -0.2, arm, OFF)
    return found


def _connected(belief: np.ndarray, away: np.ndarray, hand: np.ndarray) -> np.ndarray:
    """The beliefs where each hand's pixels hang together with its skeleton, without slivers along its arm.

    away: [I,T,h,w] from the skeletons; hand: [I,T,h,w] bool, where hand is likelier than arm by place.
    """
    label = belief.argmax(-1)
    for i, t in np.ndindex(*away.shape[:2]):
        mine = label[t] == 1 + i
        if not mine.any():
            continue
        opened = cv2.morphologyEx(mine.astype(np.uint8), cv2.MORPH_OPEN, np.ones((7, 7)))
        _, parts = cv2.connectedComponents(((opened > 0) | (mine & hand[i, t])).astype(np.uint8), connectivity=4)
        kept = np.isin(parts, np.setdiff1d(parts[away[i, t] < SEED], 0))
        belief[t, mine & ~kept] = np.eye(belief.shape[-1], dtype=np.float32)[0]
    return belief
