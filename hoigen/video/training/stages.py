"""The stages that make a model, each resumable, each reading what the one before left in the run folder."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import torch
import tyro
from diffusers import CogVideoXDPMScheduler
from torch import nn

from hoigen.learning.checkpoint import whole
from hoigen.learning.loop import Hardware, LoopConfig
from hoigen.models.configuration import CONFIG
from hoigen.models.tensors import load_strictly, save_tensors
from hoigen.video.check import check_clips
from hoigen.video.data import ClipSet
from hoigen.video.model import (
    FILES,
    WEIGHTS,
    Model,
    ModelConfig,
    build,
    load_autoencoder,
    load_text,
    read_config,
    save_config,
    save_control,
    start_from,
)
from hoigen.video.training.autoencoder import AutoencoderLoss, train_autoencoder
from hoigen.video.training.decoder import DecoderLoss, train_decoder
from hoigen.video.training.diffusion import DiffusionLoss, train_diffusion
from hoigen.video.training.latents import LatentSet
from hoigen.video.transformer import BACKBONE
from hoigen.weights import ModelError

Stage = Literal['autoencoder', 'diffusion', 'decoder']
STAGES: tuple[Stage, ...] = ('autoencoder', 'diffusion', 'decoder')


@dataclass(frozen=True)
class TrainConfig:
    """Train one stage of a model, or all that it has, one after the other.

    Run it again with the same arguments to go on from the last checkpoint. The run folder ends as a model that every
    ``--model`` takes. Settings are by default those of the model's recipe, which --help shows; with ``--model MODEL
    --help`` that of another model.
    """

    clips: tuple[Path, ...]
    """One or several folders of clips (`hoigen clips`)."""
    out: Path
    """Run folder: checkpoints, curves, and the trained model."""
    weights: tuple[float, ...] = ()
    """How often each folder of clips is drawn from against the others; none: every clip equally often."""
    model: str = 'cogvideox-5b'
    """Model to train; a name in config/models or a folder."""
    start: str | None = None
    """Model or folder whose weights to train on from; a published backbone takes a branch, none: a new one."""
    stage: Stage | Literal['all'] = 'all'
    """Stage to train; all: those that the model has, in order."""
    seed: int = 0
    """Seed of the initial weights and of everything drawn in training."""
    cache: Path | None = None
    """Folder where the clips' latents are kept; none: beside the clips."""
    hardware: Hardware = field(default_factory=lambda: Hardware(checkpointing=True))
    """How the work is done."""
    autoencoder: LoopConfig = field(default_factory=LoopConfig)
    """Training of the autoencoder."""
    diffusion: LoopConfig = field(default_factory=LoopConfig)
    """Training of the diffusion model or of its branch."""
    decoder: LoopConfig = field(default_factory=LoopConfig)
    """Training of the decoder on generated latents."""
    autoencoder_loss: AutoencoderLoss = field(default_factory=AutoencoderLoss)
    """The autoencoder's loss."""
    diffusion_loss: DiffusionLoss = field(default_factory=DiffusionLoss)
    """What the diffusion stage learns from."""
    decoder_loss: DecoderLoss = field(default_factory=DecoderLoss)
    """The decoder's loss."""


def recipe(model: str = 'tiny', **given: Any) -> TrainConfig:
    """The configuration that a model is trained with: the paper's at full size, ours for models learnt from nothing."""
    if is_published(read_config(model)):
        return TrainConfig(**{'clips': tyro.MISSING, 'out': tyro.MISSING, 'model': model, **given})
    small = LoopConfig(schedule='cosine', ema=0.999)
    return TrainConfig(
        **{
            'clips': tyro.MISSING,
            'out': tyro.MISSING,
            'model': model,
            'hardware': Hardware(),
            'autoencoder': replace(small, steps=3000, learning_rate=1e-3),
            'diffusion': replace(small, steps=4000, batch=8, learning_rate=6e-4),
            'decoder': replace(small, steps=800, learning_rate=4e-4),
            'diffusion_loss': DiffusionLoss(terminal=0.4, image_noise=False, train_backbone=True),
            **given,
        }
    )


def recipe_of(arguments: list[str]) -> TrainConfig:
    """The recipe of the model that a command line names."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument('--model', default='tiny')
    return recipe(parser.parse_known_args(arguments)[0].model)


def is_published(config: ModelConfig) -> bool:
    """Whether a model has a published backbone and autoencoder, and so only its branch to learn."""
    return config.base is not None


def run(config: TrainConfig) -> None:
    """Check the clips, then run the asked stages."""
    torch.manual_seed(config.seed)
    config = replace(config, **{name: replace(getattr(config, name), seed=config.seed) for name in STAGES})
    main = config.hardware.accelerator().is_main_process
    clips = ClipSet(config.clips, config.weights)
    model = start_model(config)
    c = model.config
    check_clips(clips.paths, frames=c.frames, height=c.height, width=c.width, cloud=c.cloud, quiet=not main)
    if main:
        save_config(c, config.out)
    for stage in stages_of(config, c):
        {'autoencoder': _autoencoder, 'diffusion': _diffusion, 'decoder': _decoder}[stage](config, model, clips)


def stages_of(config: TrainConfig, model: ModelConfig) -> tuple[Stage, ...]:
    """The stages to run; ModelError if the model has no such one."""
    has: tuple[Stage, ...] = ('diffusion',) if is_published(model) else STAGES
    if config.stage == 'all':
        return has
    if config.stage not in has:
        raise ModelError(f'stage: expected one of {has} for {model.name}, got {config.stage!r}')
    return (config.stage,)


def start_model(config: TrainConfig) -> Model:
    """The parts to train, with the weights to start from."""
    c = read_config(config.model)
    if is_published(c):
        model = Model(
            c, start_from(c, config.start), load_autoencoder(c), CogVideoXDPMScheduler(**c.scheduler), {}, load_text(c)
        )
        if c.memory.tiling:
            model.autoencoder.enable_tiling()
        return model
    model = build(c)
    model.transformer.copy_base_into_branch()
    if config.start is not None:
        folder = Path(config.start) if (Path(config.start) / CONFIG).is_file() else WEIGHTS / config.start
        load_strictly(model.transformer, folder / FILES[0])
        load_strictly(model.autoencoder, folder / FILES[1])
    return model


def _autoencoder(config: TrainConfig, model: Model, clips: ClipSet) -> None:
    train_autoencoder(
        model.autoencoder,
        clips,
        model.config.frames,
        config.out,
        config.autoencoder,
        config.autoencoder_loss,
        config.hardware,
    )
    _save(model.autoencoder, config.out / FILES[1], config.hardware)


def _diffusion(config: TrainConfig, model: Model, clips: ClipSet) -> None:
    if not is_published(model.config):
        _need(config, model.autoencoder, 'autoencoder')
    train_diffusion(
        model, _latents(config, model, clips), config.out, config.diffusion, config.diffusion_loss, config.hardware
    )
    _save(model.transformer, config.out / FILES[0], config.hardware, branch_only=is_published(model.config))


def _decoder(config: TrainConfig, model: Model, clips: ClipSet) -> None:
    _need(config, model.autoencoder, 'autoencoder')
    _need(config, model.transformer, 'diffusion')
    train_decoder(
        model, _latents(config, model, clips), config.out, config.decoder, config.decoder_loss, config.hardware
    )
    _save(model.autoencoder, config.out / FILES[1], config.hardware)


def _latents(config: TrainConfig, model: Model, clips: ClipSet) -> LatentSet:
    return LatentSet(clips, model, config.hardware.accelerator(), config.cache)


def _save(module: nn.Module, path: Path, hardware: Hardware, *, branch_only: bool = False) -> None:
    """Write the weights, gathered where they are sharded; of a published backbone's model only its branch."""
    accelerator = hardware.accelerator()
    tensors = {
        name: whole(tensor)
        for name, tensor in module.state_dict().items()
        if not (branch_only and name.startswith(BACKBONE))
    }
    if accelerator.is_main_process:
        if branch_only:
            save_control(tensors, path.parent)
        else:
            save_tensors(tensors, path)
    accelerator.wait_for_everyone()


def _need(config: TrainConfig, module: nn.Module, stage: Stage) -> None:
    """Load what an earlier stage left, or keep what the run starts from."""
    path = config.out / FILES[0 if stage == 'diffusion' else 1]
    if path.is_file():
        load_strictly(module, path)
    elif config.start is None:
        raise ModelError(
            f'{path}: expected the weights of stage {stage!r}, found none; '
            f'run it first: hoigen train video --stage {stage}'
        )
