"""Dense optical flow between neighbouring frames, checked there and back."""

from __future__ import annotations

import itertools

import cv2
import numpy as np

from hoigen.geometry.camera import pixel_grid
from hoigen.perception.records import Flow

__all__ = ['measure_flow']

LOOSE_PX, LOOSE_PART = 1.0, 0.05
"""There and back may miss the start by this many pixels and by this part of the way."""


def measure_flow(rgb: np.ndarray) -> Flow:
    """Flow of [T,H,W,3] uint8, T >= 2, by dense inverse search (Kroeger et al. 2016)."""
    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in rgb]
    search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    pairs = list(itertools.pairwise(grey))
    forward = np.stack([search.calc(a, b, None) for a, b in pairs])
    backward = np.stack([search.calc(b, a, None) for a, b in pairs])
    return Flow(forward, backward, _returns(forward, backward), _returns(backward, forward))


def _returns(there: np.ndarray, back: np.ndarray) -> np.ndarray:
    """[T-1,H,W] bool: a pixel that goes ``there`` comes ``back`` to about where it was."""
    height, width = there.shape[1:3]
    grid = pixel_grid(width, height).astype(np.float32)
    ok = np.empty(there.shape[:3], bool)
    for t, (go, come) in enumerate(zip(there, back, strict=True)):
        arrive = grid + go
        came = cv2.remap(come, arrive, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=np.inf)
        miss = np.linalg.norm(go + came, axis=-1)
        ok[t] = miss <= LOOSE_PX + LOOSE_PART * np.linalg.norm(go, axis=-1)
    return ok
