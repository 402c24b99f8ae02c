"""``hoigen train insertion``: the stages that make an insertion model, each resumable (SpatialHand, key design 4)."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import torch
import tyro
from torch import nn

from hoigen.editing.flux.codec_training import AutoencoderLoss, train_autoencoder
from hoigen.editing.flux.configuration import EditConfig, ModelError, read_config, save_config
from hoigen.editing.flux_insertion.loading import FILES, build_parts
from hoigen.editing.flux_insertion.training.examples import ExampleSet
from hoigen.editing.flux_insertion.training.objective import InsertionLoss, InsertionObjective
from hoigen.editing.flux_insertion.training.published import train_published
from hoigen.editing.flux_insertion.training.refining import RefinerLoss, RefinerObjective
from hoigen.learning.checkpoint import whole
from hoigen.learning.loop import Hardware, LoopConfig, train
from hoigen.models.tensors import load_strictly, save_tensors

Stage = Literal['autoencoder', 'views', 'insertion', 'refiner']
STAGES: tuple[Stage, ...] = ('autoencoder', 'views', 'insertion', 'refiner')
LEARNT: tuple[tuple[Literal[1, 2], Stage], ...] = ((1, 'views'), (2, 'insertion'))
"""The paper's stages by its numbers: all that a published FLUX needs."""


@dataclass(frozen=True)
class TrainInsertionConfig:
    """Train one stage of an insertion model, or all that it has, one after the other.

    Stage 0 is the pre-trained FLUX with UNO's LoRA (full size) or the autoencoder (tiny); views is the paper's stage 1:
    novel views of objects alone; insertion its stage 2; the refiner (tiny) mends what that paints. Run it again with
    the same arguments to go on from the last checkpoint. The run folder ends as a model that every ``--model`` takes.
    Without the stage views, insertion starts from nothing (the paper's ablation).
    """

    data: Path
    """Folder of scenes (`hoigen edit data`)."""
    out: Path
    """Run folder: checkpoints, curves, and the trained model."""
    model: str = 'insertion-tiny'
    """Model to train; a name in config/editing or a folder."""
    stage: Stage | Literal['all'] = 'all'
    """Stage to train; all: those that the model has, in order."""
    seed: int = 0
    """Seed of the initial weights and of everything drawn in training."""
    hardware: Hardware = field(default_factory=Hardware)
    """How the work is done."""
    autoencoder: LoopConfig = field(default_factory=LoopConfig)
    """Training of the autoencoder."""
    views: LoopConfig = field(default_factory=LoopConfig)
    """Training of stage views."""
    insertion: LoopConfig = field(default_factory=LoopConfig)
    """Training of stage insertion."""
    refiner: LoopConfig = field(default_factory=LoopConfig)
    """Training of the refiner."""
    autoencoder_loss: AutoencoderLoss = field(default_factory=AutoencoderLoss)
    """The autoencoder's loss."""
    loss: InsertionLoss = field(default_factory=InsertionLoss)
    """What views and insertion learn from."""
    refiner_loss: RefinerLoss = field(default_factory=RefinerLoss)
    """The refiner's loss."""


def recipe(model: str = 'insertion-tiny', **given: Any) -> TrainInsertionConfig:
    """The configuration that a model is trained with: the paper's at full size, ours for models learnt from nothing."""
    where = {'data': tyro.MISSING, 'out': tyro.MISSING, 'model': model}
    if read_config(model).base is not None:
        return TrainInsertionConfig(
            **{
                **where,
                'hardware': Hardware(checkpointing=True),
                'views': LoopConfig(steps=60_000, batch=8),
                'insertion': LoopConfig(steps=20_000, batch=8),
                'loss': InsertionLoss(terminal=0.0, times='logit_normal', recolour=0.0),
                **given,
            }
        )
    small = LoopConfig(schedule='cosine', batch=8, learning_rate=6e-4, ema=0.999, checkpoint_every=300)
    return TrainInsertionConfig(
        **{
            **where,
            'views': replace(small, steps=2200),
            'insertion': replace(small, steps=2400),
            'autoencoder': replace(
                small, steps=1000, batch=16, learning_rate=1e-3, ema=0.99, warmup=50, weight_decay=1e-4
            ),
            'refiner': replace(small, steps=500, learning_rate=1e-3, ema=0.99),
            **given,
        }
    )


def recipe_of(arguments: list[str]) -> TrainInsertionConfig:
    """The recipe of the model that a command line names."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument('--model', default='insertion-tiny')
    return recipe(parser.parse_known_args(arguments)[0].model)


def run(config: TrainInsertionConfig) -> None:
    """Run the asked stages."""
    torch.manual_seed(config.seed)
    config = replace(config, **{name: replace(getattr(config, name), seed=config.seed) for name in STAGES})
    model, examples = read_config(config.model), ExampleSet(config.data)
    if examples.views.shape[2] != model.size:
        raise ModelError(
            f'{config.data}: expected pictures of {model.size} pixels for {model.name}, got '
            f'{examples.views.shape[2]}; make others: hoigen edit data --size {model.size}'
        )
    stages = STAGES if config.stage == 'all' else (config.stage,)
    if config.hardware.accelerator().is_main_process:
        save_config(model, config.out)
    if model.base is None:
        _train_small(config, model, examples, stages)
        return
    lengths = [(number, stage, getattr(config, stage)) for number, stage in LEARNT if stage in stages]
    if not lengths:
        raise ModelError(f'stage: expected {LEARNT[0][1]} or {LEARNT[1][1]} for {model.name}, got {config.stage}')
    train_published(model, examples, config.out, config.loss, config.hardware, lengths)


def _train_small(
    config: TrainInsertionConfig, model: EditConfig, examples: ExampleSet, stages: tuple[Stage, ...]
) -> None:
    parts, autoencoder, refiner = build_parts(model)
    if 'autoencoder' in stages:
        train_autoencoder(
            autoencoder, examples, config.out, config.autoencoder, config.autoencoder_loss, config.hardware
        )
        save_weights(autoencoder, config.out / FILES[1], config.hardware)
    _need(autoencoder, config.out / FILES[1], 'autoencoder')
    autoencoder.requires_grad_(False).eval()
    if (config.out / FILES[0]).is_file():
        load_strictly(parts, config.out / FILES[0])
    for number, stage in LEARNT:
        if stage in stages:
            objective = InsertionObjective(parts, autoencoder, examples, config.loss, number, model.references)
            train(stage, objective, config.out, getattr(config, stage), config.hardware)
            save_weights(parts, config.out / FILES[0], config.hardware)
    if 'refiner' in stages:
        _need(parts, config.out / FILES[0], 'insertion')
        source = InsertionObjective(
            parts.requires_grad_(False).eval(), autoencoder, examples, config.loss, 2, model.references
        )
        objective = RefinerObjective(refiner, source, autoencoder, config.refiner_loss, model.steps)
        train('refiner', objective, config.out, config.refiner, config.hardware)
        save_weights(refiner, config.out / FILES[2], config.hardware)


def save_weights(module: nn.Module, path: Path, hardware: Hardware) -> None:
    """Write the weights, gathered where they are sharded."""
    accelerator = hardware.accelerator()
    tensors = {name: whole(tensor) for name, tensor in module.state_dict().items()}
    if accelerator.is_main_process:
        save_tensors(tensors, path)
    accelerator.wait_for_everyone()


def _need(module: nn.Module, path: Path, stage: Stage) -> None:
    """Load what an earlier stage left."""
    if not path.is_file():
        raise ModelError(
            f'{path}: expected the weights of stage {stage!r}, found none; run it first: '
            f'hoigen train insertion --stage {stage}'
        )
    load_strictly(module, path)
