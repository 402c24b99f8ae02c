"""Train the refiner on what the trained model makes of noisy examples."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from hoigen.editing.asset_reference.conditions import AssetViews
from hoigen.editing.asset_reference.look import AssetRefiner
from hoigen.editing.asset_reference.training.objective import AssetObjective
from hoigen.editing.conditions import as_uint8
from hoigen.editing.flux.codec_training import dissimilarity
from hoigen.editing.flux_insertion.options import RefinerLoss
from hoigen.learning.loop import Batch, Objective
from hoigen.models.flux import decode

__all__ = ['AssetRefinerObjective']

TIMES = (0.2, 0.8)
"""How noisy the examples are: what the model makes of them is as blurred as its own pictures, and shows the same pose
as the example."""


class AssetRefinerObjective(Objective):
    """The example's picture and point map, from the model's."""

    def __init__(self, refiner: AssetRefiner, source: AssetObjective, loss: RefinerLoss) -> None:
        super().__init__()
        self.refiner, self.clips = refiner, source.clips
        self._source, self._loss = (source,), loss  # in a tuple: no part of what is trained

    def example(self, index: int, generator: torch.Generator) -> Batch:
        return self._source[0].example(index, generator)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        painted = self._painted(batch).unbind(1)
        views = [AssetViews(*as_uint8(of.movedim(-3, -1).float().cpu().numpy())) for of in batch['views']]
        shows = (batch['targets'][:, 1] < 1).any(1, keepdim=True).float()
        weight = 1 + self._loss.paint * F.max_pool2d(shows, 5, 1, 2)
        weight = weight / weight.mean((1, 2, 3), keepdim=True)
        terms = {'loss': torch.zeros(len(shows), device=shows.device)}
        for name, before, after, target in zip(
            ('picture', 'points'), painted, self.refiner(*painted, views), batch['targets'].unbind(1), strict=True
        ):
            l1 = ((after.float() - target).abs() * weight).mean((1, 2, 3))
            dssim = (dissimilarity(after.float(), target) * weight).mean((1, 2, 3))
            terms['loss'] = terms['loss'] + l1 + self._loss.ssim * dssim
            terms |= {name: l1, f'{name}_before': ((before - target).abs() * weight).mean((1, 2, 3))}
        return terms

    @torch.no_grad()
    def _painted(self, batch: Batch) -> Tensor:
        """What the model makes of the example with some noise: pictures and point maps [B,2,3,S,S]."""
        source = self._source[0]
        target, velocity = source.prepared(batch)
        t = TIMES[0] + (TIMES[1] - TIMES[0]) * batch['t']
        noisy = (1 - t[:, None, None]) * target + t[:, None, None] * batch['noise']
        clean = noisy - t[:, None, None] * velocity(noisy, t).float()
        side = round((clean.shape[1] // 2) ** 0.5)
        both = decode(source.autoencoder, clean.unflatten(1, (2, -1)).flatten(0, 1), side, side).float()
        return both.unflatten(0, (-1, 2))
