"""Drawn hands over a textured table, with and without things in them, of which every pixel and keypoint is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from hoigen.perception.records import Hands
from hoigen.records import Footage

WIDTH, HEIGHT, PALM = 320, 180, 28.0
SKIN, WOOD, CLOTH, PAINT, TIN = (196, 140, 116), (120, 128, 140), (40, 60, 110), (60, 150, 70), (200, 190, 60)

OPEN = np.array(
    [
        *[(0, 0), (-0.35, -0.25), (-0.6, -0.5), (-0.75, -0.75), (-0.85, -0.95)],
        *[(-0.3, -0.95), (-0.35, -1.3), (-0.37, -1.5), (-0.38, -1.7)],
        *[(-0.08, -1), (-0.08, -1.4), (-0.08, -1.65), (-0.08, -1.85)],
        *[(0.13, -0.95), (0.15, -1.3), (0.16, -1.52), (0.17, -1.7)],
        *[(0.32, -0.85), (0.38, -1.1), (0.4, -1.28), (0.42, -1.42)],
    ]
)
"""Keypoints of an open hand that points up, in lengths of its palm."""

Way = Callable[[int], tuple[float, float]]


@dataclass(frozen=True)
class Arm:
    """A hand whose wrist is at ``way(t)`` pixels, with an arm from below; ``sleeve`` of it, from so many palms on."""

    way: Way
    sleeve: float | None = None


@dataclass(frozen=True)
class Thing:
    """A thing of half its size (w, h), at ``way(t)``; behind the hands, or before them."""

    way: Way
    half: tuple[float, float]
    colour: tuple[int, int, int] = PAINT
    before: bool = False


@dataclass(frozen=True)
class Drawn:
    """mask: [T,H,W] uint8, 0 scene, 1 .. the arms with their sleeves, then the things. sleeves: [T,H,W] bool."""

    footage: Footage
    hands: Hands
    mask: np.ndarray
    sleeves: np.ndarray


def texture(seed: int, colour: tuple[int, int, int], strength: float = 12) -> np.ndarray:
    """[400,700,3] uint8: blobs around one colour."""
    noise = np.random.default_rng(seed).normal(size=(400, 700, 1)).astype(np.float32)
    blobs = cv2.GaussianBlur(noise, (0, 0), 2.0)[..., None]
    return np.clip(np.array(colour) + strength * blobs / blobs.std(), 0, 255).astype(np.uint8)


def draw(frames: int, arms: Sequence[Arm], things: Sequence[Thing] = (), camera: Way = lambda t: (0, 0)) -> Drawn:
    """``camera`` moves the table alone, by so many pixels."""
    rgb, mask = np.empty((frames, HEIGHT, WIDTH, 3), np.uint8), np.zeros((frames, HEIGHT, WIDTH), np.uint8)
    sleeves = np.zeros(mask.shape, bool)
    points = np.stack([[OPEN * PALM + arm.way(t) for arm in arms] for t in range(frames)]).astype(np.float32)
    points = points.reshape(frames, len(arms), 21, 2)
    skin, cloth = texture(1, SKIN, 6), texture(2, CLOTH, 10)
    for t in range(frames):
        rgb[t] = _moved(texture(0, WOOD), camera(t))
        layers: list[tuple[int, np.ndarray, np.ndarray, np.ndarray | None]] = []
        for i, arm in enumerate(arms):
            shape, sleeve = _arm(points[t, i], arm.sleeve)
            layers.append((1 + i, shape, _moved(skin, arm.way(t)), sleeve))
        for k, thing in enumerate(things):
            (u, v), (w, h) = thing.way(t), thing.half
            shape = np.zeros((HEIGHT, WIDTH), np.uint8)
            cv2.rectangle(shape, (round(u - w), round(v - h)), (round(u + w), round(v + h)), 1, -1)
            layer = (1 + len(arms) + k, shape > 0, _moved(texture(3 + k, thing.colour), thing.way(t)), None)
            layers.insert(len(layers) if thing.before else k, layer)
        for number, shape, paint, sleeve in layers:
            rgb[t][shape], mask[t][shape], sleeves[t][shape] = paint[shape], number, False
            if sleeve is not None:
                rgb[t][sleeve], sleeves[t][sleeve] = _moved(cloth, arms[number - 1].way(t))[sleeve], True
    stamps = np.arange(frames) * 60_000_000
    sides = ('left', 'right')[: len(arms)]
    shape_m = np.zeros((frames, len(arms), 21, 3), np.float32)
    return Drawn(
        Footage(stamps, rgb, None, None),
        Hands(sides, points, shape_m, np.ones(points.shape[:2], np.float32)),
        mask,
        sleeves,
    )


def without(hands: Hands, frames: slice, i: int) -> Hands:
    """``hands``, of which hand ``i`` is not seen in ``frames``."""
    points, shape, score = hands.keypoints_px.copy(), hands.shape_m.copy(), hands.score.copy()
    points[frames, i], shape[frames, i], score[frames, i] = np.nan, np.nan, 0
    return Hands(hands.side, points, shape, score)


def _moved(paint: np.ndarray, way: tuple[float, float]) -> np.ndarray:
    step = np.array([[1, 0, way[0] - 200], [0, 1, way[1] - 110]], np.float32)
    return cv2.warpAffine(paint, step, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REFLECT)


def _arm(points: np.ndarray, sleeve: float | None) -> tuple[np.ndarray, np.ndarray | None]:
    """[H,W] bool of the hand and its arm, and of its sleeve."""
    shape, cover = np.zeros((HEIGHT, WIDTH), np.uint8), np.zeros((HEIGHT, WIDTH), np.uint8)
    pixels = np.rint(points).astype(np.int32)
    for finger in ([0, 1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12], [13, 14, 15, 16], [17, 18, 19, 20]):
        cv2.polylines(shape, [pixels[finger]], False, 1, round(0.24 * PALM))
    cv2.fillPoly(shape, [cv2.convexHull(pixels[[0, 1, 5, 9, 13, 17]])], 1)
    u, v = pixels[0].tolist()
    cv2.rectangle(shape, (u - round(0.3 * PALM), v), (u + round(0.3 * PALM), HEIGHT), 1, -1)
    if sleeve is None:
        return shape > 0, None
    top = v + round(sleeve * PALM)
    cv2.rectangle(cover, (u - round(0.4 * PALM), top), (u + round(0.4 * PALM), HEIGHT), 1, -1)
    return (shape > 0) | (cover > 0), cover > 0
