"""SAMURAI (Yang et al. 2024): which of SAM's candidate masks moves as the object did, and which memories to trust.

A Kalman filter of constant velocity follows the box of one instance. Once it has been stable for some frames, the mask
is chosen by predicted quality and agreement with the filter; memories are the frames whose quality, presence and
agreement pass thresholds. Boxes here are left, top, right, bottom at pixel centres.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class SamuraiConfig:
    """Thresholds; the defaults are the published ones.

    motion_weight: share of the filter's agreement in a mask's score, once the filter is trusted. stable_frames: so many
    good frames in a row until it is. good_iou: predicted quality of a good frame. memory_iou, memory_presence,
    memory_motion: a memory's quality, object score (logit) and agreement must be above. empty_is_a_box: take a mask
    without pixels for a box of no size at the origin, as the reference implementation does; otherwise it is a frame in
    which the instance was lost.
    """

    motion_weight: float = 0.25
    stable_frames: int = 15
    good_iou: float = 0.3
    memory_iou: float = 0.5
    memory_presence: float = 0.0
    memory_motion: float = 0.0
    empty_is_a_box: bool = False


PUBLISHED = SamuraiConfig()
"""Of SAM 2.1 tiny, small and base plus."""
PUBLISHED_LARGE = SamuraiConfig(motion_weight=0.15)


@dataclass(frozen=True)
class Choice:
    """What was chosen in a frame. index: of the candidate; iou: its predicted quality; motion: its agreement with the
    filter, None while that is not trusted; motions: [C] of every candidate, or None; score: quality and agreement in
    one, where an agreement that is not known counts nothing."""

    index: int
    iou: float
    motion: float | None
    motions: np.ndarray | None
    score: float


class BoxFilter:
    """Kalman filter on a box: state u, v, width / height, height and their velocities per frame, in pixels.

    mean: [8] float64. covariance: [8,8] float64. Noise is a share of the height (Wojke et al. 2017).
    """

    POSITION, VELOCITY = 1 / 20, 1 / 160
    STEP = np.eye(8) + np.eye(8, k=4)

    def __init__(self, box: np.ndarray) -> None:
        self.mean = np.append(_centred(box), np.zeros(4))
        self.covariance = np.diag(np.square(self._deviation(2, 1e-2, 10, 1e-5)))

    def predict(self) -> None:
        """Go on to the next frame."""
        noise = np.diag(np.square(self._deviation(1, 1e-2, 1, 1e-5)))
        self.mean = self.STEP @ self.mean
        self.covariance = self.STEP @ self.covariance @ self.STEP.T + noise

    def update(self, box: np.ndarray) -> None:
        """Take a measured box of this frame into account."""
        noise = np.diag(np.square(self._deviation(1, 1e-1, 1, 1e-5)[:4]))
        seen = self.covariance[:4, :4] + noise
        gain = np.linalg.solve(seen, self.covariance[:4]).T
        self.mean = self.mean + gain @ (_centred(box) - self.mean[:4])
        self.covariance = self.covariance - gain @ seen @ gain.T

    @property
    def box(self) -> np.ndarray:
        """[4] float64: where the filter has the instance now."""
        u, v, aspect, height = self.mean[:4]
        width = aspect * height
        return np.array([u - width / 2, v - height / 2, u + width / 2, v + height / 2])

    def _deviation(self, position: float, aspect: float, velocity: float, aspect_velocity: float) -> np.ndarray:
        place, speed = position * self.POSITION * self.mean[3], velocity * self.VELOCITY * self.mean[3]
        return np.array([place, place, aspect, place, speed, speed, aspect_velocity, speed])


class MotionSelector:
    """Chooses a mask per frame for one instance that is followed in one direction."""

    def __init__(self, config: SamuraiConfig = PUBLISHED) -> None:
        self.config, self.stable = config, 0
        self.filter: BoxFilter | None = None

    def choose(self, boxes: np.ndarray, ious: np.ndarray) -> Choice:
        """One of C candidates with boxes [C,4] (NaN: no pixel) and predicted qualities [C]; the next frame's follow."""
        boxes = np.nan_to_num(boxes) if self.config.empty_is_a_box else boxes
        trusted = self.filter is not None and self.stable >= self.config.stable_frames
        if self.filter is not None:
            self.filter.predict()
        motions = box_iou(self.filter.box, boxes) if trusted and self.filter is not None else None
        weight = self.config.motion_weight
        score = (1 - weight) * ious + (0 if motions is None else weight * motions)
        best = int(np.argmax(score))
        self._learn(boxes[best], float(ious[best]))
        return Choice(
            best, float(ious[best]), None if motions is None else float(motions[best]), motions, float(score[best])
        )

    def _learn(self, box: np.ndarray, iou: float) -> None:
        """The filter takes the chosen box; it starts anew after a frame in which the instance was lost."""
        seen = not np.isnan(box).any()
        if self.stable == 0 or self.filter is None:
            self.filter, self.stable = (BoxFilter(box), 1) if seen else (None, 0)
        elif seen and iou > self.config.good_iou:
            self.filter.update(box)
            self.stable = min(self.stable + 1, self.config.stable_frames)
        else:
            self.stable = 0


def memory_frames(
    choices: Sequence[Choice | None],
    presence: Sequence[float],
    count: int,
    reach: int,
    config: SamuraiConfig = PUBLISHED,
) -> list[int]:
    """At most ``count`` frames whose memories the next one should attend to, in order of time.

    choices, presence: of the frames since the prompted one, which is number 0 and has no choice. Of the newest
    ``reach`` trustworthy ones the last ``count`` are taken, and the frame just before always. The prompted frame, which
    is attended to anyway, and the one after it, which is the same again, are not among the trustworthy.
    """

    def good(t: int) -> bool:
        choice = choices[t]
        return (
            choice is not None
            and choice.iou > config.memory_iou
            and presence[t] > config.memory_presence
            and (choice.motion is None or choice.motion > config.memory_motion)
        )

    last = len(choices) - 1
    valid = [t for t in range(last, 1, -1) if good(t)][:reach][::-1]
    if last not in valid:
        valid.append(last)
    return valid[-count:]


def box_iou(box: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """[C] float64: overlap of ``box`` [4] with each of ``boxes`` [C,4] over their union; 0 with NaN or without area."""
    low, high = np.maximum(box[:2], boxes[:, :2]), np.minimum(box[2:], boxes[:, 2:])
    both = np.prod(np.maximum(high - low, 0), axis=1)
    union = np.prod(box[2:] - box[:2]) + np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) - both
    return np.nan_to_num(np.divide(both, union, out=np.zeros(len(boxes)), where=union > 0))


def _centred(box: np.ndarray) -> np.ndarray:
    """[4] float64 u, v, width / height, height of a box [4]; one row of pixels counts as one pixel high."""
    low, high = np.asarray(box[:2], np.float64), np.asarray(box[2:], np.float64)
    width, height = high - low
    height = height or 1.0
    return np.array([*(low + high) / 2, width / height, height])
