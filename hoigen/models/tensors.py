"""Tensors into networks and out of them, strictly: our own models' are float16 in safetensors files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from hoigen.models.hub.published import ModelError, read_tensors, refuse_misfits
from hoigen.whole_files import whole_file


def save(module: nn.Module, path: Path) -> None:
    """Write a module's weights as float16; the file appears whole or not at all."""
    save_tensors(module.state_dict(), path)


def save_tensors(tensors: dict[str, Tensor], path: Path) -> None:
    """As :func:`save`, of a state dict."""
    path.parent.mkdir(parents=True, exist_ok=True)
    halved = {
        k: v.detach().to(torch.float16 if v.is_floating_point() else v.dtype).contiguous() for k, v in tensors.items()
    }
    with whole_file(path) as file:
        save_file(halved, file)


def load_strictly(module: nn.Module, path: Path) -> None:
    """Load ``path`` into ``module``; every key and shape must fit and every value be finite."""
    tensors = read_tensors(path)
    refuse_misfits(
        path,
        {k: tuple(v.shape) for k, v in module.state_dict().items()},
        {k: tuple(v.shape) for k, v in tensors.items()},
    )
    wrong = sorted(k for k, v in tensors.items() if v.is_floating_point() and not v.isfinite().all())
    if wrong:
        raise ModelError(f'{path}: expected finite values, got others in {len(wrong)} tensors: {wrong[:10]}')
    module.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in tensors.items()})


def load_network(
    network: nn.Module, tensors: dict[str, Tensor], path: Path, unused: tuple[str, ...] = ('classifier.',)
) -> Any:
    """A public network with these tensors of a file, in evaluation mode; every one must fit, but for prefixes that it
    has no use for."""
    own, given = (
        {name: value for name, value in held.items() if not name.endswith('num_batches_tracked')}
        for held in (network.state_dict(), {k: v for k, v in tensors.items() if not k.startswith(unused)})
    )
    want, got = ({name: tuple(value.shape) for name, value in held.items()} for held in (own, given))
    refuse_misfits(f'{path}, {type(network).__name__}', want, got)
    network.load_state_dict(given, strict=False)
    return network.eval().requires_grad_(False)
