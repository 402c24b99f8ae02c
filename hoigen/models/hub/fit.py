"""Whether downloaded files are the weights that their entry promises: every key there, every shape right."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from hoigen.models.hub.catalogue import Entry, ModelError
from hoigen.models.hub.pretrained import pretrained
from hoigen.models.hub.published import read_checkpoint, read_files, read_tensors, refuse_misfits
from hoigen.models.hub.store import Source
from hoigen.whole_files import whole_file

CONVERTED = 'model.safetensors'
"""What a ``.pt`` file becomes; a ``.pth`` file keeps its name and lies beside others."""


def convert_pickles(folder: Path) -> None:
    """Make safetensors of a ``.pt`` or ``.pth`` file that holds nothing but tensors by name, and remove it."""
    for file in sorted([*folder.rglob('*.pt'), *folder.rglob('*.pth')]):
        made = file.with_name(CONVERTED) if file.suffix == '.pt' else file.with_suffix('.safetensors')
        with whole_file(made) as whole:
            save_file({name: tensor.contiguous() for name, tensor in read_tensors(file).items()}, whole)
        file.unlink()


def refuse_unfit(entry: Entry, folder: Path) -> None:
    """ModelError unless every part in ``folder`` has exactly the keys and shapes of its class."""
    for part, maker in entry.parts.items():
        module, name = maker.split(':')
        made = getattr(import_module(module), name)
        if module == 'transformers':
            pretrained(made, folder / part, device_map='meta')
        else:
            _refuse_unfit_module(made, module == 'diffusers', folder / part, Source(entry.name, entry.licence))


def _refuse_unfit_module(made: Any, published: bool, folder: Path, source: Source) -> None:
    checkpoint = read_files([folder]) if folder.suffix == '.safetensors' else read_checkpoint(folder, source)
    try:
        with torch.device('meta'):
            module = made.from_config(made.load_config(folder)) if published else made(folder)
    except (OSError, ValueError, KeyError, TypeError) as error:  # what the libraries say of a wrong configuration
        raise ModelError(
            f'{folder}: expected the configuration of {made.__name__}, got: {str(error).splitlines()[0]}'
        ) from error
    refuse_misfits(folder, {k: tuple(v.shape) for k, v in module.state_dict().items()}, checkpoint.shapes)
