"""Models by name or folder: construction and weights. Never a model without its weights."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from diffusers import CogVideoXDPMScheduler
from torch import Tensor

from hoigen.models.cogvideox import Autoencoder, LinearAutoencoder, PublishedAutoencoder, ReferenceAutoencoder
from hoigen.models.configuration import CONFIG, parts_of
from hoigen.models.hub.published import ModelError, fingerprint, read_files, read_tensors
from hoigen.models.look_words import LookWords
from hoigen.models.placement import PlacedModel, place
from hoigen.models.tensors import load_strictly, save_tensors
from hoigen.models.text import PromptEncoder
from hoigen.provenance import sha256_of
from hoigen.video.assembly import (
    CONTROL,
    branch_of,
    controlled_transformer,
    load_autoencoder,
    load_text,
    weight_files,
    with_branch,
)
from hoigen.video.configuration import ModelConfig, read_config
from hoigen.video.memory import refuse_too_little
from hoigen.video.transformer import BACKBONE, ControlledCogVideoX

WEIGHTS = Path(__file__).parent / 'weights'
AUTOENCODERS = {
    'cogvideox': PublishedAutoencoder,
    'reference': ReferenceAutoencoder,
    'linear': LinearAutoencoder,
}
FILES = ('transformer.safetensors', 'autoencoder.safetensors')


@dataclass(frozen=True)
class Model(PlacedModel):
    """The parts of a video model, in evaluation mode; weights maps each file to its SHA-256.

    text embeds prompts; None for a model that was trained without text.
    """

    config: ModelConfig
    transformer: ControlledCogVideoX
    autoencoder: Autoencoder
    scheduler: CogVideoXDPMScheduler
    weights: dict[str, str]
    text: PromptEncoder | LookWords | None = None


def build(config: ModelConfig) -> Model:
    """The untrained parts, for training and for checks of shape; :func:`load` is for use."""
    with parts_of(config.name):
        autoencoder = AUTOENCODERS[config.codec](**config.autoencoder)
        return Model(
            config,
            ControlledCogVideoX(**config.transformer).eval(),
            autoencoder.eval(),
            CogVideoXDPMScheduler(**config.scheduler),
            {},
            LookWords() if config.reads_colours else None,
        )


def load(model: str = 'tiny') -> Model:
    """A model by name or folder, placed as its ``memory`` says.

    One without ``base`` has its own weights: shipped with hoigen, or in the folder that training left; the
    configuration beside them is theirs. One with it takes the published ones and the branch of ``control``, which says
    how many blocks it has, and in which form: those that a configuration has beyond them would add nothing.
    """
    folder = Path(model) if (Path(model) / CONFIG).is_file() else WEIGHTS / model
    config = read_config(str(folder) if (folder / CONFIG).is_file() else model)
    if config.base is not None:
        return _load_published(replace(config, control=model) if (folder / CONTROL).is_file() else config)
    missing = [f for f in FILES if not (folder / f).is_file()]
    if missing:
        raise ModelError(
            f'model {model}: expected {list(FILES)} in {folder}, missing {missing}; '
            + ('install hoigen again' if model == 'tiny' else 'train it: hoigen train video --help')
        )
    parts = build(config)
    load_strictly(parts.transformer, folder / FILES[0])
    load_strictly(parts.autoencoder, folder / FILES[1])
    return replace(parts, weights={f'{config.name}/{f}': sha256_of(folder / f) for f in FILES})


def load_backbone(transformer: ControlledCogVideoX, path: Path) -> None:
    """Load the backbone of a transformer's weights; the branch starts as its copy, behind its zero layers."""
    backbone = {k: v.float() for k, v in read_tensors(path).items() if k.startswith(BACKBONE)}
    transformer.load_state_dict(transformer.state_dict() | backbone)
    transformer.copy_base_into_branch()


def branch_form(path: Path) -> str:
    """The ``control_form`` of a transformer's weights."""
    return branch_of(read_files([path]))['control_form']


def _load_published(config: ModelConfig) -> Model:
    """All parts, where ``memory`` says; refused before they are read where the device has not room for them."""
    files = weight_files(config)
    need = refuse_too_little(with_branch(config))
    transformer, config = controlled_transformer(config)
    autoencoder, text = load_autoencoder(config), load_text(config, need.beside_text(config.memory))
    weights = {name: fingerprint(path) for name, path in files.items()}
    place(transformer, autoencoder, config.memory)
    return Model(config, transformer, autoencoder, CogVideoXDPMScheduler(**config.scheduler), weights, text)


def save_control(tensors: dict[str, Tensor], folder: Path) -> None:
    """Write of a transformer's state dict what is not the backbone's; with ``model.yaml`` beside it it is a model."""
    save_tensors({k: v for k, v in tensors.items() if not k.startswith(BACKBONE)}, folder / CONTROL)
