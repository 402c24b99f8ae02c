"""The stages that make a model, each resumable, each reading what the one before left in the run folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from diffusers import CogVideoXDPMScheduler
from torch import nn

from hoigen.learning.checkpoint import whole
from hoigen.learning.options import Hardware
from hoigen.models.configuration import CONFIG, save_config
from hoigen.models.hub import ModelError
from hoigen.models.tensors import load_strictly, save_tensors
from hoigen.video.assembly import load_autoencoder, load_text, start_from
from hoigen.video.check import check_clips
from hoigen.video.configuration import ModelConfig, read_config
from hoigen.video.data import ClipSet
from hoigen.video.model import FILES, WEIGHTS, Model, branch_form, build, load_backbone, save_control
from hoigen.video.options import STAGES, Stage, TrainConfig, is_published
from hoigen.video.training.autoencoder import train_autoencoder
from hoigen.video.training.decoder import train_decoder
from hoigen.video.training.diffusion import train_diffusion
from hoigen.video.training.latents import LatentSet
from hoigen.video.transformer import BACKBONE


def run(config: TrainConfig) -> None:
    """Check the clips, then run the asked stages."""
    torch.manual_seed(config.seed)
    config = replace(config, **{name: replace(getattr(config, name), seed=config.seed) for name in STAGES})
    main = config.hardware.accelerator().is_main_process
    clips = ClipSet(config.clips, config.weights)
    model = start_model(config)
    c = model.config
    check_clips(clips.paths, frames=c.frames, height=c.height, width=c.width, cloud=c.cloud, quiet=not main)
    stages = stages_of(config, c)
    if main and ('diffusion' in stages or not (config.out / CONFIG).is_file()):
        save_config(replace(c, conditions=list(config.diffusion_loss.conditions)), config.out)
    for stage in stages:
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
    if c.tracking_colours != 'image':
        raise ModelError(f"model: expected tracking_colours 'image', as clips have them, got {c.tracking_colours!r}")
    if is_published(c):
        transformer, c = start_from(c, config.start)
        model = Model(c, transformer, load_autoencoder(c), CogVideoXDPMScheduler(**c.scheduler), {}, load_text(c))
        if c.memory.tiling:
            model.autoencoder.enable_tiling()
        return model
    model = build(c)
    model.transformer.copy_base_into_branch()
    if config.start is not None:
        folder = Path(config.start) if (Path(config.start) / CONFIG).is_file() else WEIGHTS / config.start
        if branch_form(folder / FILES[0]) == model.transformer.config.control_form:
            load_strictly(model.transformer, folder / FILES[0])
        else:
            print(
                f'{folder}: its branch has another form than that of {c.name}, which starts as a copy of the backbone'
            )
            load_backbone(model.transformer, folder / FILES[0])
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
        model,
        _latents(config, model, clips),
        config.out,
        config.decoder,
        config.decoder_loss,
        config.diffusion_loss,
        config.hardware,
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
