"""The parts of an asset-referenced model, with their weights, where its memory settings place them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from diffusers import FluxTransformer2DModel

from hoigen.editing.asset_reference.look import AssetRefiner
from hoigen.editing.asset_reference.lora import RANK
from hoigen.editing.asset_reference.model import AssetTransformer
from hoigen.editing.asset_reference.published import load_published
from hoigen.editing.flux.configuration import EditConfig, read_config
from hoigen.editing.flux.loading import FluxModel, Text, WordedParts, read_small
from hoigen.models.configuration import Memory, parts_of
from hoigen.models.flux import Autoencoder, PatchAutoencoder, PatchConfig
from hoigen.models.hub import ModelError

FILES = ('transformer.safetensors', 'autoencoder.safetensors', 'refiner.safetensors')


class Parts(WordedParts):
    """What is trained together at the tiny size: its ``state_dict`` is the first of FILES."""

    def __init__(self, config: EditConfig) -> None:
        super().__init__(config)
        self.asset = AssetTransformer(FluxTransformer2DModel(**config.transformer), RANK)


@dataclass(frozen=True, eq=False)
class AssetModel(FluxModel):
    """The parts, in evaluation mode; weights maps each file to its SHA-256. refiner: None for published models."""

    config: EditConfig
    asset: AssetTransformer
    autoencoder: Autoencoder
    text: Text
    weights: dict[str, str]
    refiner: AssetRefiner | None = None

    @property
    def width(self) -> int:
        """Numbers of a token."""
        return self.asset.transformer.config.in_channels


def build_parts(config: EditConfig) -> tuple[Parts, PatchAutoencoder, AssetRefiner]:
    """The untrained parts of a model of the small kind, in the order of FILES; :func:`load_asset_model` is for use."""
    if config.refiner is None:
        raise ModelError(f'model {config.name}: expected a refiner of a small asset model, got none')
    with parts_of(config.name):
        return Parts(config), PatchAutoencoder(PatchConfig(**config.autoencoder)), AssetRefiner(config.refiner)


def load_asset_model(model: str = 'asset-tiny', memory: Memory | None = None) -> AssetModel:
    """A model by name or by the folder that training left; ModelError says what to do where weights are missing."""
    config = read_config(model)
    if memory is not None:
        config = replace(config, memory=memory)
    if config.base is not None:
        return AssetModel(config, *load_published(config))
    modules = build_parts(config)
    weights = read_small(model, config, modules, FILES, 'hoigen train asset')
    parts, autoencoder, refiner = modules
    return AssetModel(config, parts.asset, autoencoder, parts.text, weights, refiner)
