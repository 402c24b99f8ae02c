"""Insertion on the published FLUX: its parts from their own layout, with an adapter and projectors of ours.

What training leaves is one file beside ``model.yaml``: the adapter, named as diffusers' pipelines read it, and the two
projectors. UNO's adapter is what training starts from; alone it inserts nothing.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from hoigen.editing.flux.configuration import EditConfig
from hoigen.editing.flux.published import load_autoencoder, load_text, load_transformer, sources, weight_files
from hoigen.editing.flux_insertion.lora import adapt, adapter, assign_adapter, from_uno, rank_of, refuse_infinite
from hoigen.editing.flux_insertion.memory import needs, refuse_too_little
from hoigen.editing.flux_insertion.model import InsertionTransformer
from hoigen.models.flux import PublishedAutoencoder
from hoigen.models.hub import ModelError
from hoigen.models.hub.published import (
    fingerprint,
    read_checkpoint,
    read_files,
    read_tensors,
    refuse_misfits,
    refuse_other_config,
)
from hoigen.models.hub.store import Source
from hoigen.models.placement import place
from hoigen.models.text import CaptionEncoder
from hoigen.whole_files import whole_file

TRAINED = 'trained.safetensors'
"""What training leaves of a model with a published backbone: all that is not the backbone's."""
PROJECTORS = ('target', 'own')


def load_published(
    config: EditConfig,
) -> tuple[InsertionTransformer, PublishedAutoencoder, CaptionEncoder, dict[str, str]]:
    """The parts for use, where ``memory`` says, and each weight file's SHA-256.

    ModelError where any are missing, do not fit or need more memory than there is; nothing is read before all of that
    is known, but the sizes.
    """
    base, lora = sources(config)
    files = weight_files(base)
    file = lora.folder() / TRAINED
    if not file.is_file():
        raise ModelError(
            f"model {config.name}: expected {TRAINED} in {lora.folder()}, found none; UNO's adapter is "
            'where training starts and inserts nothing by itself: hoigen train insertion --help'
        )
    rank = rank_of(read_files([file]).shapes)
    refuse_too_little(config, needs(config, rank))
    memory = config.memory
    insertion = _insertion(config, base, read_tensors(file), file, memory.dtype()).eval().requires_grad_(False)
    autoencoder = load_autoencoder(config)
    hashes = {name: fingerprint(path) for name, path in (files | {f'{lora.label()}/{TRAINED}': file}).items()}
    place(insertion.transformer, autoencoder, memory)
    for name in PROJECTORS:
        getattr(insertion, name).to(memory.torch_device())
    return insertion, autoencoder, load_text(config), hashes


def start_from(config: EditConfig) -> InsertionTransformer:
    """The transformer to train: FLUX frozen in the type and place that ``memory`` says, the adapter and the projectors
    in float32, which alone are learnt.

    They come from ``lora``: a folder that training left, or UNO's adapter (stage 0), where the projectors begin as
    nothing.
    """
    base, lora = sources(config)
    file = lora.folder() / TRAINED
    tensors = (
        read_tensors(file) if file.is_file() else from_uno(read_tensors(read_checkpoint(lora.folder(), lora).files[0]))
    )
    return _insertion(config, base, tensors, lora.folder(), torch.float32)


def trained(insertion: InsertionTransformer) -> dict[str, Tensor]:
    """What training leaves: the adapter and the projectors, by name."""
    projectors = {
        f'{name}.{key}': value for name in PROJECTORS for key, value in getattr(insertion, name).state_dict().items()
    }
    return adapter(insertion.transformer) | projectors


def save_trained(tensors: dict[str, Tensor], folder: Path) -> None:
    """Write what :func:`trained` gives, in bfloat16; the file appears whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    with whole_file(folder / TRAINED) as file:
        save_file({key: value.detach().bfloat16().contiguous() for key, value in tensors.items()}, file)


def _parts(config: EditConfig) -> dict[str, dict]:
    """Folder of the base -> its configuration here."""
    return {
        'transformer': config.transformer,
        'vae': config.autoencoder,
        'text_encoder': config.clip or {},
        'text_encoder_2': config.t5 or {},
    }


def _insertion(
    config: EditConfig, base: Source, tensors: dict[str, Tensor], where: Path, dtype: torch.dtype
) -> InsertionTransformer:
    """FLUX, frozen by its adapter, and, where ``tensors`` has them, the projectors; those two in ``dtype``."""
    for part, want in _parts(config).items():
        refuse_other_config(want, base.folder() / part / 'config.json', base)
    device = config.memory.loading_device()
    transformer = load_transformer(config)
    tensors = {key: value.to(device, dtype) for key, value in tensors.items()}
    projectors = {key: value for key, value in tensors.items() if key.startswith(PROJECTORS)}
    low = {key: value for key, value in tensors.items() if key not in projectors}
    adapt(transformer, rank_of({key: tuple(value.shape) for key, value in low.items()}))
    assign_adapter(transformer, low, where)
    insertion = InsertionTransformer(transformer)
    refuse_infinite(projectors, where)
    for name in PROJECTORS if projectors else ():
        part = getattr(insertion, name)
        got = {key.removeprefix(f'{name}.'): value for key, value in projectors.items() if key.startswith(f'{name}.')}
        refuse_misfits(
            f'{where}, {name}',
            {k: tuple(v.shape) for k, v in part.state_dict().items()},
            {k: tuple(v.shape) for k, v in got.items()},
        )
        part.load_state_dict(got)
    insertion.target.to(device, dtype)
    insertion.own.to(device, dtype)
    return insertion
