"""Distances between two sets of features: Frechet, as in FID and FVD, and the unbiased kernel distance, as in KID."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance


@dataclass(frozen=True)
class Distribution:
    """A distance between generated and true features.

    frechet: grows with fewer samples. kernel: the unbiased estimate, about 0 for equal distributions at any N. n: how
    many samples of each. width: of the features. weights: SHA-256 of the network's file.
    """

    name: str
    region: str
    frechet: float
    kernel: float
    n: int
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


def kernel_distance(made: Tensor, truth: Tensor) -> float:
    """Unbiased squared maximum mean discrepancy of [N,D] features (cubic kernel; Binkowski et al. 2018), all of them.

    Both sets have N features.
    """
    _refuse(made, truth)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', UserWarning)  # that it keeps the features, which we hold already
        metric = KernelInceptionDistance(_Given(truth.shape[1]), subsets=1, subset_size=len(truth))
    metric.update(truth.double(), real=True)
    metric.update(made.double(), real=False)
    with torch.random.fork_rng(devices=[]):  # it draws the order
        return float(metric.compute()[0])


class _Given(nn.Module):
    """Stands for a network where the features are there already."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.num_features = width

    def forward(self, features: Tensor) -> Tensor:
        return features


def _refuse(made: Tensor, truth: Tensor) -> None:
    if made.shape != truth.shape or len(made) < 2:
        raise ValueError(f'features: expected two sets of equal shape [N >= 2, D], got {list(made.shape)} '
                         f'and {list(truth.shape)}')
