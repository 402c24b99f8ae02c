"""L1, PSNR and SSIM of a video, frame by frame, over the full frame or a region of each frame.

A region counts the pixels of a mask and no others: for SSIM the mean of its map over the mask. (Blacking out what is
outside, as the paper seems to do for its hand-object rows, gives every pixel outside a perfect score.)
"""

from __future__ import annotations

import cv2
import numpy as np

SIGMA, RADIUS = 1.5, 5
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def l1(frames: np.ndarray, truth: np.ndarray, region: np.ndarray | None = None) -> float:
    """Mean absolute error in grey levels (0 to 255) of [T,H,W,3] uint8 videos over a region [T,H,W] (default all)."""
    return region_mean(np.abs(frames.astype(np.float64) - truth).mean(-1), region)


def psnr(frames: np.ndarray, truth: np.ndarray, region: np.ndarray | None = None) -> float:
    """Peak signal-to-noise ratio in dB, one mean squared error over the whole video.

    frames, truth: [T,H,W,3] uint8. region: [T,H,W] bool, the pixels that count (default all). inf if equal.
    """
    mean = region_mean(np.square(frames.astype(np.float64) - truth).mean(-1), region)
    return float('inf') if mean == 0 else float(10 * np.log10(255.0**2 / mean))


def ssim_map(frames: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Structural similarity [T,H,W] (Gaussian window, sigma 1.5), mean of the three channels; inputs uint8.

    Wang et al. 2004, with torchmetrics' window and borders; its values, an order of magnitude faster.
    """
    return similarity(*(blurred(moment) for moment in moments(frames, truth))).mean(-1)


def moments(frames: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, ...]:
    """What a window averages for SSIM: a, b, a^2, b^2, ab of two videos, each [T,H,W,3] float64."""
    a, b = frames.astype(np.float64), truth.astype(np.float64)
    return a, b, a * a, b * b, a * b


def blurred(video: np.ndarray) -> np.ndarray:
    """[T,H,W,3] float64 under the Gaussian window of each frame, mirrored at the borders."""
    size = (2 * RADIUS + 1,) * 2
    return np.stack([cv2.GaussianBlur(frame, size, SIGMA, borderType=cv2.BORDER_REFLECT_101) for frame in video])


def similarity(a: np.ndarray, b: np.ndarray, aa: np.ndarray, bb: np.ndarray, ab: np.ndarray) -> np.ndarray:
    """SSIM from the window means of a, b, a^2, b^2 and ab, of any shape."""
    variances = np.maximum(aa - a * a, 0) + np.maximum(bb - b * b, 0)
    return (2 * a * b + C1) * (2 * (ab - a * b) + C2) / ((a * a + b * b + C1) * (variances + C2))


def region_mean(values: np.ndarray, region: np.ndarray | None = None) -> float:
    """Mean of [T,H,W] values over a region (default all)."""
    return float(values.mean() if region is None else values[nonempty(region)].mean())


def nonempty(region: np.ndarray) -> np.ndarray:
    """The region; ValueError if it holds no pixel."""
    if not region.any():
        raise ValueError('region: expected at least one pixel, got none')
    return region
