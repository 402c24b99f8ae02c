"""VGGT with its published weights."""

from __future__ import annotations

from pathlib import Path

import torch

from hoigen.models.hub import entry
from hoigen.models.hub.catalogue import catalogue
from hoigen.models.hub.published import assign, read_checkpoint
from hoigen.models.hub.store import Source
from hoigen.perception.vggt.config import read_config
from hoigen.perception.vggt.model import VGGT

PUBLISHED = 'vggt-1b'
"""The one published shape."""


def load_vggt(name: str = 'vggt') -> VGGT:
    """The model of a name in ``hoigen models list`` or of a folder that holds ``model.safetensors``; on the GPU if any.

    Raises :class:`~hoigen.models.hub.MissingWeights` with the command that fetches them and their licence, or
    :class:`~hoigen.models.hub.ModelError` that names the keys which do not fit.
    """
    source = Source(name, entry(name if name in catalogue() else 'vggt').licence)
    checkpoint = read_checkpoint(source.folder(), source)
    device = torch.device('cuda' if torch.cuda.is_available() else 'cpu')
    with torch.device('meta'):
        model = VGGT(read_config(PUBLISHED))
    assign(model, checkpoint, torch.float32, device)
    return model.eval().requires_grad_(False)


def blank(folder: Path) -> VGGT:
    """The module whose keys and shapes the files of ``folder`` must have; there is one shape, whatever the folder."""
    return VGGT(read_config(PUBLISHED))
