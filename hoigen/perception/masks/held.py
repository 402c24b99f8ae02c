"""Masks of what hands hold: what moves as a hand does and otherwise than what surrounds it, beside the fingers.

A hand that hardly moves against its surroundings tells nothing, and there is no object then. What was seen to move with
a hand is followed along the flow to where it rests before and after.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from hoigen.geometry.camera import pixel_grid
from hoigen.perception.masks.colour import Palette
from hoigen.perception.masks.field import Links, settle
from hoigen.perception.masks.hands import Skeletons, arms_of, distance_from
from hoigen.perception.masks.view import View, carried, gathered, sampled

GRIP = [[2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12], [13, 14, 15, 16], [17, 18, 19, 20], [5, 9, 13, 17]]
"""Chains of keypoints between which things are held: fingers and knuckles."""

AHEAD = 5
"""Frames over which slow motions add up."""

HAND, AROUND = 2.0, 5.0
"""Lengths of the palm: a hand's motion is that of its pixels so near its knuckles, its surroundings are up to here."""

FIT_PX, TRIALS, LEAST = 1.5, 100, 20
"""Motions are fitted to within so many pixels, by so many trials, from at least so many pixels."""

TELLS_PX, SURE_PX = 0.5, 2.0
"""A hand that moves less than the first against its surroundings tells nothing; from the second on it tells all."""

DIFFERS, VAGUE = 8.0, 0.4
"""Of what moves with the hand the surroundings' motion explains the colours worse by so much (Lab, summed); else it
counts less by so much, for without texture flow bleeds across the rim of a hand."""

KEEPS = 0.8
"""What is known of a pixel's motion counts so much less with every frame that it is carried along."""

TOGETHER = 2.5
"""A pixel that was so many frames more together with a hand than apart from it is a seed."""

TOUCH, GRASPED, REACH = 1.2, 0.5, 5.0
"""Lengths of the palm from the grip: seeds are nearer, parts come so near, and nothing is farther."""

MIN_SEED, MIN_FRAMES = 0.05, 3
"""Seeds fill so many square palms in at least so many frames."""

PRIOR, MOVED, STAYED, ON_ARM, ENCLOSED = -2.2, 2.5, -1.5, -6.0, 1.5
"""Log odds of object: of any pixel; and of one that was surely together with the hand; that stays; that is on the arm's
side; that does not stay and is within the convex hull of what was found before."""

NEAR_ARM = -1.5
"""Log odds of arm by place alone above which no object begins."""

LIKE_HAND = 1.5
"""Log odds of a hand's colours from which a pixel is no seed: it may be of another hand that nothing has found."""

LIMIT, OFF, ASKED = 2.5, -20.0, -3.0
"""Colours' log odds are within the first; pixels out of reach have the second; the field is asked above the third."""

ALIKE, THICK, MIN_AREA = 0.65, 0.3, 0.05
"""An object shares no more of its colours with what is just beside it, so much of it is more than two pixels from its
border, and it fills so many square palms; otherwise it is the rim of a hand, or chance."""

BESIDE, ASIDE = 3, 13
"""Just beside an object are pixels out of the first but within the second window, of pixels, about its own."""

MAIN = 0.2
"""Parts of an object are at least so large beside its largest one in the frame."""

SAME = 0.5
"""Hands whose seeds overlap by this fraction of the smaller hold one object."""

ROUNDS, SWEEPS = 3, 2


@dataclass(frozen=True, eq=False)
class _Grasp:
    """A hand and what moves with it: maps [T,h,w]. seed: bool; ever: float32 in [0, 1], how surely a pixel is together
    with the hand at any time; stays: the same of not being so; reach: palms from the grip; arm: bool, on its side."""

    seed: np.ndarray
    ever: np.ndarray
    stays: np.ndarray
    reach: np.ndarray
    arm: np.ndarray


def add_held(view: View, skeletons: Skeletons, belief: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Beliefs [T,h,w,1+I+K] in scene, in the I hands of ``belief`` [T,h,w,1+I] and in K objects; and of each hand
    without one why."""
    hands, frames = belief.shape[-1] - 1, len(belief)
    label = belief.argmax(-1)
    covered = np.stack([_wider(frame > 0, 3) for frame in label])
    steps, palette = _ahead(view), Palette(view.lab)
    grasps, reasons = list[_Grasp](), list[str]()
    for i in range(hands):
        together, moved = _together(view, skeletons, i, label, covered, steps)
        bare = palette.favours(palette.learn(label == 1 + i), palette.learn(label == 0), LIMIT) > LIKE_HAND
        grasp = _grasp(view, skeletons, i, label, covered | bare, together)
        palm = np.nan_to_num(skeletons.size[:, i], nan=np.inf) ** 2
        if (grasp.seed.sum((1, 2)) >= MIN_SEED * palm).sum() >= min(MIN_FRAMES, frames - 1):
            grasps.append(grasp)
        elif moved < TELLS_PX:
            reasons.append(f'hand {i + 1} hardly moves against what surrounds it: what it holds cannot be told')
        else:
            reasons.append(f'nothing beside hand {i + 1} is seen to move with it')
    objects = list[np.ndarray]()
    grasps = list(_joined(grasps))
    held = _settled(view, palette, belief, grasps)
    label = held.argmax(-1)
    for k, grasp in enumerate(grasps, 1 + hands):
        mine = _touching(view, label == k, grasp)
        why = _doubt(palette, mine, label, skeletons)
        if why:
            reasons.append(why)
        else:
            objects.append(np.where(mine, held[..., k], 0))
    held = np.concatenate([held[..., : 1 + hands], *(found[..., None] for found in objects)], -1)
    held[..., 0] = 1 - held[..., 1:].sum(-1)
    return held, reasons


def _ahead(view: View) -> tuple[np.ndarray, np.ndarray]:
    """Of every second pixel: [T,h/2,w/2,2] float32 pixels that it goes in the next frames, and where that is known."""
    grid = pixel_grid(view.shape[2], view.shape[1]).astype(np.float32)[::2, ::2]
    ways, known = [], []
    for t in range(len(view.lab) - 1):
        place, ok = grid, np.ones(grid.shape[:2], bool)
        for k in range(t, min(t + AHEAD, len(view.forward))):
            ok = ok & (sampled(view.forward_ok[k].astype(np.uint8), place, cv2.INTER_NEAREST) > 0)
            place = place + sampled(view.forward[k], place, cv2.INTER_LINEAR)
        ways.append(place - grid)
        known.append(ok)
    return np.stack(ways), np.stack(known)


def _together(
    view: View,
    skeletons: Skeletons,
    i: int,
    label: np.ndarray,
    covered: np.ndarray,
    steps: tuple[np.ndarray, np.ndarray],
) -> tuple[np.ndarray, float]:
    """How surely each pixel moves as hand i does, [T,h,w] float32 in [-1, 1], -1 as what surrounds it does, 0 unknown;
    and how far the hand mostly moves against that, pixels."""
    found, moved = np.zeros(view.shape, np.float32), [0.0]
    grid = pixel_grid(view.shape[2], view.shape[1]).astype(np.float32)[::2, ::2]
    for t in np.flatnonzero(skeletons.known[:-1, i]):
        way, ok = steps[0][t], steps[1][t]
        centre = skeletons.keypoints[t, i, [0, 5, 9, 13, 17]].mean(0)
        away = np.hypot(*np.moveaxis(grid - centre, -1, 0)) / skeletons.size[t, i]
        mine = (label[t, ::2, ::2] == 1 + i) & ok & (away < HAND)
        others = ~covered[t, ::2, ::2] & ok & (away < AROUND)
        if min(mine.sum(), others.sum()) < LEAST:
            continue
        as_hand = _fitted(cv2.estimateAffinePartial2D, grid, way, mine)
        as_others = _fitted(cv2.estimateAffine2D, grid, way, others)
        if as_hand is None or as_others is None:
            continue
        off_hand, off_others = (np.linalg.norm(way - motion, axis=-1) for motion in (as_hand, as_others))
        apart = np.linalg.norm(as_hand - as_others, axis=-1)
        moved.append(float(np.median(apart[mine])))
        surely = np.clip((apart - TELLS_PX) / (SURE_PX - TELLS_PX), 0, 1) * ok
        surely *= np.minimum(off_hand, off_others) < apart  # what moves as neither does is a third
        one = surely * np.clip((off_others - off_hand) / np.maximum(apart, 0.1), -1, 1)
        later = view.lab[min(int(t) + AHEAD, len(view.lab) - 1)]
        worse = _unlike(view.lab[t], later, grid, as_others) - _unlike(view.lab[t], later, grid, as_hand)
        one = np.where((one > 0) & (worse < DIFFERS), VAGUE * one, one)
        found[t] = cv2.resize(one.astype(np.float32), view.shape[:0:-1], interpolation=cv2.INTER_LINEAR)
    return found, float(np.percentile(moved, 75))


def _unlike(now: np.ndarray, later: np.ndarray, grid: np.ndarray, motion: np.ndarray) -> np.ndarray:
    """[h/2,w/2] float32: how far the colours of ``now`` are from those of ``later`` if all moves so."""
    there = sampled(later, grid + motion, cv2.INTER_LINEAR)
    return cv2.blur(cv2.absdiff(there, now[::2, ::2]).astype(np.float32).sum(-1), (3, 3))


def _fitted(
    fit: Callable[..., tuple[np.ndarray | None, np.ndarray]], grid: np.ndarray, way: np.ndarray, where: np.ndarray
) -> np.ndarray | None:
    """[h/2,w/2,2] pixels that every place goes if all moves as what is ``where`` does."""
    here = grid[where]
    motion, _ = fit(here, here + way[where], method=cv2.RANSAC, ransacReprojThreshold=FIT_PX, maxIters=TRIALS)
    return (
        None if motion is None else grid @ motion[:, :2].T.astype(np.float32) + motion[:, 2].astype(np.float32) - grid
    )


def _grasp(
    view: View, skeletons: Skeletons, i: int, label: np.ndarray, covered: np.ndarray, together: np.ndarray
) -> _Grasp:
    together = gathered(view, together, KEEPS)
    reach = np.full(view.shape, np.inf, np.float32)
    for t in np.flatnonzero(skeletons.known[:, i]):
        reach[t] = distance_from(GRIP, skeletons.keypoints[t, i], view.shape[1:]) / skeletons.size[t, i]
    bare = np.where(label == 1 + i, np.float32(2), np.float32(-1))
    arm = (arms_of(skeletons.keypoints[:, i], skeletons.size[:, i], bare) > NEAR_ARM) & (reach > GRASPED)
    seed = (together > TOGETHER) & ~covered & (reach < TOUCH) & ~arm
    ever = carried(view, np.where(covered | (reach > REACH), 0, np.clip(together / (2 * TOGETHER), 0, 1)))
    stays = np.where(ever < 0.3, np.clip(-together / (2 * TOGETHER), 0, 1), 0).astype(np.float32)
    return _Grasp(seed, ever, stays, reach, arm)


def _joined(grasps: list[_Grasp]) -> Iterator[_Grasp]:
    """One of each object: two hands may hold the same."""
    left = grasps
    while left:
        one, *left = left
        for other in list(left):
            if (one.seed & other.seed).sum() > SAME * min(one.seed.sum(), other.seed.sum()):
                left.remove(other)
                one = _Grasp(
                    one.seed | other.seed,
                    np.maximum(one.ever, other.ever),
                    np.minimum(one.stays, other.stays),
                    np.minimum(one.reach, other.reach),
                    one.arm | other.arm,
                )
        yield one


def _settled(view: View, palette: Palette, belief: np.ndarray, grasps: list[_Grasp]) -> np.ndarray:
    """[T,h,w,1+I+K] beliefs in scene, the hands of ``belief`` [T,h,w,1+I] and each grasp's object."""
    hands = belief.shape[-1] - 1
    links = Links(view.lab, view.depth_m, view.forward, view.backward, view.forward_ok, view.backward_ok)
    score = np.zeros((*view.shape, 1 + hands + len(grasps)), np.float32)
    score[..., 1 : 1 + hands] = np.clip(np.log(belief[..., 1:] + 1e-4) - np.log(belief[..., :1] + 1e-4), -4, 4)
    label = belief.argmax(-1)
    scene, objects, hand = label == 0, [grasp.seed for grasp in grasps], palette.learn(label > 0)
    for _ in range(ROUNDS):
        for k, (grasp, mine) in enumerate(zip(grasps, objects, strict=True), 1 + hands):
            around = scene & (grasp.reach < REACH / 2) & ~mine & (grasp.stays > 0.3)
            colour = palette.favours(palette.learn(mine) + palette.learn(grasp.seed), 2 * palette.learn(around), LIMIT)
            near = (grasp.reach < REACH) | (grasp.ever > 0.3)
            colour -= np.maximum(palette.favours(hand, palette.learn(mine), LIMIT), 0)
            likely = PRIOR + MOVED * grasp.ever + STAYED * grasp.stays + ON_ARM * grasp.arm + colour
            likely += ENCLOSED * np.stack([_enclosed(frame) for frame in mine]) * (1 - grasp.stays)
            score[..., k] = np.where(near, likely, OFF)
        held = settle(score, links, score[..., 1:].max(-1) > ASKED, SWEEPS)
        label = held.argmax(-1)
        scene, objects = label == 0, [label == k for k in range(1 + hands, score.shape[-1])]
    return held


def _enclosed(mask: np.ndarray) -> np.ndarray:
    """[h,w] uint8: 1 inside the convex hull of the largest part of ``mask`` [h,w] bool."""
    outlines = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
    inside = np.zeros(mask.shape, np.uint8)
    if outlines:
        cv2.fillPoly(inside, [cv2.convexHull(max(outlines, key=cv2.contourArea))], 1)
    return inside


def _touching(view: View, mask: np.ndarray, grasp: _Grasp) -> np.ndarray:
    """The parts of ``mask`` [T,h,w] bool that come up to the grip, and what these become along the flow."""
    grid = pixel_grid(view.shape[2], view.shape[1]).astype(np.float32)
    parts = []
    for frame in mask:
        opened = cv2.morphologyEx(frame.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3)))
        parts.append(cv2.connectedComponents(opened, connectivity=4)[1])
    kept = np.stack([_of_parts(p, grasp.reach[t] < GRASPED) for t, p in enumerate(parts)])
    for order, flow, step in (
        (range(1, len(mask)), view.backward, -1),
        (range(len(mask) - 2, -1, -1), view.forward, 1),
    ):
        for t in order:
            came = sampled(kept[t + step].astype(np.uint8), grid + flow[min(t, t + step)], cv2.INTER_NEAREST) > 0
            kept[t] |= _of_parts(parts[t], came, 0.5)
    return np.stack([_of_parts(p, mine, main=MAIN) for p, mine in zip(parts, kept, strict=True)])


def _of_parts(parts: np.ndarray, where: np.ndarray, fraction: float = 0.0, main: float = 0.0) -> np.ndarray:
    """[h,w] bool: the numbered ``parts`` [h,w] that are ``where`` in more than a fraction of their pixels; of these
    those that have the fraction ``main`` of the largest one's."""
    size = np.bincount(parts.ravel())
    keep = np.bincount(parts.ravel(), where.ravel(), minlength=len(size)) > fraction * size
    keep[0] = False
    return (keep & (size >= main * size[keep].max(initial=0)))[parts]


def _doubt(palette: Palette, mine: np.ndarray, label: np.ndarray, skeletons: Skeletons) -> str:
    """Why what was found, [T,h,w] bool, is no object; '' if it is one."""
    area = mine.sum((1, 2)) / np.nanmedian(skeletons.size) ** 2
    if (area > MIN_AREA).sum() < min(MIN_FRAMES, len(mine) - 1):
        return 'what moves with a hand is too small to be told from its rim'
    deep = sum(int((cv2.distanceTransform(frame.astype(np.uint8), cv2.DIST_L2, 3) > 2).sum()) for frame in mine)
    if deep < THICK * mine.sum():
        return 'what moves with a hand is but a rim of it'
    beside = np.stack([_wider(frame, ASIDE) & ~_wider(frame, BESIDE) for frame in mine]) & (label == 0)
    if np.minimum(palette.learn(mine), palette.learn(beside)).sum() > ALIKE:
        return 'what moves with a hand has the colours of what is beside it'
    return ''


def _wider(mask: np.ndarray, window: int) -> np.ndarray:
    return cv2.dilate(mask.astype(np.uint8), np.ones((window, window))) > 0
