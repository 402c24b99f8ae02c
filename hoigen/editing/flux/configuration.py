"""An editing model's configuration: one YAML of ``config/editing``, or the one in a model's own folder."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from hoigen.models.configuration import Memory, named_config
from hoigen.models.hub import ModelError


@dataclass(frozen=True)
class AutoencoderLoss:
    """Weights of the small autoencoder's loss."""

    ssim: float = 0.3
    """Weight of structural dissimilarity (1 - SSIM of the grey image) beside the L1 loss."""
    small: float = 1e-3
    """Weight of the latents' mean square, which keeps them small."""
    noise: float = 0.1
    """Deviation of the noise on the latents, which makes the decoder robust to a sampler's errors."""


@dataclass(frozen=True)
class EditConfig:
    """One YAML of ``config/editing``: the picture's size, the sampler and the parts' own configurations.

    size: side of the square picture that is made, pixels. references: pictures of the object; reference_size: their
    side, by default ``size``. guidance: the scale that a guidance-distilled FLUX reads, None for others.
    views: how an asset's are placed, see :func:`hoigen.editing.asset_reference.conditions.asset_views`.
    schedule_tokens: the number of tokens that the schedule is shifted for, None for the image's own.
    image_guidance: classifier-free guidance on the references, 1 is off. refiner: width of
    the network that mends what a small model paints, None for none. words: rows of the word table that stands for
    the text encoders; or clip and t5: theirs, and text_length tokens of a caption. repaint: the insertion model that
    paints an asset again at the pose that was found, None for none. base: where the published parts
    lie, a folder or a repository of the hub; a model without it has weights of its own. lora: the same for what was
    trained beside them.
    """

    name: str
    licence: str
    size: int
    steps: int
    references: int
    transformer: dict[str, Any]
    autoencoder: dict[str, Any]
    reference_size: int | None = None
    views: Literal['even', 'released'] = 'even'
    schedule_tokens: int | None = None
    guidance: float | None = None
    image_guidance: float = 1.0
    refiner: int | None = None
    words: int | None = None
    repaint: str | None = None
    clip: dict[str, Any] | None = None
    t5: dict[str, Any] | None = None
    text_length: int | None = None
    base: str | None = None
    lora: str | None = None
    memory: Memory = field(default_factory=Memory)

    def __post_init__(self) -> None:
        token = self.pixels_per_token
        encoders = (self.clip, self.t5, self.text_length)
        checks = (
            (self.size > 0 and self.size % token == 0, 'size', f'a multiple of {token} pixels', self.size),
            (
                self.reference_side > 0 and self.reference_side % token == 0,
                'reference_size',
                f'a multiple of {token} pixels',
                self.reference_size,
            ),
            (self.steps >= 1, 'steps', '>= 1', self.steps),
            (self.references >= 1, 'references', '>= 1', self.references),
            (
                (self.guidance is None) != bool(self.transformer.get('guidance_embeds')),
                'guidance',
                'a number where the transformer has guidance_embeds, else none',
                self.guidance,
            ),
            (self.image_guidance >= 1, 'image_guidance', 'a number >= 1 (1: off)', self.image_guidance),
            (
                all(e is None for e in encoders) if self.words else all(encoders),
                'words',
                'a word table, or clip, t5 and text_length',
                self.words,
            ),
        )
        faults = [f'{name}: expected {expected}, got {got}' for ok, name, expected, got in checks if not ok]
        if faults:
            raise ModelError(f'model {self.name}: ' + '; '.join(faults))

    @property
    def pixels_per_token(self) -> int:
        """The side of a token in pixels: a token is 2x2 latents."""
        if 'pixels' in self.autoencoder:
            return 2 * self.autoencoder['pixels']
        return 2 ** len(self.autoencoder['block_out_channels'])

    @property
    def reference_side(self) -> int:
        """The side of a reference in pixels."""
        return self.size if self.reference_size is None else self.reference_size


def read_config(model: str) -> EditConfig:
    """The configuration of a model: ``config/editing/MODEL.yaml``, or ``model.yaml`` where MODEL is a folder."""
    return named_config(EditConfig, 'config/editing', model)
