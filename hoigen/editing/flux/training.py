"""Training of the small autoencoder, from nothing, and what stages leave for the next ones."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from hoigen.editing.flux.configuration import AutoencoderLoss
from hoigen.learning.checkpoint import whole
from hoigen.learning.loop import Batch, Objective, train
from hoigen.learning.losses import local_ssim
from hoigen.learning.options import Hardware, LoopConfig
from hoigen.models.flux import PatchAutoencoder
from hoigen.models.hub import ModelError
from hoigen.models.tensors import load_strictly, save_tensors

FIRST = 512
"""Pictures of which principal components and variance are taken."""


class Pictures(Protocol):
    """A set of pictures of one size: ``picture`` gives [3,H,W] float32 in [-1, 1]."""

    def __len__(self) -> int: ...

    def name(self, index: int) -> str: ...

    def order(self, seed: int, count: int) -> np.ndarray: ...

    def picture(self, index: int, generator: torch.Generator) -> Tensor: ...


class AutoencoderObjective(Objective):
    """Rebuild pictures, their colours permuted and mirrored at random."""

    clips: Pictures

    def __init__(self, model: PatchAutoencoder, pictures: Pictures, loss: AutoencoderLoss) -> None:
        super().__init__()
        self.model, self.clips, self._loss = model, pictures, loss

    def example(self, index: int, generator: torch.Generator) -> Batch:
        picture = self.clips.picture(index, generator)[torch.randperm(3, generator=generator)]
        if torch.rand((), generator=generator) < 0.5:
            picture = picture.flip(-1)
        c, p = self.model.config.channels, self.model.pixels
        size = (c, picture.shape[1] // p, picture.shape[2] // p)
        return {'picture': picture.contiguous(), 'noise': torch.randn(size, generator=generator)}

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        target, latents = batch['picture'], self.model.latents(batch['picture'])
        rebuilt = self.model.pictures(latents + self._loss.noise * batch['noise']).float()
        l1 = (rebuilt - target).abs().mean((1, 2, 3))
        dssim = dissimilarity(rebuilt, target).mean((1, 2, 3))
        small = latents.float().square().mean((1, 2, 3))
        psnr = -10 * torch.log10(((rebuilt.detach() - target) / 2).square().mean((1, 2, 3)).clamp(min=1e-6))
        return {'loss': l1 + self._loss.ssim * dssim + self._loss.small * small, 'l1': l1, 'psnr': psnr, 'small': small}


def dissimilarity(a: Tensor, b: Tensor) -> Tensor:
    """[B,1,H,W]: one minus the local SSIM of the grey pictures."""
    return 1 - local_ssim(a.mean(1, keepdim=True), b.mean(1, keepdim=True))


def train_autoencoder(
    model: PatchAutoencoder,
    pictures: Pictures,
    folder: Path,
    loop: LoopConfig,
    loss: AutoencoderLoss,
    hardware: Hardware,
) -> None:
    """Train in place: from the principal components of some pictures on, to latents of unit variance on them."""
    generator = torch.Generator().manual_seed(loop.seed)
    some = torch.stack(
        [pictures.picture(index, generator) for index in range(0, len(pictures), max(1, len(pictures) // FIRST))]
    )
    model.begin(some)
    model.requires_grad_(True)
    train('autoencoder', AutoencoderObjective(model, pictures, loss), folder, loop, hardware)
    model.normalise(some)


def save_weights(module: nn.Module, path: Path, hardware: Hardware) -> None:
    """Write the weights, gathered where they are sharded."""
    accelerator = hardware.accelerator()
    tensors = {name: whole(tensor) for name, tensor in module.state_dict().items()}
    if accelerator.is_main_process:
        save_tensors(tensors, path)
    accelerator.wait_for_everyone()


def load_stage(module: nn.Module, path: Path, command: str) -> None:
    """Load what an earlier stage left; ModelError names the command that makes it."""
    if not path.is_file():
        raise ModelError(f'{path}: expected the weights of an earlier stage, found none; run it first: {command}')
    load_strictly(module, path)
