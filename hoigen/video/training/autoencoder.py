"""Train the small autoencoders on clips."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from hoigen.learning.loop import Batch, Objective, train
from hoigen.learning.losses import local_ssim
from hoigen.learning.options import Hardware, LoopConfig
from hoigen.models.cogvideox import LinearAutoencoder, ReferenceAutoencoder, patches
from hoigen.video.data import ClipSet
from hoigen.video.options import AutoencoderLoss

PATCHES = 256
"""Patches of a clip, at random, of which principal components are found."""


class AutoencoderObjective(Objective):
    """Rebuild random stretches of ``window`` consecutive latents (4 * window - 3 frames), colours permuted.

    Every stretch is decoded as if it began a clip, so its first latent stands for one frame.
    """

    clips: ClipSet

    def __init__(self, model: ReferenceAutoencoder, clips: ClipSet, loss: AutoencoderLoss, frames: int) -> None:
        super().__init__()
        self.model, self.clips = model, clips
        self._loss, self._frames = loss, frames

    def example(self, index: int, generator: torch.Generator) -> Batch:
        sample = self.clips.sample(index, *_stretch(self._frames, self._loss.window, generator))
        order = torch.randperm(3, generator=generator)
        keep = torch.rand(2, generator=generator) >= torch.tensor([self._loss.drop_latent, self._loss.drop_reference])
        size = (self._loss.window, self.model.config.latent_channels, *(n // 8 for n in sample.video.shape[-2:]))
        r = sample.reference[0]
        reference = torch.cat([r[:, order], r[:, 3:4], r[:, 4 + order], r[:, 7:]], dim=1)
        return {
            'video': sample.video[0][:, order],
            'reference': reference,
            'mask': sample.mask[0],
            'keep': keep.float(),
            'noise': torch.randn(size, generator=generator),
        }

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        keep_latent, keep_reference = (k[:, None, None, None, None] for k in batch['keep'].unbind(1))
        mean, log_variance = (x.float() for x in self.model.encode(batch['video']))
        latents = (mean + batch['noise'] * (0.5 * log_variance).exp()) * keep_latent
        frames = self.model.decode(latents, batch['reference'] * keep_reference)
        terms = reconstruction(frames, batch['video'], batch['mask'])
        kl = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean((1, 2, 3, 4))
        return {'loss': terms['l1'] + self._loss.ssim * terms['dssim'] + self._loss.kl * kl, **terms, 'kl': kl}


class CorrectionObjective(Objective):
    """Rebuild random stretches of ``window`` consecutive latents from their components, before their background, the
    empty scene where a clip has it and a coin says so, or no background at all."""

    clips: ClipSet

    def __init__(self, model: LinearAutoencoder, clips: ClipSet, loss: AutoencoderLoss, frames: int) -> None:
        super().__init__()
        self.model, self.clips = model, clips
        self._loss, self._frames = loss, frames

    def example(self, index: int, generator: torch.Generator) -> Batch:
        stretch = _stretch(self._frames, self._loss.window, generator)
        none, clean = torch.rand(2, generator=generator).tolist()
        clean = clean < 0.5 and self.clips.clean_background(index) is not None
        sample = self.clips.sample(index, *stretch, clean=clean)
        reference = sample.reference[0] * float(none >= self._loss.drop_reference)
        return {'video': sample.video[0], 'reference': reference, 'mask': sample.mask[0]}

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        frames = self.model.decode(self.model.encode(batch['video'])[0], batch['reference'])
        terms = reconstruction(frames, batch['video'], batch['mask'])
        return {'loss': terms['l1'] + self._loss.ssim * terms['dssim'], **terms}


def _stretch(frames: int, window: int, generator: torch.Generator) -> tuple[int, int]:
    """First frame, and the one after the last, of ``window`` consecutive latents at random."""
    length = 4 * window - 3
    start = int(torch.randint(frames - length + 1, (), generator=generator))
    return start, start + length


def train_autoencoder(
    model: ReferenceAutoencoder | LinearAutoencoder,
    clips: ClipSet,
    frames: int,
    folder: Path,
    loop: LoopConfig,
    loss: AutoencoderLoss,
    hardware: Hardware,
) -> None:
    """Train in place on clips of ``frames`` frames, then set ``latent_scale``: unit variance on these clips."""
    model.requires_grad_(True)
    linear = isinstance(model, LinearAutoencoder)
    if linear:
        model.fit(some_patches(clips, loop.seed))
    objective = (CorrectionObjective if linear else AutoencoderObjective)(model, clips, loss, frames)
    train('autoencoder', objective, folder, loop, hardware)
    model.latent_scale.fill_(1.0 / latent_deviation(model, clips))


def reconstruction(frames: Tensor, target: Tensor, mask: Tensor) -> dict[str, Tensor]:
    """L1, and structural dissimilarity of the grey picture, weighted (1 + M) by the mask; of [B, T, 3, H, W], [B]."""
    weight = (1 + mask) / (1 + mask).mean((1, 2, 3, 4), keepdim=True)
    l1 = ((frames - target).abs() * weight).mean((1, 2, 3, 4))
    grey, grey_target = (video.mean(2, keepdim=True).flatten(0, 1) for video in (frames, target))
    dssim = (1 - local_ssim(grey, grey_target)).unflatten(0, weight.shape[:2]) * weight
    return {'l1': l1, 'dssim': dssim.mean((1, 2, 3, 4))}


@torch.no_grad()
def some_patches(clips: ClipSet, seed: int, count: int = 256) -> Tensor:
    """Patches [N, PATCH] of evenly chosen clips, of which principal components are found."""
    generator, rows = torch.Generator().manual_seed(seed), []
    for index in range(0, len(clips), max(1, len(clips) // count)):
        of_clip = patches(clips.video(index)).flatten(0, -2)
        rows.append(of_clip[torch.randperm(len(of_clip), generator=generator)[:PATCHES]])
    return torch.cat(rows)


@torch.no_grad()
def latent_deviation(model: ReferenceAutoencoder | LinearAutoencoder, clips: ClipSet, count: int = 32) -> float:
    """Standard deviation of the latents' means over evenly chosen clips."""
    chosen = range(0, len(clips), max(1, len(clips) // count))
    device = model.latent_scale.device
    return float(torch.cat([model.encode(clips.video(i).to(device))[0] for i in chosen]).std())
