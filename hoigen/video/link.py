"""Make a model of weights that lie elsewhere: a folder with nothing but a ``model.yaml`` that names them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from hoigen.models.configuration import Memory, save_config
from hoigen.models.hub.catalogue import ModelError
from hoigen.video.configuration import read_config


@dataclass(frozen=True)
class LinkConfig:
    """Make a model folder, for every ``--model``, of published weights that lie in folders of your choice."""

    out: Path
    """Model folder to write."""
    model: str = 'cogvideox-5b'
    """Model whose configuration it takes; a name in config/models or a folder."""
    base: str | None = None
    """CogVideoX-5b-I2V: its folder, or its name in `hoigen models list`; none: what the model names."""
    control: str | None = None
    """The control branch: a folder that training left, or Diffusion-as-Shader's; none: what the model names."""
    memory: Memory = field(default_factory=lambda: Memory(device='auto'))
    """How to use the device's memory."""


def link(config: LinkConfig) -> None:
    """Check that the weights are there and fit, then write the folder."""
    from hoigen.video.assembly import weight_files  # torch takes seconds: not for --help

    model = read_config(config.model)
    if model.base is None:
        raise ModelError(f'model {model.name}: expected one with a published backbone, its weights are its own')
    model = replace(
        model,
        memory=config.memory,
        base=_absolute(config.base or model.base),
        control=_absolute(config.control or model.control),
    )
    files = weight_files(model)
    save_config(model, config.out)
    print(
        f'{config.out}: {len(files)} weight files, {sum(f.stat().st_size for f in files.values()) / 1e9:.1f} GB; '
        f'use it as --model {config.out}'
    )


def _absolute(source: str | None) -> str | None:
    """A folder's whole path, so that the model works from everywhere; a repository's name as it is."""
    return str(Path(source).expanduser().resolve()) if source and Path(source).expanduser().is_dir() else source
