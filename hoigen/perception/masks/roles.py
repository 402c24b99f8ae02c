"""Which of what stands out is hand and which is object.

What rests while something else moves is the object, and what moves then is the hand. Colours learned from these sure
pixels and the field over space and time decide the rest.
"""

from __future__ import annotations

import cv2
import numpy as np

from hoigen.conventions import HAND, OBJECT, ROLE_CODE
from hoigen.perception.masks.colour import Palette
from hoigen.perception.masks.field import Links, settle
from hoigen.perception.masks.regions import Front, Resting, resting_things
from hoigen.perception.masks.view import View

ROUNDS, SWEEPS = 3, 2
"""Colours are learned this often anew from labels that so many sweeps settle."""


def label_roles(view: View, front: Front) -> np.ndarray:
    """[T,h,w,3] float32 beliefs in scene, hand and object (role codes)."""
    things = resting_things(front.regions, view.shape[1] * view.shape[2], front.near)
    hand, thing = (_cores(sure) for sure in _sure(view, front, things[0] if things else None))
    palette = Palette(view.lab)
    links = Links(view.lab, view.depth_m, view.forward, view.backward, view.forward_ok, view.backward_ok)
    active = np.stack([cv2.dilate(s, np.ones((7, 7))) > 0 for s in front.score])
    around = np.stack([cv2.dilate(cv2.erode(s, np.ones((5, 5))), np.ones((41, 41))) > 0 for s in front.score])
    scene = palette.learn((front.score <= 0) & around & np.isfinite(front.places[..., 0]))
    first = [palette.learn(hand), palette.learn(thing)]
    colours, elsewhere = first, np.zeros(view.shape, np.float32)
    for _ in range(ROUNDS):
        either = palette.favours((colours[0] + colours[1]) / 2, scene, 2.0)
        whose = palette.favours(colours[1], colours[0], 2.5) / 2 if things else np.float32(-4)
        score = np.zeros((*view.shape, 3), np.float32)
        base = front.score + front.trust * either
        score[..., ROLE_CODE[HAND]] = base - whose
        score[..., ROLE_CODE[OBJECT]] = base + whose + 3.0 * thing - 3.0 * hand - elsewhere
        belief = settle(score, links, active, SWEEPS)
        now = [palette.learn(belief[..., role] > 0.7) for role in (ROLE_CODE[HAND], ROLE_CODE[OBJECT])]
        colours = [(a + b) / 2 if a.any() else b for a, b in zip(first, now, strict=True)]
        if things:
            elsewhere = _elsewhere(front, belief[..., ROLE_CODE[OBJECT]] > 0.5, things[0], active)
    return belief


def _sure(view: View, front: Front, thing: Resting | None) -> tuple[np.ndarray, np.ndarray]:
    """Pixels [T,h,w] bool that are surely hand, and surely object: from the moments at which both are apart."""
    count, height, width = view.shape
    hand, held = np.zeros((2, count, height * width), bool)
    if thing is None:
        for row in front.regions:
            for region in row:
                hand[region.t, region.pixels] = region.edge >= 4
        return hand.reshape(view.shape), held.reshape(view.shape)
    for region in thing.regions:
        held[region.t, region.pixels] = True
    mine = {id(region) for region in thing.regions}
    for t in sorted({region.t for region in thing.regions}):
        wide = cv2.dilate(held[t].reshape(height, width).astype(np.uint8), np.ones((5, 5))).ravel() > 0
        for region in front.regions[t]:
            if id(region) not in mine and (region.edge >= 4 or region.moving > 0.3 * len(region.pixels)):
                hand[t, region.pixels] = ~wide[region.pixels]
    return hand.reshape(view.shape), held.reshape(view.shape)


def _cores(sure: np.ndarray) -> np.ndarray:
    """``sure`` without its rims, where depth cameras blur things and what is behind; all of it where it is thin."""
    cores = np.stack([cv2.erode(frame.astype(np.uint8), np.ones((5, 5))) for frame in sure]) > 0
    return cores if cores.sum() > 0.2 * sure.sum() else sure


def _elsewhere(front: Front, held: np.ndarray, thing: Resting, active: np.ndarray) -> np.ndarray:
    """[T,h,w] float32 >= 0: how far outside the object's reach a pixel lies, following the object from where it rested.

    held: [T,h,w] bool, pixels believed to show the object. active: [T,h,w] bool, those that are asked for.
    """
    resting, radius = thing.places()
    first, count = min(resting), len(held)
    middles: list[np.ndarray] = [resting[first]] * count
    for order in (range(first, count), range(first, -1, -1)):
        middle = resting[first]
        for t in order:
            shown = front.places[t][held[t]]
            near = shown[np.linalg.norm(shown - middle, axis=1) < 2 * radius + 2.5 * front.near]
            if t in resting:
                middle = resting[t]
            elif len(near) > 20:
                middle = np.median(near, 0)
            middles[t] = middle
    outside = np.zeros(active.shape, np.float32)
    for t, middle in enumerate(middles):
        way = front.places[t][active[t]] - middle.astype(np.float32)
        away = np.sqrt(np.einsum('nd,nd->n', way, way))
        outside[t][active[t]] = np.clip((np.nan_to_num(away) / (1.35 * radius) - 1) * 8, 0, 4)
    return outside
