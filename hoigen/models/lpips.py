"""LPIPS on AlexNet: Zhang et al., "The unreasonable effectiveness of deep features as a perceptual metric", CVPR 2018.

torchmetrics holds the metric and its calibration (a few kilobytes, which are read from there), but takes the backbone
from torchvision, which has to match torch's build exactly; the backbone's five convolutions stand here instead.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torchmetrics.functional.image as library
from torch import Tensor, nn

from hoigen.models.hub.published import read_tensors

TAPS = (1, 4, 7, 9, 11)
"""Layers whose activations are compared: each ReLU."""

MEAN, STD = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
"""Of pictures in [-1, 1], as the metric's authors give them."""


class Lpips(nn.Module):
    """Perceptual distance per frame. Its weights are ``features`` of AlexNet, by torchvision's names."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, 11, 4, 2),
            nn.ReLU(),
            nn.MaxPool2d(3, 2),
            nn.Conv2d(64, 192, 5, 1, 2),
            nn.ReLU(),
            nn.MaxPool2d(3, 2),
            nn.Conv2d(192, 384, 3, 1, 1),
            nn.ReLU(),
            nn.Conv2d(384, 256, 3, 1, 1),
            nn.ReLU(),
            nn.Conv2d(256, 256, 3, 1, 1),
            nn.ReLU(),
        )
        calibration = read_tensors(Path(library.__path__[0]) / 'lpips_models' / 'alex.pth')
        self._scales = [calibration[f'lin{i}.model.1.weight'] for i in range(len(TAPS))]

    def forward(self, frames: np.ndarray, truth: np.ndarray) -> Tensor:
        """Distance [T] of [T,H,W,3] uint8 videos; 0 if equal."""
        pairs = zip(self._activations(frames), self._activations(truth), self._scales, strict=True)
        return sum(((a - b).square() * scale).sum(1).mean((1, 2)) for a, b, scale in pairs)

    def _activations(self, frames: np.ndarray) -> list[Tensor]:
        x = torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2).float() / 127.5 - 1
        x = (x - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
        found = []
        for index, layer in enumerate(self.features):
            x = layer(x)
            if index in TAPS:
                found.append(x / (x.square().sum(1, keepdim=True) + 1e-8).sqrt())
        return found
