"""``hoigen train asset``: the stages that make an asset-referenced model, each resumable (RefAny3D, 4.1)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import torch
from torch import nn

from hoigen.editing.asset_reference.aligned import perceptual
from hoigen.editing.asset_reference.loading import FILES, build_parts
from hoigen.editing.asset_reference.training.examples import AssetExamples
from hoigen.editing.asset_reference.training.objective import AssetLoss, AssetObjective
from hoigen.editing.asset_reference.training.refining import AssetRefinerObjective
from hoigen.editing.asset_reference.training.scenes import ScenesConfig, make_scenes
from hoigen.editing.asset_reference.training.start import start_from
from hoigen.editing.flux.codec_training import AutoencoderLoss, train_autoencoder
from hoigen.editing.flux.configuration import EditConfig, ModelError, read_config, save_config
from hoigen.editing.flux_insertion.training.refining import RefinerLoss
from hoigen.editing.flux_insertion.training.stages import save_weights
from hoigen.learning.loop import Hardware, LoopConfig, train
from hoigen.models.tensors import load_strictly

Stage = Literal['scenes', 'autoencoder', 'asset', 'refiner']
STAGES: tuple[Stage, ...] = ('scenes', 'autoencoder', 'asset', 'refiner')

SMALL = LoopConfig(steps=1700, schedule='cosine', batch=8, learning_rate=1e-3, ema=0.999, checkpoint_every=300)


@dataclass(frozen=True)
class TrainAssetConfig:
    """Train a small asset-referenced model: simulated scenes, autoencoder, then image and point map together, then
    the refiner of the image.

    Run it again with the same arguments to go on: scenes that are there stay, and training goes on from its last
    checkpoint. The run folder ends as a model that every ``--model`` takes.
    """

    data: Path
    """Folder of the scenes, which are simulated into it."""
    out: Path
    """Run folder: checkpoints, curves, and the trained model."""
    model: str = 'asset-tiny'
    """Model to train; a name in config/editing or a folder."""
    stage: Stage | Literal['all'] = 'all'
    """Stage to run; all: one after the other."""
    scenes: int = 700
    """Scenes to simulate."""
    lpips: Path | None = None
    """AlexNet's published weights; with them scenes are also filtered by perceptual distance."""
    start: Path | None = None
    """Folder of an insertion model of the same sizes whose weights to start from, its autoencoder kept as it is."""
    seed: int = 0
    """Seed of the scenes, the initial weights and everything drawn in training."""
    hardware: Hardware = field(default_factory=Hardware)
    """How the work is done."""
    autoencoder: LoopConfig = field(
        default_factory=lambda: replace(SMALL, steps=600, batch=16, ema=0.99, warmup=50, weight_decay=1e-4)
    )
    """Training of the autoencoder."""
    asset: LoopConfig = SMALL
    """Training of image and point map together."""
    refiner: LoopConfig = field(default_factory=lambda: replace(SMALL, steps=400, ema=0.99, warmup=50))
    """Training of the refiner."""
    autoencoder_loss: AutoencoderLoss = field(default_factory=AutoencoderLoss)
    """The autoencoder's loss."""
    loss: AssetLoss = field(default_factory=AssetLoss)
    """What image and point map are learnt from."""
    refiner_loss: RefinerLoss = field(default_factory=RefinerLoss)
    """The refiner's loss."""


def run(config: TrainAssetConfig) -> None:
    """Run the asked stages."""
    model = read_config(config.model)
    if model.words is None:
        raise ModelError(f'model: expected one that is trained from nothing (with a word table), got {model.name}')
    torch.manual_seed(config.seed)
    stages = STAGES if config.stage == 'all' else (config.stage,)
    if 'scenes' in stages:
        sizes = ScenesConfig(model.size, model.references, model.reference_side)
        distance = None if config.lpips is None else perceptual(config.lpips)
        make_scenes(sizes, config.data, config.scenes, config.seed, distance)
    if config.hardware.accelerator().is_main_process:
        save_config(model, config.out)
    if set(stages) - {'scenes'}:
        _train(config, model, stages)


def _train(config: TrainAssetConfig, model: EditConfig, stages: tuple[Stage, ...]) -> None:
    examples, hardware = AssetExamples(config.data), config.hardware
    parts, autoencoder, refiner = build_parts(model)
    if config.start is not None:
        start_from(parts, autoencoder, config.start)
        save_weights(autoencoder, config.out / FILES[1], hardware)
    elif 'autoencoder' in stages:
        loop = replace(config.autoencoder, seed=config.seed)
        train_autoencoder(autoencoder, examples, config.out, loop, config.autoencoder_loss, hardware)
        save_weights(autoencoder, config.out / FILES[1], hardware)
    _need(autoencoder, config.out / FILES[1], 'autoencoder')
    objective = AssetObjective(parts, autoencoder.requires_grad_(False).eval(), examples, config.loss)
    if 'asset' in stages:
        train('asset', objective, config.out, replace(config.asset, seed=config.seed), hardware)
        save_weights(parts, config.out / FILES[0], hardware)
    if 'refiner' in stages:
        _need(parts, config.out / FILES[0], 'asset')
        parts.requires_grad_(False).eval()
        mending = AssetRefinerObjective(refiner, objective, config.refiner_loss)
        train('refiner', mending, config.out, replace(config.refiner, seed=config.seed), hardware)
        save_weights(refiner, config.out / FILES[2], hardware)


def _need(module: nn.Module, path: Path, stage: Stage) -> None:
    """Load what an earlier stage left."""
    if not path.is_file():
        raise ModelError(
            f'{path}: expected the weights of stage {stage!r}, found none; run it first: '
            f'hoigen train asset --stage {stage}'
        )
    load_strictly(module, path)
