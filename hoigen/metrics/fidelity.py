"""How faithful generated frames are to the scene that drove them: mask and motion, found in the frames alone again."""

from __future__ import annotations

import cv2
import numpy as np

from hoigen.metrics.expected import Expected, judged_video
from hoigen.metrics.motion import motion_fidelity
from hoigen.records import Conditions, Fidelity

__all__ = ['fidelity', 'mask_fidelity']

CHANGE = 20
"""A pixel that differs from the carried background by more than this (of 255, in its largest channel) is foreground."""

LIT = 15
"""... unless the background in another light, each channel times one number, comes as near as this."""

LIGHT = (0.25, 4.0)
"""How much darker a shadow may be, and how much brighter the place that one has left."""

_SPECK = np.ones((3, 3), np.uint8)


def fidelity(frames: np.ndarray, conditions: Conditions) -> Fidelity:
    """Mask and motion of frames [T,H,W,3] uint8 compared with the conditions of their size, and the lesser of both.

    Where only one of them can be measured it is the value; where neither can, the value is NaN.
    """
    frames, expected = judged_video(frames, conditions)
    mask, motion = mask_fidelity(frames, expected), motion_fidelity(frames, expected)
    return Fidelity(np.fmin(mask, motion), mask, motion)


def mask_fidelity(frames: np.ndarray, expected: Expected) -> np.ndarray:
    """Intersection over union [T] float32 of each frame's re-estimated hand-object mask with the condition's.

    Where the background is known, a pixel that differs from it is hand or object; so is one that is nearer to the
    colour of its coloured point than to the background. Not judged are pixels with neither, those outside the mask
    that differ in brightness only (a shadow may have come or gone), and those whose point has the background's
    colour. NaN for a frame of which no judged pixel should show hand or object.
    """
    return np.array([_overlap(frame, expected, t) for t, frame in enumerate(frames)], np.float32)


def _overlap(frame: np.ndarray, expected: Expected, t: int) -> float:
    background, known = expected.background[t], expected.background_known[t]
    point, wanted = expected.coloured[t], expected.mask[t] > 0
    coloured = wanted & (expected.coloured_state[t] == 2)
    changed, lit = _changes(frame, background)
    from_point, from_background = (cv2.absdiff(frame, picture).max(-1) for picture in (point, background))
    found = (known & changed) | (coloured & (from_point <= 2 * CHANGE) & (~known | (from_point < from_background)))
    shadow = known & ~wanted & changed & lit
    alike = coloured & known & (cv2.absdiff(point, background).max(-1) <= CHANGE)
    judged = (known | coloured) & ~shadow & ~alike
    if not (wanted & judged).any():
        return np.nan
    return (found & wanted & judged).sum() / ((found | wanted) & judged).sum()


def _changes(frame: np.ndarray, background: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """[H,W] bool: what differs from the background, without specks; and what may be the background in other light."""
    shown, behind = (cv2.GaussianBlur(picture, (3, 3), 0).astype(np.float32) for picture in (frame, background))
    changed = abs(shown - behind).max(-1) > CHANGE
    light = np.clip((shown * behind).sum(-1) / np.maximum((behind * behind).sum(-1), 1), *LIGHT)
    lit = abs(shown - light[..., None] * behind).max(-1) <= LIT * np.maximum(light, 1)
    return cv2.morphologyEx(changed.astype(np.uint8), cv2.MORPH_OPEN, _SPECK) > 0, lit
