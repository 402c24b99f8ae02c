"""FLUX beside its transformer, which is diffusers': autoencoders, images as tokens and back, flow matching.

The autoencoder is FLUX's own, or a small one that is trained in minutes.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import torch
from diffusers import AutoencoderKL
from torch import Tensor, nn
from torch.nn import functional as F

# bfloat16 autocast over float32 norms is what is meant; that torch then cannot fuse the two is no news to a user
warnings.filterwarnings('ignore', 'Mismatch dtype between input and weight')


class Autoencoder(Protocol):
    """What both have. pixels: the side of a picture that one latent stands for."""

    pixels: int

    def latents(self, pictures: Tensor) -> Tensor:
        """[B,C,H/pixels,W/pixels], about unit variance, of pictures [B,3,H,W] in [-1, 1]."""
        ...

    def pictures(self, latents: Tensor) -> Tensor:
        """Pictures [B,3,H,W] of latents."""
        ...


class PublishedAutoencoder(AutoencoderKL):
    """FLUX's autoencoder; its latents are the means, shifted and scaled as its configuration says."""

    @property
    def pixels(self) -> int:
        return 2 ** (len(self.config.block_out_channels) - 1)

    def latents(self, pictures: Tensor) -> Tensor:
        return (self.encode(pictures).latent_dist.mean - self.config.shift_factor) * self.config.scaling_factor

    def pictures(self, latents: Tensor) -> Tensor:
        return self.decode(latents / self.config.scaling_factor + self.config.shift_factor, return_dict=False)[0]


LEAST = 1e-3
"""Deviation below which a principal component counts as none: too little to be seen."""


@dataclass(frozen=True)
class PatchConfig:
    """channels: of a latent, which stands for pixels x pixels. width: of the convolutions."""

    channels: int = 16
    pixels: int = 4
    width: int = 48


class PatchAutoencoder(nn.Module):
    """Principal components of patches, and convolutions that add what a patch alone cannot tell.

    The linear part alone rebuilds pictures well (:meth:`begin`), where a convolutional autoencoder of this size needs
    hours of training to get colours right; the convolutions begin as nothing.
    """

    def __init__(self, config: PatchConfig) -> None:
        super().__init__()
        self.config, self.pixels = config, config.pixels
        c, p, w = config.channels, config.pixels, config.width
        self.analysis, self.synthesis = nn.Conv2d(3, c, p, p), nn.ConvTranspose2d(c, 3, p, p)
        self.inner = nn.Sequential(nn.Conv2d(3 * p * p, w, 3, padding=1), nn.SiLU(), ConvBlock(w), nn.Conv2d(w, c, 1))
        self.coarse = nn.Sequential(
            nn.Conv2d(c, 2 * w, 3, padding=1),
            nn.SiLU(),
            ConvBlock(2 * w),
            ConvBlock(2 * w),
            nn.Conv2d(2 * w, 16 * p * p, 1),
            nn.PixelShuffle(p),
        )
        self.fine = nn.Sequential(
            nn.Conv2d(16 + 3, 32, 3, padding=1), nn.SiLU(), ConvBlock(32), nn.Conv2d(32, 3, 3, padding=1)
        )
        for last in (self.inner[-1], self.fine[-1]):
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    @torch.no_grad()
    def begin(self, pictures: Tensor) -> None:
        """Set the linear part to the principal components of the patches of ``pictures`` [B,3,H,W]."""
        c, p = self.config.channels, self.config.pixels
        patches = F.unfold(pictures, p, stride=p).transpose(1, 2).reshape(-1, 3 * p * p).double()
        mean = patches.mean(0).reshape(3, p * p).mean(1).repeat_interleave(p * p)  # a convolution adds one colour
        values, vectors = torch.linalg.eigh((patches - mean).T @ (patches - mean) / len(patches))
        deviation, components = values[-c:].flip(0).clamp(min=LEAST**2).sqrt(), vectors[:, -c:].flip(1)
        scale = deviation.sqrt() * deviation.sqrt().mean()  # half way to equal variances: coarse ones stay larger
        self.analysis.weight.copy_((components / scale).T.reshape(c, 3, p, p))
        self.analysis.bias.copy_(-(mean @ components) / scale)
        self.synthesis.weight.copy_((components * scale).T.reshape(c, 3, p, p))
        self.synthesis.bias.copy_(mean[:: p * p])

    @torch.no_grad()
    def normalise(self, pictures: Tensor) -> None:
        """Scale the latents so that those of ``pictures`` have unit variance; pictures rebuilt of them stay."""
        deviation = self.latents(pictures).std()
        for layer in (self.analysis, self.inner[-1]):
            layer.weight.div_(deviation)
            layer.bias.div_(deviation)
        for layer in (self.synthesis, self.coarse[0]):
            layer.weight.mul_(deviation)

    def latents(self, pictures: Tensor) -> Tensor:
        return self.analysis(pictures) + self.inner(F.pixel_unshuffle(pictures, self.pixels))

    def pictures(self, latents: Tensor) -> Tensor:
        rough = self.synthesis(latents)
        return rough + self.fine(torch.cat([self.coarse(latents), rough], 1))


class ConvBlock(nn.Module):
    """Two convolutions beside a shortcut; [B,width,H,W] stays as large as it is."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1), nn.SiLU(), nn.Conv2d(width, width, 3, padding=1)
        )

    def forward(self, x: Tensor) -> Tensor:
        return F.silu(x + self.layers(x))


def pack(latents: Tensor) -> Tensor:
    """[B,C,h,w] latents as tokens [B, h/2 * w/2, 4C], row by row."""
    b, c, h, w = latents.shape
    return latents.reshape(b, c, h // 2, 2, w // 2, 2).permute(0, 2, 4, 1, 3, 5).reshape(b, h * w // 4, 4 * c)


def unpack(tokens: Tensor, height: int, width: int) -> Tensor:
    """Tokens of ``height`` x ``width`` (in tokens) as latents [B,C,2*height,2*width]; inverse of :func:`pack`."""
    b, _, d = tokens.shape
    latents = tokens.reshape(b, height, width, d // 4, 2, 2).permute(0, 3, 1, 4, 2, 5)
    return latents.reshape(b, d // 4, 2 * height, 2 * width)


def position_ids(height: int, width: int, *, kind: int = 0, down: int = 0, across: int = 0) -> Tensor:
    """[height*width, 3] float32 (kind, row, column) of tokens, moved ``down`` and ``across``."""
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing='ij')
    return torch.stack([torch.full_like(rows, kind), rows + down, columns + across], -1).reshape(-1, 3).float()


def encode(autoencoder: Autoencoder, pictures: Tensor) -> Tensor:
    """Tokens [B,N,D] of pictures [B,3,H,W] in [-1, 1]."""
    return pack(autoencoder.latents(pictures))


def decode(autoencoder: Autoencoder, tokens: Tensor, height: int, width: int) -> Tensor:
    """Pictures [B,3,H,W] in [-1, 1] of tokens; ``height`` and ``width`` in tokens."""
    return autoencoder.pictures(unpack(tokens, height, width)).clamp(-1, 1)


Velocity = Callable[[Tensor, Tensor], Tensor]
"""Noise minus picture [B,N,D] at tokens [B,N,D] and times [B] in [0, 1]: 1 is noise, 0 the picture."""
OnStep = Callable[[int, int, Tensor], None]
"""Told after each step: its number from 1, how many there are, and the clean tokens [B,N,D] as expected there. What it
raises ends the sampling."""

SHIFTS = ((256, 0.5), (4096, 1.15))
"""Tokens of a picture, and the logarithm of FLUX's shift for it: two points of a line."""


def schedule(steps: int, tokens: int, shift: float | None = None) -> tuple[float, ...]:
    """Times of ``steps`` steps, from 1 to 0: steps + 1 numbers.

    shift: how much more of them is spent where there is noise, 1 is evenly; by default what FLUX has for a picture of
    so many tokens (larger pictures need more).
    """
    if steps < 1:
        raise ValueError(f'steps: expected >= 1, got {steps}')
    if shift is None:
        (few, low), (many, high) = SHIFTS
        shift = math.exp(low + (high - low) * (tokens - few) / (many - few))
    even = [1 - step / steps for step in range(steps + 1)]
    return tuple(shift * t / (1 + (shift - 1) * t) for t in even)


def noise(seed: int, tokens: int, width: int, device: torch.device | str = 'cpu') -> Tensor:
    """[1,tokens,width] float32 to begin with; drawn on the CPU, so that a seed is the same on every device."""
    return torch.randn(1, tokens, width, generator=torch.Generator().manual_seed(seed)).to(device)


@torch.no_grad()
def sample(velocity: Velocity, start: Tensor, times: tuple[float, ...], on_step: OnStep | None = None) -> Tensor:
    """Tokens [B,N,D] float32 of ``start`` (noise, the same shape), along the velocity through ``times``."""
    x = start.float()
    for step, (now, then) in enumerate(pairwise(times), 1):
        direction = velocity(x, torch.full((len(x),), now, device=x.device)).float()
        clean, x = x - now * direction, x + (then - now) * direction
        if on_step is not None:
            on_step(step, len(times) - 1, clean)
    return x


REFINER_CHANNELS = 3 + 3 + 1 + 1
"""Painted picture, masked picture, depth, painted area."""


class Refiner(nn.Module):
    """The small models' last step: a U-Net of three levels that adds to the painted picture and begins as nothing.

    A small transformer paints patch by patch, with seams between them. What it paints, the masked picture and its depth
    together tell enough to mend that in one pass, at full resolution. Published models need none.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        sizes = (width, 2 * width, 3 * width)
        self.enter = nn.Conv2d(REFINER_CHANNELS, width, 3, padding=1)
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
