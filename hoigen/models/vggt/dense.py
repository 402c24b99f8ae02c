"""The DPT head (Ranftl et al. 2021): tokens of four blocks to one value per pixel, or to feature maps."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hoigen.models.vggt.aggregator import Tokens
from hoigen.models.vggt.config import DenseConfig

AT_ONCE = 8
"""Frames that a head works on at once, to bound its memory."""

PLACE_SHARE, PLACE_BASE = 0.1, 100.0
"""How much of a pixel's sine-cosine embedding is added to the features, and the base of its frequencies."""


class Residual(nn.Module):
    """Two convolutions beside a skip of the *rectified* input, as published checkpoints were trained."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = (nn.Conv2d(features, features, 3, padding=1) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        x = x.relu()
        return x + self.conv2(self.conv1(x).relu())


class Fusion(nn.Module):
    """Adds a finer scale and brings the sum to a larger size; the coarsest has nothing before it (``first``)."""

    def __init__(self, features: int, first: bool) -> None:
        super().__init__()
        self.out_conv = nn.Conv2d(features, features, 1)
        if not first:
            self.resConfUnit1 = Residual(features)
        self.resConfUnit2 = Residual(features)

    def forward(self, x: Tensor, size: tuple[int, int], finer: Tensor | None = None) -> Tensor:
        if finer is not None:
            x = x + self.resConfUnit1(finer)
        return self.out_conv(F.interpolate(self.resConfUnit2(x), size, mode='bilinear', align_corners=True))


class Scratch(nn.Module):
    """The fusion of four scales, under the names that checkpoints give its layers."""

    def __init__(self, features: int, channels: tuple[int, ...], outputs: int) -> None:
        super().__init__()
        self.layer1_rn, self.layer2_rn, self.layer3_rn, self.layer4_rn = (
            nn.Conv2d(channel, features, 3, padding=1, bias=False) for channel in channels
        )
        self.refinenet1, self.refinenet2, self.refinenet3 = (Fusion(features, first=False) for _ in range(3))
        self.refinenet4 = Fusion(features, first=True)
        self.output_conv1 = nn.Conv2d(features, features // 2 if outputs else features, 3, padding=1)
        self.output_conv2 = (
            nn.Sequential(nn.Conv2d(features // 2, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, outputs, 1))
            if outputs
            else nn.Identity()
        )

    def forward(self, scales: list[Tensor]) -> Tensor:
        """Scales from the finest to the coarsest, to twice the finest's size; ``output_conv2`` is left to do."""
        one, two, three, four = (
            layer(x)
            for layer, x in zip((self.layer1_rn, self.layer2_rn, self.layer3_rn, self.layer4_rn), scales, strict=True)
        )
        x = self.refinenet4(four, three.shape[-2:])
        x = self.refinenet3(x, two.shape[-2:], three)
        x = self.refinenet2(x, one.shape[-2:], two)
        return self.output_conv1(self.refinenet1(x, (2 * one.shape[-2], 2 * one.shape[-1]), one))


class DPT(nn.Module):
    """outputs: values per pixel, or 0 for feature maps alone, at 1 / stride of the picture's size.

    placed: add embeddings of the pixels' places.
    """

    def __init__(
        self,
        width: int,
        patch: int,
        taps: tuple[int, ...],
        config: DenseConfig,
        *,
        outputs: int,
        stride: int = 1,
        placed: bool = True,
    ) -> None:
        super().__init__()
        features, channels = config.features, config.channels
        self.taps, self.patch, self.stride, self.placed = taps, patch, stride, placed
        self.norm = nn.LayerNorm(width)
        self.projects = nn.ModuleList(nn.Conv2d(width, c, 1) for c in channels)
        self.resize_layers = nn.ModuleList(
            [
                nn.ConvTranspose2d(channels[0], channels[0], 4, 4),
                nn.ConvTranspose2d(channels[1], channels[1], 2, 2),
                nn.Identity(),
                nn.Conv2d(channels[3], channels[3], 3, 2, 1),
            ]
        )
        self.scratch = Scratch(features, channels, outputs)

    def forward(self, tokens: Tokens) -> Tensor:
        """[B,S,outputs or features,H,W] in float32, a few frames at a time."""
        batch, frames = tokens.taps[self.taps[0]].shape[:2]
        kept = [tokens.taps[tap].flatten(0, 1)[:, tokens.special :] for tap in self.taps]
        parts = [
            self._frames([tap[i : i + AT_ONCE] for tap in kept], tokens.rows, tokens.columns)
            for i in range(0, batch * frames, AT_ONCE)
        ]
        return torch.cat(parts).unflatten(0, (batch, frames))

    def _frames(self, taps: list[Tensor], rows: int, columns: int) -> Tensor:
        scales = []
        for tap, project, resize in zip(taps, self.projects, self.resize_layers, strict=True):
            x = project(self.norm(tap).transpose(1, 2).unflatten(2, (rows, columns)))
            scales.append(resize(self._place(x, columns / rows)))
        x = self.scratch(scales)
        size = rows * self.patch // self.stride, columns * self.patch // self.stride
        x = self._place(F.interpolate(x, size, mode='bilinear', align_corners=True), columns / rows)
        return self.scratch.output_conv2(x)

    def _place(self, x: Tensor, aspect: float) -> Tensor:
        return x + PLACE_SHARE * place_embedding(x, aspect) if self.placed else x


def place_embedding(x: Tensor, aspect: float) -> Tensor:
    """[C,h,w] for features [...,C,h,w]: sines and cosines of the columns' places, then of the rows'.

    Places are in units of half the picture's diagonal, from its centre; aspect: its width over its height.
    """
    channels, height, width = x.shape[-3:]
    diagonal = (1 + aspect**2) ** 0.5
    across = sincos(_centres(width, aspect / diagonal, x.device), channels // 2, PLACE_BASE)
    down = sincos(_centres(height, 1 / diagonal, x.device), channels // 2, PLACE_BASE)
    return spread(across, down).to(x.dtype)


def spread(across: Tensor, down: Tensor) -> Tensor:
    """[2C,h,w] of embeddings [w,C] of the columns and [h,C] of the rows."""
    size = len(down), len(across), -1
    return torch.cat([across[None].expand(size), down[:, None].expand(size)], -1).permute(2, 0, 1)


def _centres(count: int, reach: float, device: torch.device) -> Tensor:
    """Centres of ``count`` cells that fill [-reach, reach]."""
    end = reach * (count - 1) / count
    return torch.linspace(-end, end, count, device=device)


def sincos(places: Tensor, channels: int, base: float) -> Tensor:
    """[N,channels] float32 of places [N]: sines, then cosines, of falling frequencies."""
    steps = torch.arange(channels // 2, dtype=torch.float64, device=places.device)
    frequencies = 1 / base ** (steps / (channels / 2))
    angles = places.double()[:, None] * frequencies
    return torch.cat([angles.sin(), angles.cos()], 1).float()
