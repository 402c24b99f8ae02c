"""Weights of public networks, read as plain tensors and fitted strictly."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn


class WeightsError(ValueError):
    """A weight file is missing, is not plain tensors or does not fit its network."""


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Tensors by name of a .safetensors file, or of a .pth file that holds nothing but them."""
    try:
        if path.suffix == '.safetensors':
            return load_file(path)
        tensors = torch.load(path, map_location='cpu', weights_only=True)
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError) as error:
        reason = str(error).splitlines()[0]
        raise WeightsError(f'{path}: expected a file of plain tensors, got one that is not: {reason}') from error
    if not isinstance(tensors, dict) or not all(isinstance(value, Tensor) for value in tensors.values()):
        raise WeightsError(f'{path}: expected tensors by name, got {type(tensors).__name__} of something else')
    return tensors


def load_network(
    network: nn.Module, tensors: dict[str, Tensor], path: Path, unused: tuple[str, ...] = ('classifier.',)
) -> Any:
    """The network with these tensors, in evaluation mode; every one must fit, but for prefixes it has no use for."""
    own = {name: value for name, value in network.state_dict().items() if not name.endswith('num_batches_tracked')}
    given = {
        name: value
        for name, value in tensors.items()
        if not name.startswith(unused) and not name.endswith('num_batches_tracked')
    }
    faults = (
        [f'missing {name}' for name in own.keys() - given.keys()]
        + [f'unexpected {name}' for name in given.keys() - own.keys()]
        + [
            f'{name}: expected {list(own[name].shape)}, got {list(given[name].shape)}'
            for name in own.keys() & given.keys()
            if own[name].shape != given[name].shape
        ]
    )
    if faults:
        raise WeightsError(
            f'{path}: {len(faults)} tensors do not fit {type(network).__name__}, the first: {sorted(faults)[:10]}'
        )
    network.load_state_dict(given, strict=False)
    return network.eval().requires_grad_(False)


def pretrained(folder: Path, network: Any, processor: Any) -> tuple[Any, Any]:
    """A transformers network and its image processor from a local folder with safetensors, every weight there."""
    wanted = ('config.json', 'model.safetensors', 'preprocessor_config.json')
    absent = [name for name in wanted if not (folder / name).is_file()]
    if absent:
        raise WeightsError(f'{folder}: expected {list(wanted)}, missing {absent}')
    try:
        model, info = network.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, output_loading_info=True
        )
    except (SafetensorError, RuntimeError) as error:
        raise WeightsError(f'{folder}: expected weights of {network.__name__}, got: {str(error)[:200]}') from error
    if info['missing_keys']:
        raise WeightsError(
            f'{folder}: expected weights of {network.__name__}, missing {sorted(info["missing_keys"])[:10]}'
        )
    return model.eval().requires_grad_(False), processor.from_pretrained(folder, local_files_only=True)
