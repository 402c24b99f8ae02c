"""The parts of an asset-referenced model, with their weights, where its memory settings place them."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from diffusers import FluxTransformer2DModel
from torch import Tensor, nn

from hoigen.editing.asset_reference.look import AssetRefiner
from hoigen.editing.asset_reference.lora import RANK
from hoigen.editing.asset_reference.model import AssetTransformer
from hoigen.editing.asset_reference.published import load_published
from hoigen.editing.flux.autoencoder import Autoencoder, PatchAutoencoder, PatchConfig
from hoigen.editing.flux.configuration import CONFIG, EditConfig, Memory, ModelError, read_config
from hoigen.editing.flux.words import WordTable
from hoigen.editing.flux_insertion.loading import Text
from hoigen.episodes.provenance import sha256_of
from hoigen.video.model import load_strictly

__all__ = ['FILES', 'WEIGHTS', 'AssetModel', 'Parts', 'build_parts', 'load_asset_model']

WEIGHTS = Path(__file__).parents[1] / 'weights'
FILES = ('transformer.safetensors', 'autoencoder.safetensors', 'refiner.safetensors')


class Parts(nn.Module):
    """What is trained together at the tiny size: its ``state_dict`` is the first of FILES."""

    def __init__(self, config: EditConfig) -> None:
        super().__init__()
        self.asset = AssetTransformer(FluxTransformer2DModel(**config.transformer), RANK)
        self.words = WordTable(int(config.words or 0), config.transformer['joint_attention_dim'])

    def text(self, captions: list[str]) -> tuple[Tensor, Tensor]:
        return self.words(self.words.numbers(captions))


@dataclass(frozen=True, eq=False)
class AssetModel:
    """The parts, in evaluation mode; weights maps each file to its SHA-256. refiner: None for published models."""

    config: EditConfig
    asset: AssetTransformer
    autoencoder: Autoencoder
    text: Text
    weights: dict[str, str]
    refiner: AssetRefiner | None = None

    @property
    def device(self) -> torch.device:
        return self.config.memory.torch_device()

    @property
    def dtype(self) -> torch.dtype:
        """What the parts take: published weights compute in their own type, the small models' under autocast."""
        return torch.float32 if self.config.base is None else self.config.memory.dtype()

    @property
    def width(self) -> int:
        """Numbers of a token."""
        return self.asset.transformer.config.in_channels

    @property
    def guidance(self) -> Tensor | None:
        """[1], for a model that was distilled with a guidance scale."""
        return None if self.config.guidance is None else torch.tensor([self.config.guidance], device=self.device)

    def autocast(self) -> AbstractContextManager:
        """The context to compute in."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.base is None)

    def placed(self, pictures: np.ndarray) -> Tensor:
        """Pictures [B,S,S,3] uint8 as [B,3,S,S] in [-1, 1] on the model's device."""
        batch = torch.from_numpy(np.ascontiguousarray(pictures.transpose(0, 3, 1, 2)))
        return (batch.float() / 127.5 - 1).to(self.device, self.dtype)


def build_parts(config: EditConfig) -> tuple[Parts, PatchAutoencoder, AssetRefiner]:
    """The untrained parts of a model of the small kind, in the order of FILES; :func:`load_asset_model` is for use."""
    if config.refiner is None:
        raise ModelError(f'model {config.name}: expected a refiner of a small asset model, got none')
    return Parts(config), PatchAutoencoder(PatchConfig(**config.autoencoder)), AssetRefiner(config.refiner)


def load_asset_model(model: str = 'asset-tiny', memory: Memory | None = None) -> AssetModel:
    """A model by name or by the folder that training left; ModelError says what to do where weights are missing."""
    config, folder = read_config(model), Path(model)
    if memory is not None:
        config = replace(config, memory=memory)
    if config.base is not None:
        return AssetModel(config, *load_published(config))
    folder = folder if (folder / CONFIG).is_file() else WEIGHTS / model
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        raise ModelError(f'model {model}: expected {list(FILES)} in {folder}, missing {missing}; '
                         + ('install hoigen again' if model == 'asset-tiny' else 'train it: hoigen train asset --help'))
    modules = build_parts(config)
    for module, name in zip(modules, FILES, strict=True):
        load_strictly(module, folder / name)
        module.to(config.memory.torch_device()).eval()
    parts, autoencoder, refiner = modules
    weights = {f'{config.name}/{name}': sha256_of(folder / name) for name in FILES}
    return AssetModel(config, parts.asset, autoencoder, parts.text, weights, refiner)
