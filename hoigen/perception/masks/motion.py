"""What stands out in plain RGB: what moves otherwise than the background does, and what looks otherwise than it."""

from __future__ import annotations

import cv2
import numpy as np

from hoigen.geometry.camera import pixel_grid
from hoigen.perception.masks.regions import Front, Region, regions_of
from hoigen.perception.masks.view import View, carried, sampled

INLIER_PX, OWN_PX = 0.5, 0.5
"""Flow that misses the background's homography by less is background's, by more may be a thing's own."""

REACH_PX, DIFFERS = 25, 8
"""What moves by itself looks different, by this much in Lab, within this many pixels from what stands still."""

AHEAD = 5
"""Frames over which slow ways add up."""

PICTURES = 15
"""The background is the median of at most this many frames."""

LEAST = 150
"""Regions of fewer pixels are not looked at: without depth they may be anything."""

NEAR_PX = 2.0
"""How far a resting thing seems to wander."""


class Steadied:
    """The stretch with the camera's motion taken out by homographies between neighbouring frames.

    to_middle: [T,3,3] float64, pixels of each frame to those of the middle one. moves: [T,h,w] float32 in [0, 1], how
    surely a pixel moves by itself now; ever: the same at any time of what it shows. travel: [T,h,w] float32, pixels
    that it moves by itself in the next frames.
    """

    def __init__(self, view: View) -> None:
        count, height, width = view.shape
        grid = pixel_grid(width, height).astype(np.float32)
        own, steps = np.zeros((count, height, width, 2), np.float32), []
        differs = np.zeros((count, height, width), np.float32)
        for t in range(count - 1):
            steps.append(_homography(view, t, grid))
            there = cv2.perspectiveTransform(grid.reshape(-1, 1, 2), steps[-1]).reshape(grid.shape)
            own[t] = grid + view.forward[t] - there
            expected = sampled(view.lab[t + 1], there, cv2.INTER_LINEAR)
            differs[t] = cv2.dilate(cv2.absdiff(expected, view.lab[t]).max(-1), np.ones((REACH_PX, REACH_PX)))
        own[-1], differs[-1] = own[-2], differs[-2]
        self.to_middle = _chained(steps)
        size = np.linalg.norm(own, axis=-1)
        limit = max(OWN_PX, 3 * float(np.median(size)))
        sure = np.concatenate([view.forward_ok, view.forward_ok[-1:]]) & (differs > DIFFERS)
        self.moves = np.where(sure, np.clip((size - limit) / limit, 0, 1), 0).astype(np.float32)
        self.ever = carried(view, self.moves)
        self.travel = _travel(view, np.where(differs[..., None] > DIFFERS, own, 0))

    def places(self) -> np.ndarray:
        """[T,h,w,2] float32: the pixel of the middle frame that shows what this pixel would show if it stood still."""
        height, width = self.moves.shape[1:]
        grid = pixel_grid(width, height).astype(np.float32).reshape(-1, 1, 2)
        return np.stack([cv2.perspectiveTransform(grid, H).reshape(height, width, 2) for H in self.to_middle])

    def background(self, lab: np.ndarray, calm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """``lab`` of what stands still behind each pixel, [T,h,w,3] float32, and how sure that is, [T,h,w] float32 in
        [0, 1], 0 where it is never seen."""
        count, height, width = self.moves.shape
        some = np.unique(np.linspace(0, count - 1, min(PICTURES, count)).round().astype(int))
        stack = np.zeros((len(some), height, width, 3), np.uint8)
        weight = np.zeros((len(some), height, width), np.float32)
        for n, t in enumerate(some):
            stack[n] = cv2.warpPerspective(lab[t], self.to_middle[t], (width, height))
            weight[n] = cv2.warpPerspective(calm[t], self.to_middle[t], (width, height))
        still = _weighted_median(stack, weight)
        far, shade = unlike_background(stack, still[None])
        agree = (weight * (shade | (far < 12))).sum(0) / np.maximum(weight.sum(0), 1e-6)
        sure = np.clip((weight.mean(0) - 0.15) / 0.3, 0, 1) * np.clip((agree - 0.5) / 0.3, 0, 1)
        places = self.places()
        return (
            np.stack([sampled(still, p, cv2.INTER_NEAREST) for p in places]),
            np.stack([sampled(sure, p, cv2.INTER_NEAREST) for p in places]),
        )


def _homography(view: View, t: int, grid: np.ndarray) -> np.ndarray:
    ok = view.forward_ok[t, ::4, ::4]
    here = grid[::4, ::4][ok]
    if len(here) < 8:
        return np.eye(3)
    step = cv2.findHomography(here, here + view.forward[t, ::4, ::4][ok], cv2.RANSAC, INLIER_PX, maxIters=500)[0]
    return np.eye(3) if step is None else step


def _travel(view: View, own: np.ndarray) -> np.ndarray:
    """[T,h,w] float32: the length of the way that what a pixel shows goes by itself in the next ``AHEAD`` frames."""
    count, height, width = view.shape
    size = (width // 2, height // 2)
    step = np.stack([cv2.resize(f, size, interpolation=cv2.INTER_AREA) for f in own])
    there = [
        pixel_grid(*size).astype(np.float32) + cv2.resize(f, size, interpolation=cv2.INTER_AREA) / 2
        for f in view.forward
    ]
    way = step.copy()
    for _ in range(AHEAD - 1):
        on = [sampled(way[t + 1], there[t], cv2.INTER_LINEAR) for t in range(count - 1)]
        way = step + np.stack([*on, on[-1]])
    return np.stack([cv2.resize(np.linalg.norm(w, axis=-1), (width, height)) for w in way])


def _weighted_median(stack: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """[h,w,C] float32 of ``stack`` [N,h,w,C] uint8 by ``weight`` [N,h,w]."""
    still = np.empty(stack.shape[1:], np.float32)
    total = weight.sum(0)
    for channel in range(stack.shape[-1]):
        order = stack[..., channel].argsort(0)
        reached = np.take_along_axis(weight, order, 0).cumsum(0) < total / 2
        middle = np.take_along_axis(order, np.minimum(reached.sum(0), len(stack) - 1)[None], 0)
        still[..., channel] = np.take_along_axis(stack[..., channel], middle, 0)[0]
    return still


def _chained(steps: list[np.ndarray]) -> np.ndarray:
    """[T,3,3]: from each frame to the middle one, of homographies from each to the next."""
    middle = len(steps) // 2
    chain = [np.eye(3)] * (len(steps) + 1)
    for t in range(middle - 1, -1, -1):
        chain[t] = chain[t + 1] @ steps[t]
    for t in range(middle + 1, len(chain)):
        chain[t] = chain[t - 1] @ np.linalg.inv(steps[t - 1])
    return np.stack(chain)


def unlike_background(lab: np.ndarray, background: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How far [T,h,w] float32 a pixel's colour is from what stands still behind it, and whether
    it may be the same in shade, bool: light of one colour scales X, Y and Z alike, and with them the roots in Lab."""
    now, still = lab.astype(np.float32), background
    light, still_light = now[..., 0] / 2.55 + 16, still[..., 0] / 2.55 + 16
    a, b = now[..., 1] - 128, now[..., 2] - 128
    still_a, still_b = still[..., 1] - 128, still[..., 2] - 128
    far = np.sqrt(0.5 * (light - still_light) ** 2 + (a - still_a) ** 2 + (b - still_b) ** 2)
    part = light / still_light
    chroma = np.hypot(a - part * still_a, b - part * still_b)
    return far, (part > 0.45) & (part < 1 / 0.45) & (chroma < 4)


def front_by_motion(view: View, steadied: Steadied, belief: np.ndarray | None = None) -> Front:
    """Of a view without depth; better once there are beliefs [T,h,w,3] of what is scene, hand and object."""
    calm = np.where(steadied.moves > 0.3, 0.01, 1.03 - steadied.ever)
    if belief is not None:
        calm = 0.02 + belief[..., 0]
    background, sure = steadied.background(view.lab, calm.astype(np.float32))
    far, shade = unlike_background(view.lab, background)
    looks = sure * np.where(shade, -2.0, np.clip((far - 8) / 6, -1.5, 2.0))
    score = (looks + 2 * steadied.ever - 1.0).astype(np.float32)
    still, changed = steadied.travel < 1.0, steadied.ever > 0.4
    places = steadied.places()
    regions: list[list[Region]] = []
    for t in range(len(score)):
        front = cv2.morphologyEx((score[t] > 0).astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3))) > 0
        resting, moving = (
            (cv2.connectedComponents((front & part).astype(np.uint8), connectivity=4)[1])
            for part in (still[t], ~still[t])
        )
        labels = np.where(moving > 0, moving + resting.max(), resting)
        regions.append(regions_of(t, labels, places[t], still[t], changed[t], ~still[t], LEAST))
    return Front(score, np.ones(view.shape, np.float32), places, NEAR_PX, regions)
