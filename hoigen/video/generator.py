"""The generator: conditions in, labelled frames out; encode -> condition -> denoise -> decode."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from diffusers.utils.torch_utils import randn_tensor
from torch import Tensor
from torch.nn import functional as F

from hoigen.metrics.fidelity import fidelity
from hoigen.models.cogvideox import ReferenceAutoencoder, rough_picture
from hoigen.provenance import versions_of
from hoigen.records import ConditionImages, Conditions, GeneratedClip, Labels, Provenance
from hoigen.video.denoise import Denoiser
from hoigen.video.inputs import (
    Appearance,
    PointInputs,
    point_inputs,
    reference_video,
    to_uint8,
    tracking_video,
    video_tensor,
)
from hoigen.video.model import Model, load
from hoigen.video.points import latent_frames
from hoigen.video.sampling import DEFAULT, Sampling
from hoigen.video.shown import condition_images
from hoigen.video.transformer import Control, with_first_frame
from hoigen.video.windows import Window, plan_windows, seam_score

AT_ONCE = 8
"""Frames that are drawn at the source's size at a time: their reference takes 36 bytes a pixel."""

OnStep = Callable[[int, int, np.ndarray], None]
"""Called after each denoising step with (done, steps, preview [H,W,3] uint8 of the last frame); raise to stop."""


class Generator:
    """A video model ready to generate."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self.name, self.frames = model.config.name, model.config.frames
        self.steps = model.config.steps
        self.height, self.width = model.config.height, model.config.width
        self.looks = tuple(model.config.looks)
        self.detailed = isinstance(model.autoencoder, ReferenceAutoencoder)

    def generate(
        self,
        conditions: Conditions,
        labels: tuple[Labels, ...],
        *,
        seed: int,
        sampling: Sampling = DEFAULT,
        on_step: OnStep | None = None,
    ) -> GeneratedClip:
        """Render ``conditions`` (at the model's size, any 4k+1 frames); the same seed gives the same frames.

        Where they have a ``detail``, frames are of its size.

        A clip longer than the model's is made in windows (:mod:`hoigen.video.windows`).
        """
        if len(labels) != len(conditions.stamps_ns):
            raise ValueError(f'labels: expected {len(conditions.stamps_ns)}, one for each frame, got {len(labels)}')
        began, sampling = time.perf_counter(), self._settled(sampling)
        frames = self.render(conditions, seed=seed, sampling=sampling, on_step=on_step)
        made: dict[str, Any] = {
            'model': self.name,
            'sampling': asdict(sampling),
            'timings': {'generate_s': round(time.perf_counter() - began, 2)},
        }
        windows = self._windows(conditions, sampling)
        if len(windows) > 1:
            made |= {'windows': len(windows), 'seam': seam_score(frames, conditions.drawn, windows)}
        return GeneratedClip(
            conditions.stamps_ns,
            conditions.drawn.cameras,
            frames,
            fidelity(frames, conditions.drawn),
            labels,
            self._provenance(seed, made),
        )

    def condition_images(self, conditions: Conditions, sampling: Sampling = DEFAULT) -> ConditionImages:
        """Small images of what the control branch reads."""
        return condition_images(conditions, self._settled(sampling).conditions or (), self._model.config)

    @torch.no_grad()
    def render(
        self, conditions: Conditions, *, seed: int, sampling: Sampling = DEFAULT, on_step: OnStep | None = None
    ) -> np.ndarray:
        """The frames alone, [T,H,W,3] uint8."""
        sampling = self._settled(sampling)
        self._refuse(conditions, sampling)
        with self._model.autocast():
            clip = _Clip.of(self._model, conditions, sampling)
            return clip.decode(self._sampled(clip, conditions, seed, sampling, on_step))

    @torch.no_grad()
    def latents(self, conditions: Conditions, *, seed: int, sampling: Sampling = DEFAULT) -> Tensor:
        """What :meth:`render` decodes, [1,F,C,h,w] of about unit variance."""
        sampling = self._settled(sampling)
        self._refuse(conditions, sampling)
        with self._model.autocast():
            return self._sampled(_Clip.of(self._model, conditions, sampling), conditions, seed, sampling, None)

    @torch.no_grad()
    def encode(self, frames: np.ndarray) -> Tensor:
        """The latents of a video [4k+1,H,W,3] uint8, which those of :meth:`latents` stand for."""
        with self._model.autocast():
            return self._model.autoencoder.latents(video_tensor(frames).to(self._model.device, self._model.dtype))

    def _sampled(
        self, clip: _Clip, conditions: Conditions, seed: int, sampling: Sampling, on_step: OnStep | None
    ) -> Tensor:
        windows = self._windows(conditions, sampling)
        draws = torch.Generator().manual_seed(seed)
        denoiser = self._denoiser(conditions.prompt, sampling)
        first = clip.image(conditions.image, draws) * sampling.by_image
        noise = randn_tensor((1, windows[-1].stop, *first.shape[2:]), draws, first.device, first.dtype)
        latents = noise[:, :0]
        for number, window in enumerate(windows):
            part = denoiser.run(
                first,
                noise[:, window.latents],
                clip.control(window, sampling),
                draws,
                known=latents[:, window.start + 1 :],
                on_step=_reporter(clip, window, on_step, number * denoiser.steps, len(windows) * denoiser.steps),
            )
            latents = torch.cat([latents, part[:, window.known - window.start :]], dim=1)
        return latents

    @torch.no_grad()
    def decode_without_latents(self, conditions: Conditions) -> np.ndarray:
        """What the decoder makes of the reference alone: shows what the diffusion part adds."""
        clip = _Clip.of(self._model, conditions, Sampling(conditions=()))
        shape = (
            1,
            latent_frames(len(conditions.stamps_ns)),
            self._model.transformer.config.out_channels,
            self.height // 8,
            self.width // 8,
        )
        with self._model.autocast():
            return clip.decode(torch.zeros(shape, device=self._model.device, dtype=self._model.dtype))

    def _settled(self, sampling: Sampling) -> Sampling:
        return sampling.over(self._model.config.sampling)

    def _windows(self, conditions: Conditions, sampling: Sampling) -> tuple[Window, ...]:
        return plan_windows(latent_frames(len(conditions.stamps_ns)), latent_frames(self.frames), sampling.overlap)

    def _denoiser(self, prompt: str, sampling: Sampling) -> Denoiser:
        m, text, no_text = self._model, None, None
        if m.text is not None:
            text = m.text.embed([prompt]).to(m.device, m.dtype)
            if sampling.guidance != 1:
                no_text = m.text.embed([sampling.negative_prompt or '']).to(m.device, m.dtype)
        return Denoiser(m.transformer, m.scheduler, sampling.steps or self.steps, sampling, text, no_text)

    def _refuse(self, conditions: Conditions, sampling: Sampling) -> None:
        """Raise ValueError for what this model cannot do, before it costs time."""
        m, c = self._model, conditions
        frames, size, asked = len(c.stamps_ns), c.image.shape[:2], sampling.conditions or ()
        checks = (
            (
                frames % 4 == 1 and size == (self.height, self.width),
                'conditions',
                f'4k+1 frames of {self.width}x{self.height}',
                f'{frames} of {size[1]}x{size[0]}',
            ),
            (bool((np.diff(c.stamps_ns) > 0).all()), 'stamps_ns', 'rising stamps', 'stamps that repeat or fall'),
            (
                {*asked} <= {*m.config.conditions},
                'conditions',
                f'some of {", ".join(m.config.conditions)}, which {self.name} has learnt',
                ', '.join(asked),
            ),
            (
                sampling.look in m.config.looks,
                'look',
                f'one of {", ".join(m.config.looks)}, which {self.name} has learnt',
                sampling.look,
            ),
            (
                sampling.look != 'scene' or bool(c.background_known.all()),
                'look',
                'a background that is known everywhere, for the look of an empty scene',
                f'{1 - c.background_known.mean():.0%} of it unknown',
            ),
            (
                'points' not in asked or c.points.shape[1] >= m.config.cloud,
                'points',
                f'a cloud of at least {m.config.cloud}',
                c.points.shape[1] or 'an empty cloud',
            ),
            (
                m.text is not None or sampling.guidance == 1,
                'guidance',
                f'1, {self.name} does not read text',
                sampling.guidance,
            ),
        )
        faults = [f'{name}: expected {expected}, got {got}' for ok, name, expected, got in checks if not ok]
        if faults:
            raise ValueError('; '.join(faults))

    def _provenance(self, seed: int, made: dict) -> Provenance:
        config = self._model.config
        return Provenance(
            seed=seed,
            config=made,
            source='',
            weights=self._model.weights,
            versions=versions_of(),
            licences={config.name: config.licence},
        )


@dataclass(frozen=True)
class _Clip:
    """One clip's conditions as tensors on the CPU, and what the autoencoder makes of their parts."""

    model: Model
    reference: Tensor
    seen: Tensor
    tracking: Tensor
    scene: Tensor
    points: PointInputs | None
    detail: Conditions | None

    @classmethod
    def of(cls, model: Model, conditions: Conditions, sampling: Sampling) -> _Clip:
        c, points = conditions, None
        if sampling.reads('points'):
            points = point_inputs(
                c.points,
                c.point_role,
                c.point_pixels,
                c.point_visible,
                c.image.shape[:2],
                cloud=model.config.cloud,
                tokens=model.config.tokens,
            )
        tracking, reference = (
            video_tensor(tracking_video(c, model.config.tracking_colours)),
            reference_video(Appearance.of(c)),
        )
        seen = torch.zeros_like(reference) if sampling.look == 'words' else reference
        return cls(model, reference, seen, tracking, video_tensor(c.background), points, c.detail)

    def image(self, picture: np.ndarray, draws: torch.Generator) -> Tensor:
        """The latent [1,1,C,h,w] of the first frame [H,W,3] uint8."""
        return self.model.autoencoder.image_latents(self._placed(video_tensor(picture[None])), draws)

    def control(self, window: Window, sampling: Sampling) -> Control:
        """The window's part of the conditions that are asked for."""
        encode, parts = self.model.autoencoder.latents, {}
        if sampling.reads('tracking'):
            tracking = self._placed(self.tracking[:, window.frames])
            parts['tracking'] = with_first_frame(encode(tracking), encode(tracking[:, :1]))
        if sampling.reads('coloured'):
            parts['coloured'] = encode(self._placed(rough_picture(self.reference[:, window.frames])))
        if sampling.look == 'scene':
            parts['coloured'] = encode(self._placed(self.scene[:, window.frames]))
        if self.points is not None:
            parts['points'] = self.points.during(window.frames).map(lambda part: part.to(self.model.device))
        return Control(**parts)

    def decode(self, latents: Tensor) -> np.ndarray:
        """Frames [T,H,W,3] uint8 of the whole clip's latents.

        Where the source is larger, what the decoder adds to its reference is added to the reference at that size.
        """
        frames = self.model.autoencoder.frames(latents, self._placed(self.seen))
        if self.detail is None:
            return to_uint8(frames)
        added = (frames.float().cpu() - rough_picture(self.reference))[0]
        size, drawn = self.detail.image.shape[:2], list[np.ndarray]()
        for first in range(0, len(added), AT_ONCE):
            part = slice(first, first + AT_ONCE)
            rough = rough_picture(reference_video(Appearance.of(self.detail).frames(part)))
            drawn.append(to_uint8(rough + F.interpolate(added[part], size=size, mode='bilinear')[None]))
        return np.concatenate(drawn)

    def preview(self, latent: Tensor, place: int) -> np.ndarray:
        """The picture [H,W,3] uint8 of one latent [1,1,C,h,w], the clip's latent ``place``."""
        frame = self._placed(self.seen[:, 4 * place : 4 * place + 1])
        return to_uint8(self.model.autoencoder.frames(latent.to(self.model.dtype), frame))[0]

    def _placed(self, video: Tensor) -> Tensor:
        return video.to(self.model.device, self.model.dtype)


def _reporter(
    clip: _Clip, window: Window, on_step: OnStep | None, before: int, total: int
) -> Callable[[int, Tensor], None] | None:
    """Tells ``on_step`` of one window's steps among all."""
    if on_step is None:
        return None
    return lambda done, estimate: on_step(before + done, total, clip.preview(estimate[:, -1:], window.stop - 1))


def load_generator(model: str = 'tiny') -> Generator:
    """A generator by the name or folder of its model; ModelError says what to do where weights are missing."""
    return Generator(load(model))
