"""The parts of an insertion model, with their weights, where its memory settings place them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from diffusers import FluxTransformer2DModel

from hoigen.editing.flux.configuration import EditConfig, read_config
from hoigen.editing.flux.loading import FluxModel, Text, WordedParts, read_small
from hoigen.editing.flux_insertion.model import InsertionTransformer
from hoigen.models.configuration import Memory, parts_of
from hoigen.models.flux import Autoencoder, PatchAutoencoder, PatchConfig, Refiner
from hoigen.models.hub import ModelError

FILES = ('insertion.safetensors', 'autoencoder.safetensors', 'refiner.safetensors')


class Parts(WordedParts):
    """What is trained together at the tiny size: its ``state_dict`` is the first of FILES."""

    def __init__(self, config: EditConfig) -> None:
        super().__init__(config)
        self.insertion = InsertionTransformer(FluxTransformer2DModel(**config.transformer))


@dataclass(frozen=True, eq=False)
class InsertionModel(FluxModel):
    """The parts, in evaluation mode; weights maps each file to its SHA-256. refiner: None for published models."""

    config: EditConfig
    insertion: InsertionTransformer
    autoencoder: Autoencoder
    text: Text
    weights: dict[str, str]
    refiner: Refiner | None = None


def build_parts(config: EditConfig) -> tuple[Parts, PatchAutoencoder, Refiner]:
    """The untrained parts of a model of the small kind, in the order of FILES; :func:`load_insertion` is for use."""
    if config.refiner is None:
        raise ModelError(f'model {config.name}: expected a refiner of a small insertion model, got none')
    with parts_of(config.name):
        return Parts(config), PatchAutoencoder(PatchConfig(**config.autoencoder)), Refiner(config.refiner)


def load_insertion(model: str = 'insertion-tiny', memory: Memory | None = None) -> InsertionModel:
    """A model by name or by the folder that training left; ModelError says what to do where weights are missing."""
    config, folder = read_config(model), Path(model)
    if memory is not None:
        config = replace(config, memory=memory)
    if config.base is not None:
        # here, as the small model need not wait for what only the published one uses
        from hoigen.editing.flux_insertion.published import TRAINED, load_published

        config = replace(config, lora=model) if (folder / TRAINED).is_file() else config
        return InsertionModel(config, *load_published(config))
    modules = build_parts(config)
    weights = read_small(model, config, modules, FILES, 'hoigen train insertion')
    parts, autoencoder, refiner = modules
    return InsertionModel(config, parts.insertion, autoencoder, parts.text, weights, refiner)
