"""A model's parts from published weights: which files make them, and what starts so that it changes nothing."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from accelerate import init_empty_weights
from torch import nn

from hoigen.models.cogvideox import PublishedAutoencoder
from hoigen.models.configuration import parts_of
from hoigen.models.hub.published import (
    Checkpoint,
    ModelError,
    Source,
    assign,
    read_checkpoint,
    read_files,
    read_json,
    refuse_other_config,
)
from hoigen.models.hub.store import refuse_missing
from hoigen.models.text import PromptEncoder
from hoigen.video.configuration import ModelConfig, read_config
from hoigen.video.transformer import BACKBONE, ControlledCogVideoX

CONTROL = 'control.safetensors'
"""What training leaves of a model with a published backbone: all that is not the backbone's."""
POINTS = ('point_encoder.', 'point_to_grid.', 'condition_embed.')
NEWER = ('patch_size_t', 'ofs_embed_dim')
"""Fields that the transformers of CogVideoX 1.5 alone set: patches in time, and an embedding of the offset."""


def controlled_transformer(config: ModelConfig) -> tuple[ControlledCogVideoX, ModelConfig]:
    """The transformer to use, and the configuration that it has, :func:`with_branch`."""
    checkpoint, config = _controlled(config, Source(str(config.control), config.licence))
    device = config.memory.loading_device()
    return _fill(config, checkpoint, lambda key: key.startswith(POINTS), device), config


def with_branch(config: ModelConfig) -> ModelConfig:
    """The configuration with what ``control`` says of its branch: how many blocks it has, and in which form."""
    return _controlled(config, Source(str(config.control), config.licence))[1]


def start_from(
    config: ModelConfig,
    control: str | None,
    *,
    branch_dtype: torch.dtype = torch.float32,
) -> tuple[ControlledCogVideoX, ModelConfig]:
    """The transformer to train, and its configuration: the published backbone in bfloat16 and a branch, on the CPU.

    The branch's weights and form come from ``control`` (as in :func:`load`). What they do not have starts so that it
    changes nothing: blocks as copies of the backbone's behind zero layers, the point branch behind a zero embedding.
    Without control that is the whole branch, in the form of ``config``.
    """
    base = Source(str(config.base), config.licence)
    checkpoint = _transformer(config, base.folder() / 'transformer', base)
    if control is not None:
        theirs, of = _controlled(config, Source(control, config.licence))
        if of.transformer['control_blocks'] > config.transformer['control_blocks']:
            raise ModelError(
                f'{control}: expected at most {config.transformer["control_blocks"]} blocks in its '
                f'branch, as the model has, got {of.transformer["control_blocks"]}'
            )
        checkpoint |= theirs.only(lambda key: not key.startswith(BACKBONE))
        form = {'control_form': of.transformer['control_form']}
        config = replace(config, transformer=config.transformer | form)
    transformer = _fill(config, checkpoint, lambda key: not key.startswith(BACKBONE), torch.device('cpu'))
    for parameter in transformer.control_parameters():
        parameter.data = parameter.data.to(branch_dtype)
    return transformer, config


def load_autoencoder(config: ModelConfig) -> PublishedAutoencoder:
    """The published autoencoder, on the CPU or where the model's ``memory`` has it."""
    base = Source(str(config.base), config.licence)
    refuse_other_config(config.autoencoder, base.folder() / 'vae' / 'config.json', base)
    with parts_of(config.name), init_empty_weights(include_buffers=False):
        autoencoder = PublishedAutoencoder(**config.autoencoder)
    assign(autoencoder, _part(base, 'vae'), config.memory.dtype(), config.memory.loading_device())
    return autoencoder.eval()


def load_text(config: ModelConfig, room: float = math.inf) -> PromptEncoder | None:
    """What embeds prompts for this model; it reads its weights when the first prompt comes.

    room: bytes that the other parts still need where it computes; it stays there if it leaves so much free.
    """
    if config.text is None:
        return None
    base = Source(str(config.base), config.licence)
    refuse_other_config(config.text, base.folder() / 'text_encoder' / 'config.json', base)
    return PromptEncoder(base.folder(), config.transformer['max_text_seq_length'], config.memory, room)


def _part(source: Source, name: str) -> Checkpoint:
    return read_checkpoint(source.folder() / name, source)


def _transformer(config: ModelConfig, folder: Path, source: Source) -> Checkpoint:
    """The checkpoint of a published transformer, whose configuration must be the model's."""
    file = folder / 'config.json'
    published = read_json(file) if file.is_file() else {}
    newer = {name: value for name in NEWER if (value := published.get(name)) is not None}
    if newer:
        raise ModelError(
            f'{file}: expected CogVideoX 1.0 (THUDM/CogVideoX-5b-I2V), got CogVideoX 1.5 '
            f'({", ".join(f"{k} {v}" for k, v in newer.items())}), which is not supported'
        )
    refuse_other_config(config.transformer, file, source)
    return read_checkpoint(folder, source)


def _controlled(config: ModelConfig, control: Source) -> tuple[Checkpoint, ModelConfig]:
    """The whole transformer's checkpoint with the branch of ``control``, and the configuration that fits it.

    A folder that our training left holds only the branch, its backbone is the base's; one of Diffusion-as-Shader (the
    pipeline's folder or the transformer's) holds both.
    """
    folder = control.folder()
    if (folder / CONTROL).is_file():
        trained = read_config(str(folder))
        config = replace(config, transformer=trained.transformer, conditions=trained.conditions)
        base = Source(str(config.base), config.licence)
        checkpoint = _transformer(config, base.folder() / 'transformer', base) | read_files([folder / CONTROL])
    else:
        folder = folder / 'transformer' if (folder / 'transformer').is_dir() else folder
        checkpoint = _transformer(config, folder, control)
    branch = branch_of(checkpoint)
    if not branch['control_blocks']:
        raise ModelError(f'{folder}: expected the weights of a control branch (combine_linears), found none')
    points = any(key.startswith(POINTS) for key in checkpoint.shapes)
    return checkpoint, replace(
        config,
        transformer=config.transformer | branch,
        conditions=[name for name in config.conditions if points or name == 'tracking'],
    )


def branch_of(checkpoint: Checkpoint) -> dict[str, Any]:
    """The blocks and the form of a checkpoint's branch, as its keys show them."""
    return {
        'control_blocks': sum(k.startswith('combine_linears.') and k.endswith('.weight') for k in checkpoint.shapes),
        'control_form': 'das' if 'initial_combine_linear.weight' in checkpoint.shapes else 'controlnet',
    }


def _fill(
    config: ModelConfig, checkpoint: Checkpoint, may_lack: Callable[[str], bool], device: torch.device
) -> ControlledCogVideoX:
    """The transformer with the weights of a checkpoint; what may lack starts so that it changes nothing.

    That is behind the branch's zero layers, and beside a trained branch behind a point branch's zero embedding.
    """
    with parts_of(config.name), init_empty_weights(include_buffers=False):
        model = ControlledCogVideoX(**config.transformer)
    assign(model, checkpoint, config.memory.dtype(), device, may_lack=may_lack)
    like = model.proj_out.weight
    for base, copy in zip(model.transformer_blocks, model.transformer_blocks_copy, strict=False):
        if next(copy.parameters()).is_meta:
            copy.load_state_dict({k: v.clone() for k, v in base.state_dict().items()}, assign=True)
    points: list[nn.Module] = []
    if config.transformer.get('point_branch', True):
        points = [module for part in (model.point_encoder, model.point_to_grid) for module in part.modules()]
    zeroed = model.zero_layers()
    if points:
        (zeroed if branch_of(checkpoint)['control_blocks'] else points).append(model.condition_embed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for module in (*points, *zeroed):
            untrained = [n for n, p in module.named_parameters(recurse=False) if p.is_meta]
            for name in untrained:
                shape = getattr(module, name).shape
                setattr(module, name, nn.Parameter(torch.zeros(shape, dtype=like.dtype)))
            if untrained and module not in zeroed:
                module.reset_parameters()
    return model.to(like.device).eval()


def weight_files(config: ModelConfig) -> dict[str, Path]:
    """Every weight file of a model with a published backbone, by its source's name and its place there.

    ModelError names all sources that are not there, before anything is read.
    """
    if config.control is None:
        raise ModelError(
            f'model {config.name}: expected a trained branch in its field `control`, got none; train one '
            '(hoigen train video --help) or name one: hoigen link --control'
        )
    base, control = (Source(str(name), config.licence) for name in (config.base, config.control))
    refuse_missing(base, control)
    files = [*_controlled(config, control)[0].files, *_part(base, 'vae').files]
    if config.text is not None:
        files += _part(base, 'text_encoder').files
    roots = {control.folder(): control.label(), base.folder(): base.label()}
    return {
        f'{label}/{path.relative_to(root)}': path
        for root, label in roots.items()
        for path in files
        if path.is_relative_to(root)
    }


def blank_tracking_branch(folder: Path) -> ControlledCogVideoX:
    """A transformer with the keys of the released branch in ``folder``; its configuration lies there."""
    checkpoint = read_checkpoint(folder, Source(str(folder), 'as the branch'))
    branch = branch_of(checkpoint)
    branch['control_blocks'] = max(branch['control_blocks'], 1)
    ours = inspect.signature(ControlledCogVideoX).parameters
    config = {k: v for k, v in ControlledCogVideoX.load_config(folder).items() if k in ours}
    return ControlledCogVideoX(**config | branch | {'point_branch': False})
