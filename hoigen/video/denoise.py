"""The denoising loop: pure noise to latents, in few steps, under a control."""

from __future__ import annotations

from collections.abc import Callable

import torch
from diffusers import CogVideoXDPMScheduler
from diffusers.utils.torch_utils import randn_tensor
from torch import Tensor

from hoigen.video.transformer import Control, ControlledCogVideoX, with_first_frame


def predict(model: ControlledCogVideoX, noisy: Tensor, first: Tensor, timestep: Tensor, control: Control | None,
            strength: float | Tensor = 1.0, text: Tensor | None = None) -> Tensor:
    """Predicted velocity for noisy latents [B, F, C, h, w] and the first frame's latent [B, 1, C, h, w].

    text: [B, S, D] prompt embeddings; without it zeros, for models trained without text.
    """
    batch, frames, _, height, width = noisy.shape
    if text is None:
        text = noisy.new_zeros(batch, model.config.max_text_seq_length, model.config.text_embed_dim)
    return model(with_first_frame(noisy, first), text, timestep,
                 image_rotary_emb=model.rotary(frames, height, width, noisy.device), control=control,
                 control_strength=strength)


@torch.no_grad()
def sample(model: ControlledCogVideoX, scheduler: CogVideoXDPMScheduler, first: Tensor, frames: int,
           control: Control | None, *, steps: int, generator: torch.Generator | list[torch.Generator],
           on_step: Callable[[int, Tensor], None] | None = None) -> Tensor:
    """Latents [B, frames, C, h, w] for the first frame's latent [B, 1, C, h, w]; ``on_step(done, clean estimate)``."""
    noise_shape = (first.shape[0], frames, *first.shape[2:])
    latents = randn_tensor(noise_shape, generator=generator)
    scheduler.set_timesteps(steps)
    previous, before = None, None
    for done, timestep in enumerate(scheduler.timesteps, start=1):
        batch = timestep.expand(len(first))
        velocity = predict(model, latents, first, batch, control).float()
        latents, previous = scheduler.step(velocity, previous, timestep, before, latents, generator=generator,
                                           return_dict=False)
        before = timestep
        if on_step is not None:
            on_step(done, previous)
    return latents
