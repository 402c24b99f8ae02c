"""Dense optical flow between neighbouring frames, checked there and back."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np

from hoigen.compiling import numba
from hoigen.perception.records import Flow

LOOSE_PX, LOOSE_PART = 1.0, 0.05
"""There and back may miss the start by this many pixels and by this part of the way."""


def measure_flow(rgb: np.ndarray) -> Flow:
    """Flow of [T,H,W,3] uint8, T >= 2, by dense inverse search (Kroeger et al. 2016)."""
    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in rgb]
    pairs = list(itertools.pairwise(grey))
    with ThreadPoolExecutor(2) as both:
        forward, backward = both.map(_search, (pairs, [(b, a) for a, b in pairs]))
        return Flow(forward, backward, *both.map(_returns, (forward, backward), (backward, forward)))


def _search(pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """[len(pairs),H,W,2] float32: the flow from the first to the second of each pair of grey pictures."""
    search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    return np.stack([search.calc(a, b, None) for a, b in pairs])


@numba.njit(cache=True, nogil=True)
def _returns(there: np.ndarray, back: np.ndarray) -> np.ndarray:
    """[T-1,H,W] bool: a pixel that goes ``there`` stays in the picture and comes ``back`` to about where it was."""
    frames, height, width, _ = there.shape
    ok = np.zeros((frames, height, width), np.bool_)
    for t in range(frames):
        for row in range(height):
            for column in range(width):
                du, dv = there[t, row, column, 0], there[t, row, column, 1]
                u, v = column + du, row + dv
                if not (0 <= u <= width - 1 and 0 <= v <= height - 1):
                    continue
                left, top = min(int(u), width - 2), min(int(v), height - 2)
                right, down = u - left, v - top
                for axis in range(2):
                    above = (1 - right) * back[t, top, left, axis] + right * back[t, top, left + 1, axis]
                    below = (1 - right) * back[t, top + 1, left, axis] + right * back[t, top + 1, left + 1, axis]
                    if axis == 0:
                        du_back = (1 - down) * above + down * below
                    else:
                        dv_back = (1 - down) * above + down * below
                miss = np.hypot(du + du_back, dv + dv_back)
                ok[t, row, column] = miss <= LOOSE_PX + LOOSE_PART * np.hypot(du, dv)
    return ok
