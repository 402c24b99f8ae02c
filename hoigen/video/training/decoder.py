"""Adapt the autoencoder's decoder to the latents that the DiT really generates.

The decoder has learned on encoded latents; generated ones miss what no condition tells. A last, short training on
generated latents teaches it what to trust in them. Encoder and DiT stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from hoigen.learning.loop import Batch, Objective, train
from hoigen.learning.options import Hardware, LoopConfig
from hoigen.models.cogvideox import LinearAutoencoder, ReferenceAutoencoder
from hoigen.video.denoise import sample
from hoigen.video.model import Model
from hoigen.video.options import DecoderLoss, DiffusionLoss
from hoigen.video.sampling import CONDITIONS
from hoigen.video.training.autoencoder import reconstruction
from hoigen.video.training.diffusion import control_of, told
from hoigen.video.training.latents import LatentSet


class DecoderObjective(Objective):
    """Decode a stretch of ``window`` latents of clips that the DiT generates in ``steps`` steps."""

    clips: LatentSet

    def __init__(
        self,
        autoencoder: ReferenceAutoencoder | LinearAutoencoder,
        clips: LatentSet,
        loss: DecoderLoss,
        told: DiffusionLoss,
        generate: Callable[..., Tensor],
    ) -> None:
        """told: how the DiT was told the looks of its clips."""
        super().__init__()
        self._told = told
        self.model, self.clips = autoencoder, clips
        self._loss, self._generate = loss, generate

    def example(self, index: int, generator: torch.Generator) -> Batch:
        tensors, window = self.clips.load(index), self._loss.window
        look, coloured = told(self._told, tensors, generator)
        tensors.pop('no_text', None)
        start = int(torch.randint(len(tensors['target']) - window + 1, (), generator=generator))
        sample = self.clips.clips.sample(index, 4 * start, 4 * (start + window) - 3, clean=look == 'scene')
        keep = (torch.rand((), generator=generator) >= self._loss.drop_latent).float()
        return {
            **tensors,
            'image_kept': torch.tensor(float(look == 'image')),
            'kept': torch.tensor([coloured if name == 'coloured' else 1.0 for name in CONDITIONS]),
            'start': torch.tensor(start),
            'keep': keep,
            'seed': torch.randint(2**31, (), generator=generator),
            'video': sample.video[0],
            'reference': sample.reference[0] * float(look != 'words'),
            'picture_mask': sample.mask[0],
        }

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        target, window = batch['target'], self._loss.window
        generators = [torch.Generator().manual_seed(seed) for seed in batch['seed'].tolist()]
        first = target[:, :1] * batch['image_kept'][:, None, None, None, None]
        made = self._generate(first, target.shape[1], control_of(batch), batch.get('text'), generator=generators)
        stretch = torch.stack(
            [m[start : start + window] for m, start in zip(made, batch['start'].tolist(), strict=True)]
        )
        decoded = self.model.frames(stretch * batch['keep'][:, None, None, None, None], batch['reference'])
        terms = reconstruction(decoded, batch['video'], batch['picture_mask'])
        return {'loss': terms['l1'] + self._loss.ssim * terms['dssim'], **terms}


def train_decoder(
    model: Model,
    clips: LatentSet,
    folder: Path,
    loop: LoopConfig,
    loss: DecoderLoss,
    told: DiffusionLoss,
    hardware: Hardware,
) -> None:
    """Train the decoder of ``model`` in place on clips that its DiT generates."""
    generate = partial(sample, model.transformer, model.scheduler, steps=model.config.steps)
    for name, parameter in model.autoencoder.named_parameters():
        parameter.requires_grad_(not is_encoder(name))
    model.transformer.eval().to(hardware.accelerator().device)
    train('decoder', DecoderObjective(model.autoencoder, clips, loss, told, generate), folder, loop, hardware)


def is_encoder(name: str) -> bool:
    """Whether a parameter belongs to the encoder, which the latents depend on."""
    return name.startswith(('stem.', 'encode_', 'to_latent.'))
