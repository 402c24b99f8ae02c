"""What page and sheet share: colours of instances and tracks."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import cv2
import numpy as np

from hoigen.conventions import HAND, ROLE_CODE, ROLES
from hoigen.perception.records import Tracks

WARM, COOL = ('#ff9d45', '#ffd54a', '#ff6f7d', '#f7b7a3'), ('#35c8f5', '#a58bff', '#3ee6a8', '#7fa8ff')
"""Hands are warm, objects cold."""
PER_INSTANCE = 500
"""No more tracks of one instance are drawn; more would hide the picture."""


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
