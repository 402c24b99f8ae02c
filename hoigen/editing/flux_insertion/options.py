"""Options of training an insertion model; imported without torch, for help."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import tyro

from hoigen.editing.flux.configuration import AutoencoderLoss, read_config
from hoigen.learning.options import Hardware, LoopConfig

Stage = Literal['autoencoder', 'views', 'insertion', 'refiner']
STAGES: tuple[Stage, ...] = ('autoencoder', 'views', 'insertion', 'refiner')


@dataclass(frozen=True)
class InsertionLoss:
    """What a stage learns from."""

    box: float = 0.3
    """Fraction of examples of which only the box about the object is known, 0 to 1."""
    guided: float = 0.5
    """Fraction of the other examples that are given the mesh's own appearance, drawn at the pose, 0 to 1."""
    erased: float = 0.4
    """Fraction of the guided examples in which a part of that appearance is unknown, 0 to 1."""
    nearest: float = 0.5
    """Fraction of examples whose first reference is the view of the most similar rotation, as in use, 0 to 1."""
    removal: float = 0.1
    """Fraction of examples in which an object is removed, 0 to 1."""
    outline: float = 0.4
    """Fraction of stage 1's examples in which the view's outline is given, 0 to 1."""
    terminal: float = 0.3
    """Fraction of examples at pure noise, where few-step sampling starts, 0 to 1."""
    paint: float = 3.0
    """Weight of painted pixels, relative to the rest, less one."""
    recolour: float = 0.5
    """Fraction of examples with permuted colours, 0 to 1."""
    drop_text: float = 0.1
    """Fraction of examples without a caption, 0 to 1."""
    times: Literal['uniform', 'logit_normal'] = 'uniform'
    """Distribution of the noise level; FLUX was trained with logit_normal."""


@dataclass(frozen=True)
class RefinerLoss:
    """Weights of the refiner's loss."""

    ssim: float = 0.3
    """Weight of structural dissimilarity (1 - SSIM of the grey image) beside the L1 loss."""
    paint: float = 4.0
    """Weight of painted pixels, relative to the rest, less one."""


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
