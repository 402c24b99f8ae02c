"""Where training starts: an insertion model of the same sizes, as the paper starts from FLUX."""

from __future__ import annotations

from pathlib import Path

from hoigen.editing.asset_reference.loading import Parts
from hoigen.editing.flux.configuration import ModelError
from hoigen.editing.flux_insertion.loading import FILES
from hoigen.models.flux import PatchAutoencoder
from hoigen.models.hub.published import read_tensors, refuse_misfits
from hoigen.models.tensors import load_strictly

__all__ = ['start_from']

TAKEN = {'insertion.transformer.': 'asset.transformer.', 'words.': 'words.'}
"""Parts of an insertion model, and what they are here. Its projectors have no use."""


def start_from(parts: Parts, autoencoder: PatchAutoencoder, folder: Path) -> None:
    """Take an insertion model's transformer, words and autoencoder; adapters and domain switcher stay as they are.

    ModelError where any are missing or of other sizes.
    """
    missing = [name for name in FILES[:2] if not (folder / name).is_file()]
    if missing:
        raise ModelError(f'{folder}: expected an insertion model to start from, missing {missing}')
    load_strictly(autoencoder, folder / FILES[1])
    own = {
        key.replace('.base_layer.', '.'): key
        for key in parts.state_dict()
        if '.lora_' not in key and '.domain_embedder.' not in key
    }
    given = {
        here + key.removeprefix(there): value.float()
        for key, value in read_tensors(folder / FILES[0]).items()
        for there, here in TAKEN.items()
        if key.startswith(there)
    }
    shapes = parts.state_dict()
    refuse_misfits(
        folder / FILES[0],
        {name: tuple(shapes[key].shape) for name, key in own.items()},
        {name: tuple(value.shape) for name, value in given.items()},
    )
    parts.load_state_dict({own[name]: value for name, value in given.items()}, strict=False)
