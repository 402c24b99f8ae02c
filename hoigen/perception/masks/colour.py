"""What colours a role has in this clip: histograms in Lab, learned from the pixels that are surely of that role."""

from __future__ import annotations

import numpy as np

LIGHT_STEP, CHROMA_STEP, CHROMA_BINS = 22, 4, 26
"""Bins are wide in lightness, which light and shadow change, and narrow in the two chromas."""

RARE = 2e-4
"""A colour that fills less than this part of a role tells nothing about it."""


class Palette:
    """The histogram bin of every pixel of a stretch.

    lab: [T,h,w,3] uint8 as OpenCV has it (lightness 0 to 255, chromas around 128).
    """

    def __init__(self, lab: np.ndarray) -> None:
        light = (lab[..., 0] // LIGHT_STEP).astype(np.int32)
        half = CHROMA_BINS // 2
        a, b = (np.clip((lab[..., c].astype(np.int32) - 128) // CHROMA_STEP + half, 0, CHROMA_BINS - 1) for c in (1, 2))
        self.bin = (light * CHROMA_BINS + a) * CHROMA_BINS + b
        self.sizes = (255 // LIGHT_STEP + 1, CHROMA_BINS, CHROMA_BINS)

    def learn(self, where: np.ndarray) -> np.ndarray:
        """[B] float32 share of every colour among the pixels ``where`` [T,h,w] bool; zeros where there are none."""
        counts = np.bincount(self.bin[where], minlength=int(np.prod(self.sizes))).astype(np.float32)
        counts = counts.reshape(self.sizes)
        for axis in range(3):
            counts = 0.5 * counts + 0.25 * (np.roll(counts, 1, axis) + np.roll(counts, -1, axis))
        return (counts / max(float(counts.sum()), 1.0)).ravel()

    def favours(self, one: np.ndarray, other: np.ndarray, limit: float) -> np.ndarray:
        """[T,h,w] float32 log odds of colours ``one`` over colours ``other`` [B], within +-limit."""
        return np.clip(np.log((one + RARE) / (other + RARE)), -limit, limit)[self.bin].astype(np.float32)
