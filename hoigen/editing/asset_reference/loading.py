"""The parts of an asset-referenced model, with their weights."""

from __future__ import annotations

from pathlib import Path

from diffusers import FluxTransformer2DModel
from torch import Tensor, nn

from hoigen.editing.asset_reference.model import AssetTransformer
from hoigen.editing.flux.autoencoder import PatchAutoencoder, PatchConfig
from hoigen.editing.flux.configuration import EditConfig
from hoigen.editing.flux.words import WordTable

__all__ = ['FILES', 'WEIGHTS', 'Parts', 'build_parts']

WEIGHTS = Path(__file__).parents[1] / 'weights'
FILES = ('transformer.safetensors', 'autoencoder.safetensors')
RANK = 16
"""Of both adapters, as released."""


class Parts(nn.Module):
    """What is trained together at the tiny size: its ``state_dict`` is the first of FILES."""

    def __init__(self, config: EditConfig) -> None:
        super().__init__()
        self.asset = AssetTransformer(FluxTransformer2DModel(**config.transformer), RANK)
        self.words = WordTable(int(config.words or 0), config.transformer['joint_attention_dim'])

    def text(self, captions: list[str]) -> tuple[Tensor, Tensor]:
        return self.words(self.words.numbers(captions))


def build_parts(config: EditConfig) -> tuple[Parts, PatchAutoencoder]:
    """The untrained parts of a model of the small kind."""
    return Parts(config), PatchAutoencoder(PatchConfig(**config.autoencoder))
