"""What page and sheet share: colours of instances, tracks and depth, and at which size things are shown."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import cv2
import numpy as np

from hoigen.conventions import HAND, ROLE_CODE, ROLES
from hoigen.perception.records import Geometry, Tracks

__all__ = ['DepthScale', 'Instance', 'depth_scale', 'instances', 'thinned', 'track_colours', 'turbo']

WARM, COOL = ('#ff9d45', '#ffd54a', '#ff6f7d', '#f7b7a3'), ('#35c8f5', '#a58bff', '#3ee6a8', '#7fa8ff')
"""Hands are warm, objects cold."""
PER_INSTANCE = 500
"""No more tracks of one instance are drawn; more would hide the picture."""
ENDS = 1.0, 99.0
"""Percentiles of depth that the ends of the colour scale stand for."""


@dataclass(frozen=True)
class Instance:
    """How one instance is called and coloured; ``number`` is its value in the masks."""

    number: int
    role: str
    colour: str

    @property
    def name(self) -> str:
        return f'{self.role} {self.number}'

    @property
    def rgb(self) -> tuple[int, int, int]:
        red, green, blue = bytes.fromhex(self.colour[1:])
        return red, green, blue


def instances(role: np.ndarray) -> list[Instance]:
    """One for each of role [I]."""
    count: Counter[int] = Counter()
    found = []
    for number, code in enumerate(role.tolist(), 1):
        palette = WARM if code == ROLE_CODE[HAND] else COOL
        found.append(Instance(number, ROLES[code], palette[count[code] % len(palette)]))
        count[code] += 1
    return found


def thinned(tracks: Tracks) -> np.ndarray:
    """Indices of the tracks that are drawn: all, or of each instance as many as can be told apart, evenly chosen."""
    chosen = []
    for number in np.unique(tracks.instance):
        mine = np.flatnonzero(tracks.instance == number)
        chosen.append(mine[np.linspace(0, len(mine) - 1, min(len(mine), PER_INSTANCE)).astype(int)])
    return np.sort(np.concatenate(chosen)) if chosen else np.zeros(0, int)


def track_colours(tracks: Tracks, width: int, height: int) -> np.ndarray:
    """[M,3] uint8: a track keeps the colour of the place in the picture where it began, hue across, paleness down."""
    begin = np.nan_to_num(tracks.pixels[tracks.query, np.arange(len(tracks.query))])
    hue = 150 * np.clip((begin[:, 0] + 0.5) / width, 0, 1)
    pale = 255 * (0.5 + 0.5 * np.clip((begin[:, 1] + 0.5) / height, 0, 1))
    hsv = np.stack([hue, pale, np.full(len(hue), 255)], axis=-1).astype(np.uint8)
    return cv2.cvtColor(hsv[None], cv2.COLOR_HSV2RGB)[0] if len(hsv) else hsv


@dataclass(frozen=True)
class DepthScale:
    """Colours run evenly in 1 / depth from ``far`` (blue) to ``near`` (red), in the geometry's unit of length."""

    near: float
    far: float
    unit: str

    def colours(self, depth: np.ndarray) -> np.ndarray:
        """[...,3] uint8 of depth [...]; unknown is black."""
        with np.errstate(divide='ignore', invalid='ignore'):
            part = (1 / depth - 1 / self.far) / (1 / self.near - 1 / self.far)
        known = np.isfinite(depth)
        codes = np.rint(255 * np.clip(np.where(known, part, 0), 0, 1)).astype(int)
        return turbo()[codes] * known[..., None].astype(np.uint8)


def depth_scale(geometry: Geometry) -> DepthScale | None:
    """The colour scale of a clip's depth; None where no depth is known at all."""
    known = geometry.depth_m[np.isfinite(geometry.depth_m)]
    if not known.size:
        return None
    near, far = np.percentile(known, ENDS)
    return DepthScale(float(near), float(max(far, near * 1.01)), 'm' if geometry.metric else 'units')


def turbo() -> np.ndarray:
    """[256,3] uint8, Google's turbo: dark blue to dark red."""
    return cv2.applyColorMap(np.arange(256, dtype=np.uint8)[:, None], cv2.COLORMAP_TURBO)[:, 0, ::-1]
