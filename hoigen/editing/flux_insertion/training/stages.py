"""``hoigen train insertion``: the stages that make an insertion model, each resumable (SpatialHand, key design 4)."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from hoigen.editing.flux.configuration import EditConfig, read_config
from hoigen.editing.flux.training import dissimilarity, load_stage, save_weights, train_autoencoder
from hoigen.editing.flux_insertion.loading import FILES, build_parts
from hoigen.editing.flux_insertion.options import STAGES, RefinerLoss, Stage, TrainInsertionConfig
from hoigen.editing.flux_insertion.training.examples import ExampleSet
from hoigen.editing.flux_insertion.training.objective import InsertionObjective
from hoigen.editing.flux_insertion.training.published import train_published
from hoigen.learning.loop import Batch, Objective, train
from hoigen.models.configuration import save_config
from hoigen.models.flux import Autoencoder, Refiner, decode, sample, schedule
from hoigen.models.hub import ModelError
from hoigen.models.tensors import load_strictly


class RefinerObjective(Objective):
    """The picture that was meant, from the one that the model paints in as many steps as in use."""

    def __init__(
        self, refiner: Refiner, source: InsertionObjective, autoencoder: Autoencoder, loss: RefinerLoss, steps: int
    ) -> None:
        super().__init__()
        self.refiner, self.clips = refiner, source.clips
        self._source, self._autoencoder, self._loss, self._steps = (source,), (autoencoder,), loss, steps

    def example(self, index: int, generator: torch.Generator) -> Batch:
        return self._source[0].example(index, generator)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        painted = self._painted(batch)
        refined = self.refiner(painted, batch['masked'], batch['depth'][:, :1], batch['paint']).float()
        weight = 1 + self._loss.paint * F.max_pool2d(batch['paint'], 5, 1, 2)
        weight = weight / weight.mean((1, 2, 3), keepdim=True)
        l1 = ((refined - batch['target']).abs() * weight).mean((1, 2, 3))
        dssim = (dissimilarity(refined, batch['target']) * weight).mean((1, 2, 3))
        before = ((painted - batch['target']).abs() * weight).mean((1, 2, 3))
        return {'loss': l1 + self._loss.ssim * dssim, 'l1': l1, 'before': before}

    @torch.no_grad()
    def _painted(self, batch: Batch) -> Tensor:
        target, velocity = self._source[0].prepared(batch)
        tokens = sample(velocity, batch['noise'], schedule(self._steps, target.shape[1]))
        side = round(target.shape[1] ** 0.5)
        return decode(self._autoencoder[0], tokens, side, side).float()


LEARNT: tuple[tuple[Literal[1, 2], Stage], ...] = ((1, 'views'), (2, 'insertion'))
"""The paper's stages by its numbers: all that a published FLUX needs."""


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
    load_stage(autoencoder, config.out / FILES[1], 'hoigen train insertion --stage autoencoder')
    autoencoder.requires_grad_(False).eval()
    if (config.out / FILES[0]).is_file():
        load_strictly(parts, config.out / FILES[0])
    for number, stage in LEARNT:
        if stage in stages:
            objective = InsertionObjective(parts, autoencoder, examples, config.loss, number, model.references)
            train(stage, objective, config.out, getattr(config, stage), config.hardware)
            save_weights(parts, config.out / FILES[0], config.hardware)
    if 'refiner' in stages:
        load_stage(parts, config.out / FILES[0], 'hoigen train insertion --stage insertion')
        source = InsertionObjective(
            parts.requires_grad_(False).eval(), autoencoder, examples, config.loss, 2, model.references
        )
        objective = RefinerObjective(refiner, source, autoencoder, config.refiner_loss, model.steps)
        train('refiner', objective, config.out, config.refiner, config.hardware)
        save_weights(refiner, config.out / FILES[2], config.hardware)
