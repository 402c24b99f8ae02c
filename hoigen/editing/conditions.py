"""An insertion's conditions as pictures in [-1, 1], the same in training and use."""

from __future__ import annotations

import numpy as np

SPAN = (2.0, 98.0)
"""Percentiles of the scene's disparity that become -1 and 1."""


def depth_picture(depth_m: np.ndarray) -> np.ndarray:
    """[H,W] float32 disparity in [-1, 1] of depth [H,W] in metres, stretched over what the picture holds, as relative
    depth estimators give it. The farthest value stands where nothing is or the depth is not known."""
    known = np.isfinite(depth_m)
    if not known.any():
        return np.full(depth_m.shape, -1, np.float32)
    disparity = np.where(known, 1 / np.where(known, depth_m, 1), 0)
    low, high = np.percentile(disparity[known], SPAN)
    return np.where(known, np.clip(2 * (disparity - low) / max(high - low, 1e-6) - 1, -1, 1), -1).astype(np.float32)


def flat(mask: np.ndarray, insertion_depth_m: float) -> np.ndarray:
    """Depth [H,W] of an object whose surface is not known: one value where the mask is, infinite elsewhere."""
    return np.where(mask, np.float32(insertion_depth_m), np.float32(np.inf))


def as_signed(picture: np.ndarray) -> np.ndarray:
    """uint8 colours as float32 in [-1, 1]."""
    return picture.astype(np.float32) / 127.5 - 1


def as_uint8(picture: np.ndarray) -> np.ndarray:
    """Colours in [-1, 1] as uint8."""
    return np.clip((picture + 1) * 127.5 + 0.5, 0, 255).astype(np.uint8)
