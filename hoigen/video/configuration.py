"""A model's configuration: one YAML of ``config/models``, or the one in a model's own folder."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from hoigen.models.configuration import Memory, named_config
from hoigen.models.hub.catalogue import ModelError
from hoigen.video.sampling import CONDITIONS, Look, Sampling


@dataclass(frozen=True)
class ModelConfig:
    """One YAML of ``config/models``: the image's size, how to sample and the parts' own configurations.

    guidance, dynamic_guidance, negative_prompt: of :class:`Sampling`, where a generation does not say otherwise.
    conditions: those that the control branch has learnt. base: where the published parts lie (backbone, autoencoder,
    text encoder), a folder or a repository of the hub; a model without it has weights of its own. control: the same for
    the trained branch. text: T5's configuration.
    codec: whose autoencoder it is: CogVideoX's own, or one of :mod:`hoigen.models.cogvideox`'s small ones.
    looks: what it has learnt to take a video's look from, the default first.
    reads_colours: the prompt is read by :class:`hoigen.models.look_words.LookWords` and not by T5.
    tracking_colours: of the tracking video it was trained with: by position in the image of frame 0, as Diffusion as
    Shader's, or by metric position (:mod:`hoigen.conditioning.metric_colours`).
    """

    name: str
    licence: str
    height: int
    width: int
    frames: int
    steps: int
    cloud: int
    tokens: int
    transformer: dict[str, Any]
    autoencoder: dict[str, Any]
    scheduler: dict[str, Any]
    guidance: float = 1.0
    dynamic_guidance: bool = False
    negative_prompt: str = ''
    conditions: list[str] = field(default_factory=lambda: list(CONDITIONS))
    base: str | None = None
    control: str | None = None
    text: dict[str, Any] | None = None
    codec: Literal['cogvideox', 'reference', 'linear'] = 'cogvideox'
    looks: list[Look] = field(default_factory=lambda: ['image'])
    reads_colours: bool = False
    tracking_colours: Literal['image', 'metric'] = 'image'
    memory: Memory = field(default_factory=Memory)

    def __post_init__(self) -> None:
        if self.frames % 4 != 1 or self.height % 16 or self.width % 16:
            raise ModelError(
                f'model {self.name}: expected 4k+1 frames and a size divisible by 16, '
                f'got {self.frames} frames of {self.width}x{self.height}'
            )
        try:
            _ = self.sampling
        except ValueError as error:
            raise ModelError(f'model {self.name}: {error}') from error

    @property
    def sampling(self) -> Sampling:
        """How the model is sampled; every setting that a model has is given."""
        conditions: Any = tuple(self.conditions)
        return Sampling(
            steps=self.steps,
            guidance=self.guidance,
            dynamic_guidance=self.dynamic_guidance,
            negative_prompt=self.negative_prompt,
            conditions=conditions,
            look=self.looks[0],
        )


def refuse_prompt(model: str, prompt: str) -> None:
    """ModelError for a prompt that the model would not read."""
    from hoigen.models.look_words import PARTS, colours_of  # torch takes seconds: not for help

    if not prompt:
        return
    config = read_config(model)
    if config.reads_colours and not colours_of(prompt):
        raise ModelError(
            f'prompt: expected a colour before one of {", ".join(PARTS[1:])} or an object ("red mug, blue hand"), all '
            f'that model {model} reads, got {prompt!r}'
        )
    if config.transformer['max_text_seq_length'] == 1:  # it stands for any prompt
        raise ModelError(f'prompt: expected none, as model {model} does not read text, got {prompt!r}')


def read_config(model: str) -> ModelConfig:
    """The configuration of a model: ``config/models/MODEL.yaml``, or ``model.yaml`` where MODEL is a folder."""
    return named_config(ModelConfig, 'config/models', model)
