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
    """Intersection over union [T] float32 of each frame's re-estimated foreground with the condition's mask.

    frames: [T,H,W,3] uint8 at the conditions' size. Only pixels whose background is known count; without any
    foreground on both sides a frame scores 1. Shadows count as foreground, so that true video scores below 1 too.
    """
    scores = []
    for frame, background, known, mask in zip(frames, conditions.background, conditions.background_known,
                                              conditions.mask, strict=True):
        found, wanted = foreground(frame, background) & known, (mask > 0) & known
        union = (found | wanted).sum()
        scores.append((found & wanted).sum() / union if union else 1.0)
    return np.asarray(scores, np.float32)
