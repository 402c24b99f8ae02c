"""The generator: conditions in, labelled frames out; encode -> condition -> denoise -> decode."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from hoigen.episodes import versions_of
from hoigen.metrics.fidelity import mask_fidelity
from hoigen.records import Conditions, GeneratedClip, Labels, Provenance
from hoigen.video.autoencoder import rough_picture
from hoigen.video.denoise import sample
from hoigen.video.inputs import condition_tensors
from hoigen.video.model import Model, load
from hoigen.video.sampling import DEFAULT, Sampling
from hoigen.video.transformer import Control, with_first_frame

OnStep = Callable[[int, int, np.ndarray], None]
"""Called after each denoising step with (done, steps, preview [H,W,3] uint8 of the last frame); raise to stop."""


class Generator:
    """A video model ready to generate."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self.name, self.frames = model.config.name, model.config.frames
        self.steps = model.config.steps
        self.height, self.width = model.config.height, model.config.width

    def generate(self, conditions: Conditions, labels: tuple[Labels, ...], *, seed: int, sampling: Sampling = DEFAULT,
                 on_step: OnStep | None = None) -> GeneratedClip:
        """Render ``conditions`` (at the model's size, any 4k+1 frames); the same seed gives the same frames."""
        began = time.perf_counter()
        frames = self.render(conditions, seed=seed, sampling=sampling, on_step=on_step)
        provenance = self._provenance(seed, sampling.steps or self.steps, time.perf_counter() - began)
        return GeneratedClip(conditions.stamps_ns, conditions.cameras, frames, mask_fidelity(frames, conditions),
                             labels, provenance)

    @torch.no_grad()
    def render(self, conditions: Conditions, *, seed: int, sampling: Sampling = DEFAULT,
               on_step: OnStep | None = None) -> np.ndarray:
        """The frames alone, [T,H,W,3] uint8."""
        self._refuse_wrong_size(conditions)
        m, steps = self._model, sampling.steps or self.steps
        reference, tracking, points = condition_tensors(conditions, cloud=m.config.cloud, tokens=m.config.tokens)
        with torch.autocast('cpu', torch.bfloat16):
            rough = rough_picture(reference)
            first = m.autoencoder.latents(video_frame(conditions.image))
            control = Control(with_first_frame(m.autoencoder.latents(tracking)), m.autoencoder.latents(rough), points)

            def report(done: int, estimate: Tensor) -> None:
                if on_step is not None:
                    last = m.autoencoder.frames(estimate[:, -1:], reference[:, -1:])
                    on_step(done, steps, to_uint8(last)[0])

            latents = sample(m.transformer, m.scheduler, first, rough.shape[1] // 4 + 1, control, steps=steps,
                             generator=torch.Generator().manual_seed(seed), on_step=report)
            return to_uint8(m.autoencoder.frames(latents, reference))

    @torch.no_grad()
    def decode_without_latents(self, conditions: Conditions) -> np.ndarray:
        """What the decoder makes of the reference alone: shows what the diffusion part adds."""
        reference, _, _ = condition_tensors(conditions, cloud=self._model.config.cloud,
                                            tokens=self._model.config.tokens)
        shape = (1, reference.shape[1] // 4 + 1, self._model.transformer.config.out_channels, self.height // 8,
                 self.width // 8)
        with torch.autocast('cpu', torch.bfloat16):
            return to_uint8(self._model.autoencoder.frames(torch.zeros(shape), reference))

    def _refuse_wrong_size(self, conditions: Conditions) -> None:
        frames, size = len(conditions.stamps_ns), conditions.image.shape[:2]
        if frames % 4 != 1 or size != (self.height, self.width):
            raise ValueError(f'conditions: expected 4k+1 frames of {self.width}x{self.height}, '
                             f'got {frames} of {size[1]}x{size[0]}')

    def _provenance(self, seed: int, steps: int, seconds: float) -> Provenance:
        config = self._model.config
        made = {'model': self.name, 'steps': steps, 'timings': {'generate_s': round(seconds, 2)}}
        return Provenance(seed=seed, config=made, source='', weights=self._model.weights, versions=versions_of(),
                          licences={config.name: config.licence})


def load_generator(model: str = 'tiny') -> Generator:
    """A generator by the name or folder of its model; ModelError says what to do where weights are missing."""
    return Generator(load(model))


def with_source(clip: GeneratedClip, source: str) -> GeneratedClip:
    """The clip, its provenance naming where its scene came from."""
    return replace(clip, provenance=replace(clip.provenance, source=source))


def video_frame(image: np.ndarray) -> Tensor:
    """[H,W,3] uint8 to [1,1,3,H,W] in [-1, 1]."""
    return torch.from_numpy(image).permute(2, 0, 1)[None, None].float() / 127.5 - 1


def to_uint8(video: Tensor) -> np.ndarray:
    """[1,T,3,H,W], about [-1, 1], to [T,H,W,3] uint8."""
    return ((video[0].float() + 1) * 127.5).round().clamp(0, 255).byte().permute(0, 2, 3, 1).contiguous().numpy()
