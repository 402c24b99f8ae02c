"""Train the tiny autoencoder on clips."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from hoigen.video.autoencoder import ReferenceAutoencoder
from hoigen.video.data import ClipFolder, Sample
from hoigen.video.training.loop import LoopConfig, train


@dataclass(frozen=True)
class AutoencoderLoss:
    """Weights of the autoencoder's loss, and how often a part of its input is left out.

    Without its latents the decoder learns what the reference alone can give; without its reference the latents learn
    to carry the whole picture, which the image and tracking conditions need.
    """

    ssim: float = 0.3
    kl: float = 3e-4
    drop_latent: float = 0.1
    drop_reference: float = 0.05
    window: int = 2


def train_autoencoder(model: ReferenceAutoencoder, clips: ClipFolder, folder: Path, loop: LoopConfig,
                      loss: AutoencoderLoss) -> None:
    """Train in place, then set ``latent_scale`` so that latents have unit variance on these clips."""

    def step(_: int, generator: torch.Generator) -> dict[str, Tensor]:
        batch = windows(clips, loop.batch, loss.window, generator)
        keep_latent, keep_reference = (
            (torch.rand(loop.batch, 1, 1, 1, 1, generator=generator) >= p).float()
            for p in (loss.drop_latent, loss.drop_reference))
        mean, log_variance = model.encode(batch.video)
        mean, log_variance = mean.float(), log_variance.float()
        noise = torch.randn(mean.shape, generator=generator)
        latents = (mean + noise * (0.5 * log_variance).exp()) * keep_latent
        frames = model.decode(latents, batch.reference * keep_reference)
        terms = reconstruction(frames, batch.video, batch.mask)
        kl = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean()
        return {'loss': terms['l1'] + loss.ssim * terms['dssim'] + loss.kl * kl, **terms, 'kl': kl}

    train('autoencoder', model, model.parameters(), step, folder, loop)
    model.latent_scale.fill_(1.0 / latent_deviation(model, clips))


def windows(clips: ClipFolder, count: int, latents: int, generator: torch.Generator) -> Sample:
    """``count`` random stretches of ``latents`` consecutive latents (4 * latents - 3 frames), colours permuted.

    Every stretch is decoded as if it began a clip, so its first latent stands for one frame.
    """
    samples = []
    for _ in range(count):
        index = int(torch.randint(len(clips), (1,), generator=generator))
        length = 4 * latents - 3
        start = int(torch.randint(clips.frames(index) - length + 1, (1,), generator=generator))
        samples.append(clips.sample(index, start, start + length))
    order = torch.randperm(3, generator=generator)
    video = torch.cat([s.video for s in samples])[:, :, order]
    reference = torch.cat([s.reference for s in samples])
    reference = torch.cat([reference[:, :, order], reference[:, :, 3:4], reference[:, :, 4 + order],
                           reference[:, :, 7:]], dim=2)
    return Sample(video, reference, torch.cat([s.mask for s in samples]))


def reconstruction(frames: Tensor, target: Tensor, mask: Tensor) -> dict[str, Tensor]:
    """L1, and structural dissimilarity of the grey picture, weighted (1 + M) by the mask; videos [B, T, 3, H, W]."""
    weight = (1 + mask) / (1 + mask).mean()
    l1 = ((frames - target).abs() * weight).mean()
    grey, grey_target = (video.mean(2, keepdim=True).flatten(0, 1) for video in (frames, target))
    dssim = (1 - local_ssim(grey, grey_target)) * weight.flatten(0, 1)
    return {'l1': l1, 'dssim': dssim.mean()}


def local_ssim(a: Tensor, b: Tensor) -> Tensor:
    """SSIM map of [N, 1, H, W] in [-1, 1] over 7x7 boxes (a box, not a Gaussian, for speed; a loss, not a metric)."""
    pool = lambda x: F.avg_pool2d(x, 7, 1, 3, count_include_pad=False)  # noqa: E731
    mean_a, mean_b = pool(a), pool(b)
    var_a, var_b = pool(a * a) - mean_a**2, pool(b * b) - mean_b**2
    covariance = pool(a * b) - mean_a * mean_b
    c1, c2 = 0.02**2, 0.06**2
    return ((2 * mean_a * mean_b + c1) * (2 * covariance + c2)
            / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2)))


@torch.no_grad()
def latent_deviation(model: ReferenceAutoencoder, clips: ClipFolder, count: int = 32) -> float:
    """Standard deviation of the latents' means over evenly chosen clips."""
    chosen = range(0, len(clips), max(1, len(clips) // count))
    return float(torch.cat([model.encode(clips.sample(i).video)[0] for i in chosen]).std())
