"""PSNR and SSIM of a video, over the full frame or a region of each frame."""

from __future__ import annotations

import numpy as np
import torch
from torchmetrics.functional.image import structural_similarity_index_measure


def psnr(frames: np.ndarray, truth: np.ndarray, region: np.ndarray | None = None) -> float:
    """Peak signal-to-noise ratio in dB, one mean squared error over the whole video.

    frames, truth: [T,H,W,3] uint8. region: [T,H,W] bool, the pixels that count (default all). inf if equal.
    """
    error = np.square(frames.astype(np.float64) - truth).mean(-1)
    mean = error.mean() if region is None else error[_nonempty(region)].mean()
    return float('inf') if mean == 0 else float(10 * np.log10(255.0**2 / mean))


def ssim_map(frames: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Structural similarity [T,H,W] (Gaussian window, sigma 1.5), mean of the three channels; inputs uint8."""
    a, b = (torch.from_numpy(np.ascontiguousarray(v)).permute(0, 3, 1, 2).float() / 255 for v in (frames, truth))
    _, full = structural_similarity_index_measure(a, b, data_range=1.0, return_full_image=True)
    return full.mean(1).numpy()


def region_mean(values: np.ndarray, region: np.ndarray | None = None) -> float:
    """Mean of [T,H,W] values over a region (default all)."""
    return float(values.mean() if region is None else values[_nonempty(region)].mean())


def _nonempty(region: np.ndarray) -> np.ndarray:
    if not region.any():
        raise ValueError('region: expected at least one pixel, got none')
    return region
