"""Distances between two sets of features: Frechet, as in FID and FVD, and the unbiased kernel distance, as in KID."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance


@dataclass(frozen=True)
class Distribution:
    """A distance between generated and true features.

    frechet: grows with fewer samples. kernel: the unbiased estimate, about 0 for equal distributions at any N. n: how
    many samples of each, from how many clips. width: of the features. weights: SHA-256 of the network's file.
    """

    name: str
    region: str
    frechet: float
    kernel: float
    n: int
    clips: int
    width: int
    weights: str

    @property
    def note(self) -> str:
        """What the reader must know of N."""
        if self.n <= self.width:
            return f'N = {self.n} <= {self.width} features: the covariance is rank-deficient, frechet is biased upwards'
        return ''


def frechet_distance(made: Tensor, truth: Tensor) -> float:
    """Frechet distance of two Gaussians fitted to [N,D] features: |m1-m2|^2 + tr(C1 + C2 - 2 (C1 C2)^1/2)."""
    _refuse(made, truth)
    metric = FrechetInceptionDistance(_Given(truth.shape[1]))
    metric.update(truth.double(), real=True)
    metric.update(made.double(), real=False)
    return float(metric.compute())


def kernel_distance(made: Tensor, truth: Tensor, clip: Tensor) -> float:
    """Unbiased squared maximum mean discrepancy of [N,D] features with KID's cubic kernel; NaN for a single clip.

    The U-statistic of Gretton et al., "A kernel two-sample test", JMLR 2012, lemma 6, over pairs of different clips
    (clip [N]: where each row is from): frames of one clip, and a generated clip and its truth, depend on each other.
    """
    _refuse(made, truth)
    apart = clip[:, None] != clip[None]
    if not apart.any():
        return float('nan')
    x, y = made.double(), truth.double()
    excess = _kernel(x, x) + _kernel(y, y) - 2 * _kernel(x, y)
    return float(excess[apart].mean())


def _kernel(x: Tensor, y: Tensor) -> Tensor:
    return (x @ y.T / x.shape[1] + 1) ** 3


class _Given(nn.Module):
    """Stands for a network where the features are there already."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.num_features = width

    def forward(self, features: Tensor) -> Tensor:
        return features


def _refuse(made: Tensor, truth: Tensor) -> None:
    if made.shape != truth.shape or len(made) < 2:
        raise ValueError(
            f'features: expected two sets of equal shape [N >= 2, D], got {list(made.shape)} and {list(truth.shape)}'
        )
