"""Train FLUX's autoencoder at a small size, from nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor
from torch.nn import functional as F

from hoigen.training.loop import Batch, Hardware, LoopConfig, Objective, train

__all__ = ['AutoencoderLoss', 'Pictures', 'set_scale', 'train_autoencoder']


class Pictures(Protocol):
    """A set of pictures of one size: ``picture`` gives [3,H,W] float32 in [-1, 1]."""

    def __len__(self) -> int: ...

    def name(self, index: int) -> str: ...

    def order(self, seed: int, count: int) -> np.ndarray: ...

    def picture(self, index: int, generator: torch.Generator) -> Tensor: ...


@dataclass(frozen=True)
class AutoencoderLoss:
    """Weights of structure (SSIM on the grey picture) and of the latents' divergence from a normal."""

    ssim: float = 0.3
    kl: float = 1e-4


class AutoencoderObjective(Objective):
    """Rebuild pictures, their colours permuted and mirrored at random."""

    def __init__(self, model: AutoencoderKL, pictures: Pictures, loss: AutoencoderLoss) -> None:
        super().__init__()
        self.model, self.clips, self._loss = model, pictures, loss

    def example(self, index: int, generator: torch.Generator) -> Batch:
        picture = self.clips.picture(index, generator)[torch.randperm(3, generator=generator)]
        if torch.rand((), generator=generator) < 0.5:
            picture = picture.flip(-1)
        return {'picture': picture.contiguous(), 'seed': torch.randint(2**31, (), generator=generator)}

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        posterior = self.model.encode(batch['picture']).latent_dist
        noise = torch.randn(posterior.mean.shape, generator=torch.Generator().manual_seed(int(batch['seed'][0])))
        rebuilt = self.model.decode(posterior.mean + posterior.std * noise.to(posterior.mean), return_dict=False)[0]
        rebuilt, target = rebuilt.float(), batch['picture']
        l1 = (rebuilt - target).abs().mean((1, 2, 3))
        dssim = 1 - _ssim(rebuilt.mean(1, keepdim=True), target.mean(1, keepdim=True)).mean((1, 2, 3))
        kl = posterior.kl().float() / posterior.mean[0].numel()
        psnr = -10 * torch.log10(((rebuilt.detach() - target) / 2).square().mean((1, 2, 3)).clamp(min=1e-6))
        return {'loss': l1 + self._loss.ssim * dssim + self._loss.kl * kl, 'l1': l1, 'psnr': psnr, 'kl': kl}


def _ssim(a: Tensor, b: Tensor) -> Tensor:
    pool = lambda x: F.avg_pool2d(x, 7, 1, 3, count_include_pad=False)  # noqa: E731
    mean_a, mean_b = pool(a), pool(b)
    var_a, var_b, both = pool(a * a) - mean_a**2, pool(b * b) - mean_b**2, pool(a * b) - mean_a * mean_b
    c1, c2 = 0.02**2, 0.06**2
    return (2 * mean_a * mean_b + c1) * (2 * both + c2) / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))


def train_autoencoder(model: AutoencoderKL, pictures: Pictures, folder: Path, loop: LoopConfig, loss: AutoencoderLoss,
                      hardware: Hardware) -> None:
    """Train in place, then set the scale of the latents: mean 0 and unit variance on these pictures."""
    model.requires_grad_(True)
    train('autoencoder', AutoencoderObjective(model, pictures, loss), folder, loop, hardware)
    set_scale(model, pictures)


@torch.no_grad()
def set_scale(model: AutoencoderKL, pictures: Pictures, count: int = 256) -> None:
    """Write shift and scale of the latents into the model's configuration."""
    generator = torch.Generator().manual_seed(0)
    chosen = range(0, len(pictures), max(1, len(pictures) // count))
    batch = torch.stack([pictures.picture(index, generator) for index in chosen])
    latents = torch.cat([model.encode(part).latent_dist.mean for part in batch.split(32)])
    model.register_to_config(shift_factor=round(float(latents.mean()), 4),
                             scaling_factor=round(1 / float(latents.std()), 4))
