"""Hands in single frames: keypoints in regions, and which regions to look at next."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch

from hoigen.models.hands import LANDMARK_SIZE, LandmarkNetwork
from hoigen.perception.hands.palms import as_input
from hoigen.perception.hands.regions import cut, out_of, overlap, region_of_keypoints, upright_shape

LEAST_PRESENCE = 0.5
SAME_REGION = 0.5
"""Regions that overlap by more than this are of one hand."""
SAME_HAND = 0.25
"""Keypoints that are on average nearer than this, in sides of the hand's region, are of one hand."""


@dataclass(frozen=True, eq=False)
class Sighting:
    """A hand in one frame.

    keypoints: [21,2] float32 pixels. shape: [21,3] float32 metres about the hand's centre, in the camera's axes. score,
    right: in [0, 1], that it is a hand, and a right one.
    """

    keypoints: np.ndarray
    shape: np.ndarray
    score: float
    right: float

    @property
    def region(self) -> np.ndarray:
        """[4]: where it is looked for in a neighbouring frame."""
        return region_of_keypoints(self.keypoints[None])[0]

    def is_of(self, other: Sighting) -> bool:
        """Whether both are of one hand, in the same frame."""
        apart = np.linalg.norm(self.keypoints - other.keypoints, axis=1).mean()
        return bool(apart < SAME_HAND * min(self.region[2], other.region[2]))


def apart(regions: Iterable[np.ndarray]) -> list[int]:
    """Which regions to keep so that none overlaps an earlier one."""
    kept: list[np.ndarray] = []
    numbers = []
    for number, region in enumerate(regions):
        if not kept or overlap(region[None], np.stack(kept)).max() <= SAME_REGION:
            kept.append(region)
            numbers.append(number)
    return numbers


def look_at(image: np.ndarray, regions: list[np.ndarray], network: LandmarkNetwork) -> list[Sighting | None]:
    """The hand in each region [4] of an image [H,W,3] uint8, None where there is none."""
    if not regions:
        return []
    crops = np.stack([cut(image, region, LANDMARK_SIZE) for region in regions])
    with torch.inference_mode():
        keypoints, presence, right, shapes = (part.numpy() for part in network(as_input(crops)))
    return [
        Sighting(
            out_of(region, points[:, :2] / LANDMARK_SIZE).astype(np.float32),
            upright_shape(region, shape),
            float(score),
            float(side),
        )
        if score >= LEAST_PRESENCE
        else None
        for region, points, score, side, shape in zip(regions, keypoints, presence, right, shapes, strict=True)
    ]


Look = Callable[[int, list[np.ndarray]], list['Sighting | None']]
"""Hands in these regions of a frame."""
