"""Train the refiner on what the trained model paints."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from hoigen.editing.flux.codec_training import dissimilarity
from hoigen.editing.flux_insertion.options import RefinerLoss
from hoigen.editing.flux_insertion.refiner import Refiner
from hoigen.editing.flux_insertion.training.objective import InsertionObjective
from hoigen.learning.loop import Batch, Objective
from hoigen.models.flux import Autoencoder, decode, sample, schedule

__all__ = ['RefinerObjective']


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
