"""The denoising loop: noise to latents, under a control and with guidance."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import torch
from diffusers import CogVideoXDPMScheduler
from diffusers.utils.torch_utils import randn_tensor
from torch import Tensor

from hoigen.video.sampling import DEFAULT, Sampling
from hoigen.video.transformer import Control, ControlledCogVideoX, with_first_frame

Generators: TypeAlias = torch.Generator | list[torch.Generator]
"""Of the noise: one, or one for each clip of the batch. On the CPU, so that noise does not depend on the device."""


def predict(
    model: ControlledCogVideoX,
    noisy: Tensor,
    first: Tensor,
    timestep: Tensor,
    control: Control | None,
    strength: float | Tensor = 1.0,
    text: Tensor | None = None,
) -> Tensor:
    """Predicted velocity for noisy latents [B, F, C, h, w] and the first frame's latent [B, 1, C, h, w].

    text: [B, S, D] prompt embeddings; without it zeros, for models trained without text.
    """
    batch, frames, _, height, width = noisy.shape
    if text is None:
        text = noisy.new_zeros(batch, model.config.max_text_seq_length, model.config.text_embed_dim)
    return model(
        with_first_frame(noisy, first),
        text,
        timestep,
        image_rotary_emb=model.rotary(frames, height, width, noisy.device),
        control=control,
        control_strength=strength,
    )


@dataclass(frozen=True)
class Denoiser:
    """A model and how it is sampled in ``steps`` steps; latents keep the dtype and device of their noise.

    Guidance on the text is off where ``sampling`` does not give it.

    text, no_text: [B, S, D] embeddings of the prompt and of the negative prompt; without them zeros, for models trained
    without text, which know no guidance on it.
    """

    model: ControlledCogVideoX
    scheduler: CogVideoXDPMScheduler
    steps: int
    sampling: Sampling = DEFAULT
    text: Tensor | None = None
    no_text: Tensor | None = None

    @torch.no_grad()
    def run(
        self,
        first: Tensor,
        noise: Tensor,
        control: Control | None,
        generator: Generators,
        *,
        known: Tensor | None = None,
        on_step: Callable[[int, Tensor], None] | None = None,
    ) -> Tensor:
        """Latents [B, F, C, h, w] from ``noise`` of that shape; ``first``: the first frame's latent [B, 1, C, h, w].

        known: [B, K, C, h, w], what latents 1..K must become, so that the others go on from them: at each step they
        hold ``known`` with that step's noise. on_step(done, clean estimate).
        """
        if known is not None and not known.shape[1]:
            known = None
        self.scheduler.set_timesteps(self.steps)
        latents, estimate, before = noise, None, None
        for done, timestep in enumerate(self.scheduler.timesteps):
            if known is not None:
                held = self.scheduler.add_noise(known, noise[:, 1 : 1 + known.shape[1]], timestep.expand(len(known)))
                latents = _with_known(latents, held)
            velocity = self.velocity(latents, first, done, control).float()
            latents, estimate = self.scheduler.step(
                velocity, estimate, timestep, before, latents, generator=generator, return_dict=False
            )
            latents, before = latents.to(noise.dtype), timestep
            if on_step is not None:
                on_step(done + 1, estimate)
        return latents if known is None else _with_known(latents, known)

    def velocity(self, noisy: Tensor, first: Tensor, step: int, control: Control | None) -> Tensor:
        """Guided velocity at ``step`` (from 0).

        Guidance on the condition goes from the backbone alone to the backbone with its branch; each of the two is
        guided on the text before, so that with either guidance off the other is what it is alone.
        """
        s, timestep = self.sampling, self.scheduler.timesteps[step]
        if control is None or control.empty or not s.start <= (step + 0.5) / self.steps <= s.end:
            return self._guided_on_text(noisy, first, timestep, None)
        controlled = self._guided_on_text(noisy, first, timestep, control)
        if s.control_guidance == 1:
            return controlled
        free = self._guided_on_text(noisy, first, timestep, None)
        return free + s.control_guidance * (controlled - free)

    def _guided_on_text(self, noisy: Tensor, first: Tensor, timestep: Tensor, control: Control | None) -> Tensor:
        at, strength = timestep.expand(len(noisy)).to(noisy.device), self.sampling.strength
        prompted = predict(self.model, noisy, first, at, control, strength, self.text).float()
        if self.sampling.guidance in (None, 1):
            return prompted
        free = predict(self.model, noisy, first, at, control, strength, self.no_text).float()
        return free + text_guidance(self.sampling, self.steps, int(timestep)) * (prompted - free)


def text_guidance(sampling: Sampling, steps: int, timestep: int) -> float:
    """The scale of guidance on the text at a timestep (999 is pure noise).

    The dynamic form is ``1 + g (1 - cos(pi ((steps - timestep) / steps)^5)) / 2``, as in diffusers' pipelines. It takes
    the timestep for the number of the step and so swings between 1 and ``1 + g``; it is kept because the published
    weights are used with it.
    """
    scale = sampling.guidance or 1.0
    if not sampling.dynamic_guidance:
        return scale
    return 1 + scale * (1 - math.cos(math.pi * ((steps - timestep) / steps) ** 5)) / 2


def sample(
    model: ControlledCogVideoX,
    scheduler: CogVideoXDPMScheduler,
    first: Tensor,
    frames: int,
    control: Control | None,
    text: Tensor | None = None,
    *,
    steps: int,
    generator: Generators,
) -> Tensor:
    """Latents [B, frames, C, h, w] from fresh noise, without guidance; ``first``: [B, 1, C, h, w], text [B, S, D]."""
    noise = randn_tensor(
        (first.shape[0], frames, *first.shape[2:]), generator=generator, device=first.device, dtype=first.dtype
    )
    return Denoiser(model, scheduler, steps, text=text).run(first, noise, control, generator)


def _with_known(latents: Tensor, known: Tensor) -> Tensor:
    return torch.cat([latents[:, :1], known, latents[:, 1 + known.shape[1] :]], dim=1)
