"""Models by name or folder: configuration, construction, weights. Never a model without its weights."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
import yaml
from diffusers import CogVideoXDPMScheduler
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from hoigen.episodes import sha256_of
from hoigen.resources import ResourceError, find
from hoigen.video.autoencoder import Autoencoder, PublishedAutoencoder, ReferenceAutoencoder
from hoigen.video.transformer import ControlledCogVideoX

WEIGHTS = Path(__file__).parent / 'weights'
FILES = ('transformer.safetensors', 'autoencoder.safetensors')
CONFIG = 'model.yaml'


class ModelError(RuntimeError):
    """A model cannot be built or loaded; the message says what to do."""


@dataclass(frozen=True)
class ModelConfig:
    """One YAML of ``config/models``: the picture's size, the sampler and the parts' own configurations."""

    name: str
    licence: str
    height: int
    width: int
    frames: int
    steps: int
    cloud: int
    tokens: int
    transformer: dict[str, Any]
    autoencoder: dict[str, Any]
    scheduler: dict[str, Any]

    def __post_init__(self) -> None:
        if self.frames % 4 != 1 or self.height % 16 or self.width % 16:
            raise ModelError(f'model {self.name}: expected 4k+1 frames and a size divisible by 16, '
                             f'got {self.frames} frames of {self.width}x{self.height}')


@dataclass(frozen=True)
class Model:
    """The parts of a video model, in evaluation mode; weights maps each file to its SHA-256."""

    config: ModelConfig
    transformer: ControlledCogVideoX
    autoencoder: Autoencoder
    scheduler: CogVideoXDPMScheduler
    weights: dict[str, str]


def read_config(model: str) -> ModelConfig:
    """The configuration of a model: ``config/models/MODEL.yaml``, or ``model.yaml`` where MODEL is a folder."""
    if (Path(model) / CONFIG).is_file():
        return ModelConfig(**yaml.safe_load((Path(model) / CONFIG).read_text()))
    try:
        text = find(f'config/models/{model}.yaml').read_text()
    except ResourceError:
        known = sorted(p.stem for p in find('config/models').glob('*.yaml'))
        raise ModelError(f'model: expected one of {known} or a folder with {CONFIG}, got {model!r}') from None
    return ModelConfig(**yaml.safe_load(text))


def build(config: ModelConfig) -> Model:
    """The untrained parts, for training and for checks of shape; :func:`load` is for use."""
    published = 'block_out_channels' in config.autoencoder
    autoencoder = (PublishedAutoencoder if published else ReferenceAutoencoder)(**config.autoencoder)
    return Model(config, ControlledCogVideoX(**config.transformer).eval(), autoencoder.eval(),
                 CogVideoXDPMScheduler(**config.scheduler), {})


def load(model: str = 'tiny') -> Model:
    """The model of this name with the weights shipped with hoigen, or the model of a folder that training left."""
    config = read_config(model)
    folder = Path(model) if (Path(model) / CONFIG).is_file() else WEIGHTS / model
    missing = [f for f in FILES if not (folder / f).is_file()]
    if missing:
        raise ModelError(f'model {model}: expected {list(FILES)} in {folder}, missing {missing}; '
                         + ('install hoigen again' if model == 'tiny' else 'hoigen does not ship them: '
                            'train them (hoigen train --help) and give their folder as the model'))
    parts = build(config)
    load_strictly(parts.transformer, folder / FILES[0])
    load_strictly(parts.autoencoder, folder / FILES[1])
    return replace(parts, weights={f'{config.name}/{f}': sha256_of(folder / f) for f in FILES})


def save_config(config: ModelConfig, folder: Path) -> None:
    """Write ``model.yaml``, so that the folder is a model by itself."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CONFIG).write_text(yaml.safe_dump(asdict(config), sort_keys=False))


def save(module: nn.Module, path: Path) -> None:
    """Write a module's weights as float16; the file appears whole or not at all."""
    save_tensors(module.state_dict(), path)


def save_tensors(tensors: dict[str, Tensor], path: Path) -> None:
    """As :func:`save`, of a state dict."""
    path.parent.mkdir(parents=True, exist_ok=True)
    halved = {k: v.detach().to(torch.float16 if v.is_floating_point() else v.dtype).contiguous()
              for k, v in tensors.items()}
    partial = path.with_suffix('.partial')
    save_file(halved, partial)
    partial.rename(path)


def load_strictly(module: nn.Module, path: Path) -> None:
    """Load ``path`` into ``module``; every key and shape must fit and every value be finite."""
    try:
        tensors = load_file(path)
    except Exception as error:  # safetensors raises its own type for a broken file
        raise ModelError(f'{path}: expected a safetensors file, got: {error}') from error
    want = {k: tuple(v.shape) for k, v in module.state_dict().items()}
    got = {k: tuple(v.shape) for k, v in tensors.items()}
    faults = ([f'missing {k} {list(want[k])}' for k in want.keys() - got.keys()]
              + [f'unexpected {k} {list(got[k])}' for k in got.keys() - want.keys()]
              + [f'{k}: expected {list(want[k])}, got {list(got[k])}' for k in want.keys() & got.keys()
                 if want[k] != got[k]]
              + [f'{k}: expected finite values' for k, v in tensors.items()
                 if v.is_floating_point() and not v.isfinite().all()])
    if faults:
        raise ModelError(f'{path}: {len(faults)} keys do not fit this model, the first: {sorted(faults)[:10]}')
    module.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in tensors.items()})
