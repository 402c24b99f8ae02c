"""The three stages that make a tiny model, each resumable, each reading what the one before left in the run folder."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import torch

from hoigen.video.data import ClipFolder
from hoigen.video.model import FILES, Model, ModelError, build, load_strictly, read_config, save, save_config
from hoigen.video.training.autoencoder import AutoencoderLoss, train_autoencoder
from hoigen.video.training.decoder import DecoderLoss, train_decoder
from hoigen.video.training.diffusion import DiffusionLoss, LatentClips, train_diffusion
from hoigen.video.training.loop import LoopConfig

Stage = Literal['autoencoder', 'diffusion', 'decoder']


@dataclass(frozen=True)
class TrainConfig:
    """Train one stage of a model, or all three in order.

    Run it again with the same arguments to go on from the last checkpoint. The run folder ends as a model that every
    ``--model`` takes.
    """

    clips: Path
    out: Path
    stage: Stage | Literal['all'] = 'all'
    model: str = 'tiny'
    seed: int = 0
    autoencoder: LoopConfig = field(default_factory=lambda: LoopConfig(steps=3000, learning_rate=1e-3))
    diffusion: LoopConfig = field(default_factory=lambda: LoopConfig(steps=4000, batch=8, learning_rate=6e-4))
    decoder: LoopConfig = field(default_factory=lambda: LoopConfig(steps=800, learning_rate=4e-4))
    autoencoder_loss: AutoencoderLoss = field(default_factory=AutoencoderLoss)
    diffusion_loss: DiffusionLoss = field(default_factory=DiffusionLoss)
    decoder_loss: DecoderLoss = field(default_factory=DecoderLoss)


def run(config: TrainConfig) -> None:
    """Run the asked stages."""
    torch.manual_seed(config.seed)
    clips = ClipFolder(config.clips)
    model = build(read_config(config.model))
    save_config(model.config, config.out)
    transformer, autoencoder = (config.out / name for name in FILES)
    if config.stage in ('autoencoder', 'all'):
        train_autoencoder(model.autoencoder, clips, config.out, config.autoencoder, config.autoencoder_loss)
        save(model.autoencoder, autoencoder)
    if config.stage in ('diffusion', 'all'):
        _need(model.autoencoder, autoencoder, 'autoencoder')
        model.transformer.copy_base_into_branch()
        train_diffusion(model.transformer, _latents(model, clips), model.scheduler, config.out, config.diffusion,
                        config.diffusion_loss)
        save(model.transformer, transformer)
    if config.stage in ('decoder', 'all'):
        _need(model.autoencoder, autoencoder, 'autoencoder')
        _need(model.transformer, transformer, 'diffusion')
        train_decoder(model.autoencoder, model.transformer, clips, _latents(model, clips), model.scheduler,
                      model.config.steps, config.out, config.decoder, config.decoder_loss)
        save(model.autoencoder, autoencoder)


def _latents(model: Model, clips: ClipFolder) -> LatentClips:
    return LatentClips(model.autoencoder, clips, cloud=model.config.cloud, tokens=model.config.tokens)


def _need(module: torch.nn.Module, path: Path, stage: Stage) -> None:
    if not path.is_file():
        raise ModelError(f'{path}: expected the weights of stage {stage!r}, found none; '
                         f'run it first: hoigen train video --stage {stage}')
    load_strictly(module, path)
