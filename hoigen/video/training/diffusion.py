"""Train the DiT and its 3D control branch on latents, with the mask diffusion loss (HVG-3D, key design 3)."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Literal

import torch
from diffusers import CogVideoXDPMScheduler
from torch import Tensor, nn

from hoigen.learning.loop import Batch, Objective, train
from hoigen.learning.options import Hardware, LoopConfig
from hoigen.models.look_words import LookWords
from hoigen.video.denoise import predict
from hoigen.video.inputs import PointInputs
from hoigen.video.model import Model
from hoigen.video.options import DiffusionLoss
from hoigen.video.sampling import CONDITIONS, Look
from hoigen.video.training.latents import POINT_FIELDS, LatentSet, encode_video
from hoigen.video.transformer import Control, ControlledCogVideoX, with_first_frame

IMAGE_NOISE = (-3.0, 0.5)
"""Mean and deviation of the logarithm of the noise on the first picture (Diffusion as Shader, CogVideoX)."""


class DiffusionObjective(Objective):
    """Predict the velocity of noisy latents.

    encode_image: gives a noisy first picture's latent. by_row: the rows of a text are left out each alone.
    """

    clips: LatentSet

    def __init__(
        self,
        model: ControlledCogVideoX,
        clips: LatentSet,
        scheduler: CogVideoXDPMScheduler,
        loss: DiffusionLoss,
        encode_image: Callable[[Tensor], Tensor],
        by_row: bool = False,
    ) -> None:
        super().__init__()
        self.model, self.clips = model, clips
        self._scheduler, self._loss, self._encode_image = scheduler, loss, encode_image
        self._by_row = by_row

    def example(self, index: int, generator: torch.Generator) -> Batch:
        loss, tensors = self._loss, self.clips.load(index)
        last = self._scheduler.config.num_train_timesteps - 1
        timestep = torch.randint(last + 1, (), generator=generator)
        at_end, no_text, no_control, *dropped = torch.rand(3 + len(CONDITIONS), generator=generator).tolist()
        noise = torch.randn(tensors['target'].shape, generator=generator)
        text, empty = (tensors.pop(name, None) for name in ('text', 'no_text'))
        if text is not None:
            rows = torch.rand(len(text), 1, generator=generator) if self._by_row else no_text
            tensors['text'] = torch.where(torch.as_tensor(rows) < loss.drop_text, empty, text)
        if loss.image_noise:
            image = self.clips.clips.image(index)[0]
            scale = math.exp(float(torch.randn((), generator=generator)) * IMAGE_NOISE[1] + IMAGE_NOISE[0])
            tensors['image'] = image + scale * torch.randn(image.shape, generator=generator)
        kept = [
            float(name in loss.conditions and draw >= loss.drop_condition)
            for name, draw in zip(CONDITIONS, dropped, strict=True)
        ]
        look, coloured = told(loss, tensors, generator)
        kept[CONDITIONS.index('coloured')] *= coloured
        return {
            **tensors,
            'image_kept': torch.tensor(float(look == 'image')),
            'noise': noise,
            'kept': torch.tensor(kept),
            'strength': torch.tensor(float(no_control >= loss.drop_control)),
            'timestep': torch.where(torch.tensor(at_end < loss.terminal), last, timestep),
        }

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        target, noise, timestep = batch['target'], batch['noise'], batch['timestep']
        noisy = self._scheduler.add_noise(target, noise, timestep)
        velocity = self._scheduler.get_velocity(target, noise, timestep)
        first = target[:, :1]
        if 'image' in batch:
            first = self._encode_image(batch['image'])
        first = first * batch['image_kept'][:, None, None, None, None]
        predicted = predict(
            self.model, noisy, first, timestep, control_of(batch), batch['strength'][:, None, None], batch.get('text')
        )
        losses = masked_velocity_loss(predicted.float(), velocity, batch['mask'], self._loss.mask_weight)
        at_end = timestep == self._scheduler.config.num_train_timesteps - 1
        plain = masked_velocity_loss(predicted.float(), velocity, batch['mask'], 0)
        return {'loss': losses, 'terminal': torch.where(at_end, plain, torch.nan)}


def told(loss: DiffusionLoss, tensors: dict[str, Tensor], generator: torch.Generator) -> tuple[Look, float]:
    """What tells a clip its look, and 1 or 0: whether it is given coloured points.

    The image tells it in place of an empty scene that the clip does not have; an empty scene that tells it takes the
    coloured points' place in ``tensors``.
    """
    image, scene, _ = loss.look
    draw, coloured = torch.rand(2, generator=generator).tolist()
    other: Look = 'words' if draw >= image + scene else 'scene' if tensors.pop('has_clean_background') else 'image'
    look: Look = 'image' if draw < image else other
    tensors.pop('has_clean_background', None)
    if coloured < loss.coloured:
        return look, 1.0
    if look == 'scene':
        tensors['coloured'] = tensors['clean_background'].expand_as(tensors['coloured'])
    return look, float(look == 'scene')


def control_of(batch: Batch) -> Control:
    """What the branch is given: a condition that is not ``kept`` is there, but empty, as if it had never been."""
    points, tracking, coloured = (batch['kept'][:, i, None, None] for i in range(len(CONDITIONS)))
    cloud = PointInputs(**{name: batch[name] for name in POINT_FIELDS})
    cloud = PointInputs(**{**vars(cloud), 'visible': cloud.visible & (points > 0)})
    tracking, coloured = (kept[..., None, None] for kept in (tracking, coloured))
    tracks = with_first_frame(batch['tracking'], batch['first_track'])
    return Control(tracks * tracking, batch['coloured'] * coloured, cloud)


def masked_velocity_loss(predicted: Tensor, velocity: Tensor, mask: Tensor, weight: float = 1.0) -> Tensor:
    """The mask diffusion loss ``|| (Z_gt - Z_eps) * (1 + w M) ||^2`` (HVG-3D), on CogVideoX's velocities; [B].

    Up to the weight that CogVideoX gives each timestep, an error of the velocity is one of the clean latents.
    """
    return ((predicted - velocity) * (1 + weight * mask)).square().mean((1, 2, 3, 4))


def freeze(model: ControlledCogVideoX, loss: DiffusionLoss, precision: Literal['bf16', 'no']) -> tuple[int, int]:
    """Let learn what learns, in float32, and keep the frozen blocks' matrices in ``precision``.

    Returns the counts of trained and frozen parameters.
    """
    trained = set(model.parameters()) if loss.train_backbone else set(model.control_parameters())
    matrices = {p for m in model.transformer_blocks.modules() if isinstance(m, nn.Linear) for p in m.parameters()}
    for parameter in model.parameters():
        learns = parameter in trained
        halved = precision == 'bf16' and not learns and parameter in matrices
        parameter.requires_grad_(learns).data = parameter.data.to(torch.bfloat16 if halved else torch.float32)
    count = sum(p.numel() for p in trained)
    return count, sum(p.numel() for p in model.parameters()) - count


def train_diffusion(
    model: Model, clips: LatentSet, folder: Path, loop: LoopConfig, loss: DiffusionLoss, hardware: Hardware
) -> None:
    """Train the model's DiT in place; it ends with the averaged weights."""
    dit = model.transformer
    trained, frozen = freeze(dit, loss, hardware.precision)
    if hardware.accelerator().is_main_process:
        print(f'parameters: {trained / 1e6:.2f} M trained, {frozen / 1e6:.2f} M frozen')
    if hardware.checkpointing:
        dit.enable_gradient_checkpointing()
    encode_image = partial(encode_video, model.autoencoder)
    by_row = isinstance(model.text, LookWords)
    objective = DiffusionObjective(dit, clips, model.scheduler, loss, encode_image, by_row)
    train('diffusion', objective, folder, loop, hardware)
