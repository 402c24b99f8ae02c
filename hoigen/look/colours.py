"""Colours of depth and of roles, the same on every page and sheet."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

ROLE_COLOURS = np.array([(120, 128, 140), (255, 157, 69), (53, 200, 245)], np.uint8)
"""[3,3] by role code: scene grey, hand warm, object cold."""
ENDS = 1.0, 99.0
"""Percentiles of depth that the ends of the colour scale stand for."""


@dataclass(frozen=True)
class DepthScale:
    """Colours run evenly in 1 / depth from ``far`` (blue) to ``near`` (red)."""

    near: float
    far: float

    @classmethod
    def of(cls, depth: np.ndarray) -> DepthScale | None:
        """The scale of a clip's depth [T,H,W]; None where no depth is known at all."""
        known = depth[np.isfinite(depth)]
        if not known.size:
            return None
        near, far = np.percentile(known, ENDS)
        return cls(float(near), float(max(far, near * 1.01)))

    def colours(self, depth: np.ndarray) -> np.ndarray:
        """[...,3] uint8 of depth [...]; unknown is black."""
        with np.errstate(divide='ignore', invalid='ignore'):
            part = (1 / depth - 1 / self.far) / (1 / self.near - 1 / self.far)
        known = np.isfinite(depth)
        codes = np.rint(255 * np.clip(np.where(known, part, 0), 0, 1)).astype(int)
        return turbo()[codes] * known[..., None].astype(np.uint8)


def turbo() -> np.ndarray:
    """[256,3] uint8, Google's turbo: dark blue to dark red."""
    return cv2.applyColorMap(np.arange(256, dtype=np.uint8)[:, None], cv2.COLORMAP_TURBO)[:, 0, ::-1]
