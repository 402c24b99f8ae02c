"""What the models of both systems share once they are loaded, and how small ones are read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from hoigen.editing.flux.configuration import EditConfig
from hoigen.models.configuration import CONFIG
from hoigen.models.hub import ModelError
from hoigen.models.placement import PlacedModel
from hoigen.models.tensors import load_strictly
from hoigen.models.text import WordTable
from hoigen.provenance import sha256_of

WEIGHTS = Path(__file__).parents[1] / 'weights'
"""The folders of the models that come with hoigen."""


class Text(Protocol):
    """What embeds captions: [B,L,T] for the tokens and [B,P] pooled."""

    def __call__(self, captions: list[str]) -> tuple[Tensor, Tensor]: ...


class WordedParts(nn.Module):
    """What of a small model is trained together, with the word table that embeds its captions."""

    def __init__(self, config: EditConfig) -> None:
        super().__init__()
        self.words = WordTable(int(config.words or 0), config.transformer['joint_attention_dim'])

    def text(self, captions: list[str]) -> tuple[Tensor, Tensor]:
        return self.words(self.words.numbers(captions))


class FluxModel(PlacedModel):
    """A loaded model of either system."""

    config: EditConfig

    @property
    def guidance(self) -> Tensor | None:
        """[1], for a model that was distilled with a guidance scale."""
        return None if self.config.guidance is None else torch.tensor([self.config.guidance], device=self.device)

    def placed(self, pictures: Sequence[np.ndarray] | np.ndarray) -> Tensor:
        """Pictures [H,W,3] float32 in [-1, 1] as a batch [B,3,H,W] on the model's device."""
        batch = torch.from_numpy(np.stack(list(pictures)).transpose(0, 3, 1, 2).copy())
        return batch.to(self.device, self.dtype)


def read_small(
    model: str,
    config: EditConfig,
    modules: Sequence[nn.Module],
    files: Sequence[str],
    train: str,
) -> dict[str, str]:
    """Give modules their weights, a file each, from the folder ``model`` or the shipped model of that name.

    Puts them on the configuration's device, in evaluation mode; gives each file's SHA-256. ModelError where any are
    missing or do not fit; train: the command that makes them.
    """
    folder = Path(model) if (Path(model) / CONFIG).is_file() else WEIGHTS / model
    missing = [name for name in files if not (folder / name).is_file()]
    if missing:
        shipped = not (Path(model) / CONFIG).is_file()
        raise ModelError(
            f'model {model}: expected {list(files)} in {folder}, missing {missing}; '
            + ('install hoigen again' if shipped else f'train it: {train} --help')
        )
    for module, name in zip(modules, files, strict=True):
        load_strictly(module, folder / name)
        module.to(config.memory.torch_device()).eval()
    return {f'{config.name}/{name}': sha256_of(folder / name) for name in files}
