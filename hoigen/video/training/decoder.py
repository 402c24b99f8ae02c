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
from hoigen.video.options import DecoderLoss
from hoigen.video.sampling import CONDITIONS
from hoigen.video.training.autoencoder import reconstruction
from hoigen.video.training.diffusion import control_of
from hoigen.video.training.latents import LatentSet


class DecoderObjective(Objective):
    """Decode a stretch of ``window`` latents of clips that the DiT generates in ``steps`` steps."""

    clips: LatentSet

    def __init__(
        self,
        autoencoder: ReferenceAutoencoder | LinearAutoencoder,
        clips: LatentSet,
        loss: DecoderLoss,
        generate: Callable[..., Tensor],
    ) -> None:
        super().__init__()
        self.model, self.clips = autoencoder, clips
        self._loss, self._generate = loss, generate

    def example(self, index: int, generator: torch.Generator) -> Batch:
        tensors, window = self.clips.load(index), self._loss.window
        start = int(torch.randint(len(tensors['target']) - window + 1, (), generator=generator))
        sample = self.clips.clips.sample(index, 4 * start, 4 * (start + window) - 3)
        keep = (torch.rand((), generator=generator) >= self._loss.drop_latent).float()
        return {
            **{name: tensor for name, tensor in tensors.items() if name != 'has_clean_background'},
            'kept': torch.ones(len(CONDITIONS)),
            'start': torch.tensor(start),
            'keep': keep,
            'seed': torch.randint(2**31, (), generator=generator),
            'video': sample.video[0],
            'reference': sample.reference[0],
            'picture_mask': sample.mask[0],
        }

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        target, window = batch['target'], self._loss.window
        generators = [torch.Generator().manual_seed(seed) for seed in batch['seed'].tolist()]
        made = self._generate(target[:, :1], target.shape[1], control_of(batch), generator=generators)
        stretch = torch.stack(
            [m[start : start + window] for m, start in zip(made, batch['start'].tolist(), strict=True)]
        )
        decoded = self.model.frames(stretch * batch['keep'][:, None, None, None, None], batch['reference'])
        terms = reconstruction(decoded, batch['video'], batch['picture_mask'])
        return {'loss': terms['l1'] + self._loss.ssim * terms['dssim'], **terms}


def train_decoder(
    model: Model, clips: LatentSet, folder: Path, loop: LoopConfig, loss: DecoderLoss, hardware: Hardware
) -> None:
    """Train the decoder of ``model`` in place on clips that its DiT generates."""
    generate = partial(sample, model.transformer, model.scheduler, steps=model.config.steps)
    for name, parameter in model.autoencoder.named_parameters():
        parameter.requires_grad_(not is_encoder(name))
    model.transformer.eval().to(hardware.accelerator().device)
    train('decoder', DecoderObjective(model.autoencoder, clips, loss, generate), folder, loop, hardware)


def is_encoder(name: str) -> bool:
    """Whether a parameter belongs to the encoder, which the latents depend on."""
    return name.startswith(('stem.', 'encode_', 'to_latent.'))
