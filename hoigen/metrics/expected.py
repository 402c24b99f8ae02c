"""What a video that follows its conditions must show, at the size at which videos are judged."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from hoigen.records import Conditions

WIDEST = 256
"""Wider videos are judged at this width: it is quicker, and what was measured at one size holds at every other."""


@dataclass(frozen=True, eq=False)
class Expected:
    """The fields of :class:`hoigen.records.Conditions` that fidelity reads, at the judged size."""

    mask: np.ndarray
    point_pixels: np.ndarray
    point_visible: np.ndarray
    point_role: np.ndarray


def judged_video(frames: np.ndarray, conditions: Conditions) -> tuple[np.ndarray, Expected]:
    """Frames [T,H,W,3] uint8 at the conditions' size, and what they must show, both no wider than ``WIDEST``."""
    c = conditions
    if frames.shape != c.tracking.shape or frames.dtype != np.uint8:
        raise ValueError(
            f'frames: expected uint8 {list(c.tracking.shape)} as the conditions, '
            f'got {frames.dtype} {list(frames.shape)}'
        )
    height, width = frames.shape[1:3]
    if width <= WIDEST:
        return frames, Expected(c.mask, c.point_pixels, c.point_visible, c.point_role)
    size = (WIDEST, max(1, round(height * WIDEST / width)))
    places = (c.point_pixels + 0.5) * np.divide(size, (width, height)) - 0.5
    return _resized(frames, size, cv2.INTER_AREA), Expected(
        mask=_resized(c.mask, size, cv2.INTER_NEAREST),
        point_pixels=places.astype(np.float32),
        point_visible=c.point_visible,
        point_role=c.point_role,
    )


def _resized(video: np.ndarray, size: tuple[int, int], interpolation: int) -> np.ndarray:
    return np.stack([cv2.resize(frame, size, interpolation=interpolation) for frame in video])
