"""Losses that several trainings use."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def local_ssim(a: Tensor, b: Tensor) -> Tensor:
    """SSIM map of [N, 1, H, W] in [-1, 1] over 7x7 boxes (a box, not a Gaussian, for speed; a loss, not a metric)."""
    pool = lambda x: F.avg_pool2d(x, 7, 1, 3, count_include_pad=False)  # noqa: E731
    mean_a, mean_b = pool(a), pool(b)
    var_a, var_b = pool(a * a) - mean_a**2, pool(b * b) - mean_b**2
    covariance = pool(a * b) - mean_a * mean_b
    c1, c2 = 0.02**2, 0.06**2
    return (2 * mean_a * mean_b + c1) * (2 * covariance + c2) / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))
