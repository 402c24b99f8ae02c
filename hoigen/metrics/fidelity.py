"""How faithful a generated frame is to the scene that drove it: re-estimated from the frame, 0 to 1."""

from __future__ import annotations

import cv2
import numpy as np

from hoigen.records import Conditions

CHANGE = 24
"""A pixel that differs from the carried background by more than this (of 255, in its largest channel) is foreground."""


def foreground(frame: np.ndarray, background: np.ndarray) -> np.ndarray:
    """Foreground [H,W] bool of a frame [H,W,3] uint8 against its background, cleaned of specks."""
    change = cv2.absdiff(cv2.GaussianBlur(frame, (3, 3), 0), cv2.GaussianBlur(background, (3, 3), 0)).max(-1)
    kernel = np.ones((3, 3), np.uint8)
    mask = (change > CHANGE).astype(np.uint8)
    mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, kernel)
    return cv2.morphologyEx(mask, cv2.MORPH_CLOSE, kernel, iterations=2) > 0


def mask_fidelity(frames: np.ndarray, conditions: Conditions) -> np.ndarray:
    """Intersection over union [T] float32 of each frame's re-estimated hand-object mask with the condition's.

    frames: [T,H,W,3] uint8 at the conditions' size. Where the background is known, a pixel that differs from it is hand
    or object; where it is not, one that has the colour of its coloured point is. A pixel with neither is not judged;
    a frame without any foreground on both sides scores 1. Shadows count as foreground, so true video scores below 1
    too.
    """
    scores = []
    for t, frame in enumerate(frames):
        known, wanted = conditions.background_known[t], conditions.mask[t] > 0
        coloured = (conditions.coloured_state[t] == 2) & wanted
        same = cv2.absdiff(frame, conditions.coloured[t]).max(-1) <= 2 * CHANGE
        found = np.where(known, foreground(frame, conditions.background[t]), coloured & same)
        judged = known | coloured
        union = ((found | wanted) & judged).sum()
        scores.append((found & wanted & judged).sum() / union if union else 1.0)
    return np.asarray(scores, np.float32)
