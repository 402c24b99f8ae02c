"""``hoigen train asset``: the stages that make an asset-referenced model, each resumable (RefAny3D, 4.1)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from hoigen.editing.asset_reference.aligned import perceptual
from hoigen.editing.asset_reference.loading import FILES, build_parts
from hoigen.editing.asset_reference.options import STAGES, Stage, TrainAssetConfig
from hoigen.editing.asset_reference.training.examples import AssetExamples
from hoigen.editing.asset_reference.training.objective import AssetObjective
from hoigen.editing.asset_reference.training.refining import AssetRefinerObjective
from hoigen.editing.asset_reference.training.scenes import ScenesConfig, make_scenes
from hoigen.editing.asset_reference.training.start import start_from
from hoigen.editing.flux.codec_training import train_autoencoder
from hoigen.editing.flux.configuration import EditConfig, ModelError, read_config, save_config
from hoigen.editing.flux_insertion.training.stages import save_weights
from hoigen.learning.loop import train
from hoigen.models.tensors import load_strictly


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
