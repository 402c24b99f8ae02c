"""The published FLUX, from the layout of diffusers' pipelines: what both systems take of it."""

from __future__ import annotations

from pathlib import Path

from accelerate import init_empty_weights
from diffusers import FluxTransformer2DModel

from hoigen.editing.flux.configuration import EditConfig
from hoigen.models.configuration import parts_of
from hoigen.models.flux import PublishedAutoencoder
from hoigen.models.hub.published import assign, read_checkpoint
from hoigen.models.hub.store import Source, refuse_missing
from hoigen.models.text import CaptionEncoder


def sources(config: EditConfig) -> tuple[Source, Source]:
    """Where FLUX and the adapter lie; ModelError names both where both are missing."""
    sources = Source(str(config.base), config.licence), Source(str(config.lora), config.licence)
    refuse_missing(*sources)
    return sources


def weight_files(base: Source) -> dict[str, Path]:
    """Every weight file of FLUX, by its source's name and its path there."""
    return {
        f'{base.label()}/{path.relative_to(base.folder())}': path
        for part in ('transformer', 'vae', 'text_encoder', 'text_encoder_2')
        for path in read_checkpoint(base.folder() / part, base).files
    }


def load_transformer(config: EditConfig) -> FluxTransformer2DModel:
    """FLUX's transformer in the type that ``memory`` says, on the CPU or where it has it."""
    base = Source(str(config.base), config.licence)
    with parts_of(config.name), init_empty_weights(include_buffers=False):
        transformer = FluxTransformer2DModel(**config.transformer)
    checkpoint = read_checkpoint(base.folder() / 'transformer', base)
    assign(transformer, checkpoint, config.memory.dtype(), config.memory.loading_device())
    return transformer


def load_autoencoder(config: EditConfig) -> PublishedAutoencoder:
    """The published autoencoder, on the CPU or where the model's ``memory`` has it."""
    base = Source(str(config.base), config.licence)
    with parts_of(config.name), init_empty_weights(include_buffers=False):
        autoencoder = PublishedAutoencoder(**config.autoencoder)
    assign(
        autoencoder, read_checkpoint(base.folder() / 'vae', base), config.memory.dtype(), config.memory.loading_device()
    )
    return autoencoder.eval().requires_grad_(False)


def load_text(config: EditConfig, *, keep: bool = False) -> CaptionEncoder:
    """What embeds captions for this model; it reads its weights when the first caption comes."""
    folder = Source(str(config.base), config.licence).folder()
    return CaptionEncoder(folder, int(config.text_length or 0), config.memory, keep=keep)
