"""The small models' last step: a convolutional network that sees the scene at full resolution.

A small transformer paints patch by patch, with seams between them. What it paints, the masked picture and its depth
together tell enough to mend that in one pass. Published models need none.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from hoigen.models.flux import ConvBlock

__all__ = ['CHANNELS', 'Refiner']

CHANNELS = 3 + 3 + 1 + 1
"""Painted picture, masked picture, depth, painted area."""


class Refiner(nn.Module):
    """A U-Net of three levels that adds to the painted picture; it begins as nothing."""

    def __init__(self, width: int) -> None:
        super().__init__()
        sizes = (width, 2 * width, 3 * width)
        self.enter = nn.Conv2d(CHANNELS, width, 3, padding=1)
        self.down = nn.ModuleList(nn.Conv2d(a, b, 2, 2) for a, b in pairwise(sizes))
        self.up = nn.ModuleList(nn.ConvTranspose2d(b, a, 2, 2) for a, b in pairwise(sizes))
        self.before, self.after = (nn.ModuleList(ConvBlock(size) for size in sizes) for _ in range(2))
        self.leave = nn.Conv2d(width, 3, 3, padding=1)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    def forward(self, painted: Tensor, masked: Tensor, depth: Tensor, paint: Tensor) -> Tensor:
        """A picture [B,3,S,S] of those of the model and of the scene, all in [-1, 1]; depth and paint [B,1,S,S]."""
        x, kept = self.enter(torch.cat([painted, masked, depth, paint], 1)), []
        for level, block in enumerate(self.before):
            x = block(x)
            kept.append(x)
            if level < len(self.down):
                x = self.down[level](x)
        for level in reversed(range(len(self.after))):
            if level < len(self.up):
                x = self.up[level](x) + kept[level]
            x = self.after[level](x)
        return painted + self.leave(x)
