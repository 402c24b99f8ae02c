"""Adapt the autoencoder's decoder to the latents that the DiT really generates.

The decoder has learned on encoded latents; generated ones miss what no condition tells. A last, short training on
generated latents teaches it what to trust in them. Encoder and DiT stay as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import CogVideoXDPMScheduler
from torch import Tensor

from hoigen.video.autoencoder import ReferenceAutoencoder
from hoigen.video.data import ClipFolder
from hoigen.video.denoise import sample
from hoigen.video.training.autoencoder import reconstruction
from hoigen.video.training.diffusion import LatentClips
from hoigen.video.training.loop import LoopConfig, train
from hoigen.video.transformer import ControlledCogVideoX


@dataclass(frozen=True)
class DecoderLoss:
    """ssim: weight of structural dissimilarity. window: latents decoded per clip. drop_latent: as in training."""

    ssim: float = 0.3
    window: int = 3
    drop_latent: float = 0.1


def train_decoder(autoencoder: ReferenceAutoencoder, model: ControlledCogVideoX, clips: ClipFolder,
                  latents: LatentClips, scheduler: CogVideoXDPMScheduler, steps: int, folder: Path, loop: LoopConfig,
                  loss: DecoderLoss) -> None:
    """Train the decoder in place on clips generated in ``steps`` steps."""
    model.eval()
    parameters = [p for name, p in autoencoder.named_parameters() if not is_encoder(name)]

    def step(_: int, generator: torch.Generator) -> dict[str, Tensor]:
        indices = torch.randint(len(clips), (loop.batch,), generator=generator).tolist()
        batch = latents.batch(indices)
        frames = batch.target.shape[1]
        made = sample(model, scheduler, batch.target[:, :1], frames, batch.control(), steps=steps,
                      generator=generator)
        keep = (torch.rand(loop.batch, 1, 1, 1, 1, generator=generator) >= loss.drop_latent).float()
        start = int(torch.randint(frames - loss.window + 1, (1,), generator=generator))
        stop = start + loss.window
        samples = [clips.sample(i, 4 * start, 4 * stop - 3) for i in indices]
        video, reference, mask = (torch.cat([getattr(s, name) for s in samples])
                                  for name in ('video', 'reference', 'mask'))
        decoded = autoencoder.frames(made[:, start:stop] * keep, reference)
        terms = reconstruction(decoded, video, mask)
        return {'loss': terms['l1'] + loss.ssim * terms['dssim'], **terms}

    train('decoder', autoencoder, parameters, step, folder, loop)


def is_encoder(name: str) -> bool:
    """Whether a parameter belongs to the encoder, which the latents depend on."""
    return name.startswith(('stem.', 'encode_', 'to_latent.'))
