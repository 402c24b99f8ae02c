"""Whether downloaded files are the weights that their entry promises: every key there, every shape right."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from hoigen.weights.catalogue import Entry, ModelError
from hoigen.weights.published import read_checkpoint, refuse_misfits
from hoigen.weights.store import Source


def convert_pickles(folder: Path) -> None:
    """Make ``model.safetensors`` of a ``.pt`` file that holds nothing but tensors by name, and remove it."""
    for file in sorted(folder.rglob('*.pt')):
        try:
            tensors = torch.load(file, map_location='cpu', weights_only=True, mmap=True)
        except Exception as error:  # the format is a zip of a pickle: a damaged one fails in many ways
            raise ModelError(f'{file}: expected tensors by name, got a file that is not: '
                             f'{str(error).splitlines()[0]}') from error
        if not isinstance(tensors, dict) or not all(isinstance(t, Tensor) for t in tensors.values()):
            raise ModelError(f'{file}: expected tensors by name, got {type(tensors).__name__} of something else')
        made = file.with_name('model.safetensors')
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, made.with_suffix('.growing'))
        made.with_suffix('.growing').rename(made)
        file.unlink()


def refuse_unfit(entry: Entry, folder: Path) -> None:
    """ModelError unless every part in ``folder`` has exactly the keys and shapes of its class."""
    for part, maker in entry.parts.items():
        module, name = maker.split(':')
        made = getattr(import_module(module), name)
        try:
            if module == 'transformers':
                _refuse_unfit_pretrained(made, folder / part)
            else:
                _refuse_unfit_module(made, module == 'diffusers', folder / part, Source(entry.name, entry.licence))
        except ModelError:
            raise
        except (OSError, ValueError, KeyError, TypeError) as error:  # what the libraries say of a wrong folder
            raise ModelError(f'{folder / part}: expected weights of {name}, got: {str(error).splitlines()[0]}'
                             ) from error


def _refuse_unfit_module(made: Any, published: bool, folder: Path, source: Source) -> None:
    checkpoint = read_checkpoint(folder, source)
    with torch.device('meta'):
        module = made.from_config(made.load_config(folder)) if published else made(folder)
    refuse_misfits(folder, {k: tuple(v.shape) for k, v in module.state_dict().items()}, checkpoint.shapes)


def _refuse_unfit_pretrained(made: Any, folder: Path) -> None:
    """transformers renames old keys while it loads: only what it reports then counts."""
    from safetensors import SafetensorError
    from transformers.utils import logging

    level = logging.get_verbosity()
    logging.set_verbosity(logging.CRITICAL)
    try:
        _, report = made.from_pretrained(folder, device_map='meta', use_safetensors=True, local_files_only=True,
                                         ignore_mismatched_sizes=True, output_loading_info=True)
    except SafetensorError as error:
        raise ModelError(f'{folder}: expected safetensors files, got: {error}') from error
    finally:
        logging.set_verbosity(level)
    faults = [f'{kind.removesuffix("_keys")} {key}' for kind in ('missing_keys', 'unexpected_keys', 'mismatched_keys')
              for key in sorted(map(str, report[kind]))]
    if faults:
        raise ModelError(f'{folder}: {len(faults)} keys do not fit {made.__name__}, the first: {faults[:10]}')
