"""Bare hands and what they hold in plain RGB: a broad model of skin, made narrow by what moves in this clip."""

from __future__ import annotations

import cv2
import numpy as np

from hoigen.conventions import HAND, OBJECT, ROLE_CODE
from hoigen.perception.masks.colour import Palette
from hoigen.perception.masks.field import Links, settle
from hoigen.perception.masks.motion import Steadied, unlike_background
from hoigen.perception.masks.view import View, carried

SKIN_MIDDLE, SKIN_WIDTH = (14.0, 15.0), (7.0, 9.0)
"""The chromas a and b of human skin under indoor light, and how far they spread (Lab, about 128 in OpenCV)."""

DARK = 50.0
"""Below this lightness, of 255, chroma tells little."""

BARE = 0.33
"""Hands are bare when this share of what moves has the colour of skin."""

ROUNDS, SWEEPS = 3, 2

WIDEST_ENTRY_PX = 60
"""An arm enters the picture over fewer pixels of its border."""

REACH_PX = 24
"""What a hand holds is not farther from it than this."""


def skin_likeness(lab: np.ndarray) -> np.ndarray:
    """[T,h,w] float32 in [-3, 1.5]: log odds that a colour [T,h,w,3] uint8 is skin's, under a broad model."""
    light, a, b = (lab[..., c].astype(np.float32) for c in range(3))
    far = sum(
        ((chroma - 128 - middle) / width) ** 2
        for chroma, middle, width in zip((a, b), SKIN_MIDDLE, SKIN_WIDTH, strict=True)
    )
    return np.clip(1.5 - far - np.clip((DARK - light) / 20, 0, 3), -3, 1.5).astype(np.float32)


def bare_hands(view: View, steadied: Steadied) -> bool:
    """Whether most of what moves could be bare hands and arms."""
    moving = steadied.moves > 0.3
    return bool(moving.any()) and float((skin_likeness(view.lab)[moving] > 0).mean()) > BARE


def label_bare_hands(view: View, steadied: Steadied) -> np.ndarray:
    """[T,h,w,3] float32 beliefs in scene, hand and object (role codes)."""
    skin, ever = skin_likeness(view.lab) - _roughness(view.lab), steadied.ever
    palette = Palette(view.lab)
    links = Links(view.lab, None, view.forward, view.backward, view.forward_ok, view.backward_ok)
    background, sure = steadied.background(view.lab, np.where(steadied.moves > 0.3, 0.01, 1.03 - ever))
    far, shade = unlike_background(view.lab, background)
    same = sure * (shade | (far < 6))
    moved = ever * (1 - 0.7 * same)
    travels = carried(view, np.clip((steadied.travel - 2) / 2, 0, 1))
    first = hand = palette.learn((skin > 0.8) & (ever > 0.5) & (same < 0.5))
    scene = palette.learn(ever < 0.2)
    held: np.ndarray | None = None
    beside, near = scene, np.zeros(view.shape, bool)
    for _ in range(ROUNDS):
        looks = 0.8 * skin + 1.2 * palette.favours(hand, scene, 2.5)
        score = np.zeros((*view.shape, 3), np.float32)
        score[..., ROLE_CODE[HAND]] = looks + 1.8 * moved - 2.4
        score[..., ROLE_CODE[OBJECT]] = -9
        if held is not None:
            other = 1.3 * palette.favours(held, beside, 2.5) + 0.7 * np.minimum(palette.favours(held, hand, 2.5), 1)
            score[..., ROLE_CODE[OBJECT]] = other + 2.5 * travels - 3.5 - 5 * ~near - 2 * same
        belief = settle(score, links, score[..., 1:].max(-1) > -1.5, SWEEPS)
        is_hand = _likely_parts(belief[..., ROLE_CODE[HAND]] > 0.5, moved, looks)
        near = np.stack([cv2.dilate(tips, np.ones((2 * REACH_PX + 1,) * 2)) > 0 for tips in _tips(is_hand)])
        is_held = belief[..., ROLE_CODE[OBJECT]] > 0.7
        rest = ~is_hand & ~is_held & (ever < 0.3)
        hand, scene, beside = (first + palette.learn(is_hand)) / 2, palette.learn(rest), palette.learn(rest & near)
        if held is None:
            is_held = _inner((travels > 0.6) & (skin < -0.5) & near & ~is_hand)
        held = palette.learn(is_held)
    is_held = _at_the_tips(_inner(belief[..., ROLE_CODE[OBJECT]] > 0.5), is_hand, _tips(is_hand))
    belief[~is_hand & ~is_held] = [1, 0, 0]
    return belief


def _roughness(lab: np.ndarray) -> np.ndarray:
    """[T,h,w] float32 in [0, 1.5]: how much rougher than skin a place looks."""
    rough = np.empty(lab.shape[:3], np.float32)
    for t, frame in enumerate(lab):
        light = frame[..., 0].astype(np.float32)
        rough[t] = cv2.blur(np.abs(light - cv2.blur(light, (5, 5))), (9, 9))
    return np.clip((rough - 6) / 3, 0, 1.5)


def _likely_parts(mask: np.ndarray, moved: np.ndarray, looks: np.ndarray) -> np.ndarray:
    """The parts of ``mask`` [T,h,w] bool, frame by frame, of which much moves at any time.

    What rests through the whole stretch must look very much like a hand, have its size, not lie along the border as
    floors do, and not be a third one.
    """
    kept = np.zeros_like(mask)
    for t, frame in enumerate(mask):
        count, labels, stats, _ = cv2.connectedComponentsWithStats(frame.astype(np.uint8), connectivity=4)
        area = stats[:, cv2.CC_STAT_AREA]
        moves = np.bincount(labels.ravel(), (moved[t] > 0.4).ravel(), minlength=count) / np.maximum(area, 1)
        like = np.bincount(labels.ravel(), looks[t].ravel(), minlength=count) / np.maximum(area, 1)
        area[0] = 0
        rim = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
        along = np.bincount(rim, minlength=count)
        keep = (area >= 60) & ((moves > 0.5) | ((moves > 0.25) & (along < WIDEST_ENTRY_PX))) & (like > 0.5)
        fit = (area >= 0.15 * area.max()) & (like > 2.2) & (along < WIDEST_ENTRY_PX)
        resting = np.flatnonzero(fit & ~keep)
        free = max(2 - int((keep & (area >= 0.4 * area.max())).sum()), 0)
        keep[resting[np.argsort(-like[resting])][:free]] = True
        kept[t] = keep[labels]
    return kept


def _tips(hands: np.ndarray) -> np.ndarray:
    """[T,h,w] uint8: of each part of ``hands`` [T,h,w] bool the end away from where it enters the picture."""
    tips = np.zeros(hands.shape, np.uint8)
    height, width = hands.shape[1:]
    for t, frame in enumerate(hands):
        count, labels = cv2.connectedComponents(frame.astype(np.uint8), connectivity=4)
        for n in range(1, count):
            v, u = np.nonzero(labels == n)
            margin = np.minimum(np.minimum(v, height - 1 - v), np.minimum(u, width - 1 - u))
            if margin.min() > 2:  # a sleeve hides the border: the wearer of the camera reaches in from below
                margin = height - 1 - v
            enters = margin <= margin.min() + 3
            away = np.hypot(v - v[enters].mean(), u - u[enters].mean())
            tip = away > 0.6 * away.max()
            tips[t, v[tip], u[tip]] = 1
    return tips


def _at_the_tips(mask: np.ndarray, hands: np.ndarray, tips: np.ndarray) -> np.ndarray:
    """The parts of ``mask`` [T,h,w] bool that touch hands at their ends: a sleeve touches them where they begin."""
    kept = np.zeros_like(mask)
    for t, frame in enumerate(mask):
        count, labels = cv2.connectedComponents(frame.astype(np.uint8), connectivity=4)
        beside = cv2.dilate(labels.astype(np.float32), np.ones((15, 15))).astype(int)
        touches = np.bincount(beside[hands[t]], minlength=count)
        at_tips = np.bincount(beside[tips[t] > 0], minlength=count)
        keep = (touches >= 5) & (at_tips >= 0.2 * touches)
        keep[0] = False
        kept[t] = keep[labels]
    return kept


def _inner(mask: np.ndarray) -> np.ndarray:
    """``mask`` [T,h,w] bool without the parts that reach the picture's border, and without specks."""
    inner = np.zeros_like(mask)
    for t, frame in enumerate(mask):
        opened = cv2.morphologyEx(frame.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3)))
        count, labels = cv2.connectedComponents(opened, connectivity=4)
        keep = np.ones(count, bool)
        for rim in (labels[:2], labels[-2:], labels[:, :2], labels[:, -2:]):
            keep[rim.ravel()] = False
        keep[0] = False
        inner[t] = keep[labels]
    return inner
