"""Measures of a video in space and time: ST-SSIM, GMSD and GMSD-T.

The paper names ST-SSIM and GMSD-T without formulas; these are ours, so its numbers and ours are not to be compared.

* **ST-SSIM**: SSIM whose Gaussian window (sigma 1.5) also spans time, so that what flickers or moves otherwise than
  the truth scores low even where each single frame looks right. The block form of Zeng and Wang, "3D-SSIM for video
  quality assessment", ICIP 2012, with a plain mean in place of their weights.
* **GMSD**: standard deviation of the gradient magnitude similarity, frame by frame. Xue et al., "Gradient magnitude
  similarity deviation", IEEE TIP 2014.
* **GMSD-T**: the same on slices of the video in x and time and in y and time, whose gradients are motion and change.
  Yan, Mou and Xue, "Video quality assessment via gradient magnitude similarity deviation of spatial and
  spatiotemporal slices", SPIE 9396, 2015, pooled over the whole video rather than slice by slice.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import correlate1d, gaussian_filter1d

from hoigen.metrics.image import RADIUS, SIGMA, blurred, moments, nonempty, similarity

STABLE = 170.0
"""Xue et al.'s constant, for grey levels 0 to 255: gradients well below its root count as equal."""

LUMA = (0.299, 0.587, 0.114)
TIME, Y, X = 0, 1, 2


def st_ssim_map(frames: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Spatio-temporal structural similarity [T,H,W], mean of the channels; frames, truth [T,H,W,3] uint8."""
    windows = (
        gaussian_filter1d(blurred(moment), SIGMA, axis=TIME, mode='mirror', radius=RADIUS)
        for moment in moments(frames, truth)
    )
    return similarity(*windows).mean(-1)


def gmsd(frames: np.ndarray, truth: np.ndarray, region: np.ndarray | None = None) -> float:
    """Gradient magnitude similarity deviation, mean over the frames; 0 if equal.

    frames, truth: [T,H,W,3] uint8. region: [T,H,W] bool (default all); of the half-size pixels those count that hold
    one of its pixels, and frames where it is empty do not.
    """
    values = _gradient_similarity(frames, truth, Y, X)
    if region is None:
        return float(values.std(axis=(1, 2)).mean())
    return float(np.mean([v[r].std() for v, r in zip(values, _half(nonempty(region)) > 0, strict=True) if r.any()]))


def gmsd_t(frames: np.ndarray, truth: np.ndarray, region: np.ndarray | None = None) -> float:
    """Gradient magnitude similarity deviation over time, mean of both kinds of slices; arguments as for gmsd."""
    inside = np.s_[:] if region is None else _half(nonempty(region)) > 0
    return float(np.mean([_gradient_similarity(frames, truth, TIME, axis)[inside].std() for axis in (X, Y)]))


def _gradient_similarity(frames: np.ndarray, truth: np.ndarray, first: int, second: int) -> np.ndarray:
    """[T,H/2,W/2] in (0, 1]: likeness of the gradient magnitudes in the plane of two axes."""
    a, b = (_gradient(_half(video @ np.array(LUMA)), first, second) for video in (frames, truth))
    return (2 * a * b + STABLE) / (a * a + b * b + STABLE)


def _gradient(video: np.ndarray, first: int, second: int) -> np.ndarray:
    """Prewitt's gradient magnitude in the plane of two axes; the video goes on unchanged beyond its borders."""

    def along(axis: int, across: int) -> np.ndarray:
        step = correlate1d(video, [-1.0, 0.0, 1.0], axis=axis, mode='nearest')
        return correlate1d(step, [1 / 3] * 3, axis=across, mode='nearest')

    return np.hypot(along(first, second), along(second, first))


def _half(video: np.ndarray) -> np.ndarray:
    """[T,H//2,W//2] float64: means of 2x2 pixels; an odd last row or column is left out."""
    frames, height, width = video.shape[0], video.shape[1] // 2, video.shape[2] // 2
    return video[:, : 2 * height, : 2 * width].reshape(frames, height, 2, width, 2).mean(axis=(2, 4))
