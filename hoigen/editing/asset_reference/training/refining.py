"""Train the refiner on what the trained model makes of noisy examples."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from hoigen.editing.asset_reference.conditions import AssetViews, is_asset
from hoigen.editing.asset_reference.look import looked_up
from hoigen.editing.asset_reference.training.objective import AssetObjective
from hoigen.editing.flux.codec_training import dissimilarity
from hoigen.editing.flux.tokens import decode
from hoigen.editing.flux_insertion.conditions import as_signed, as_uint8
from hoigen.editing.flux_insertion.refiner import Refiner
from hoigen.editing.flux_insertion.training.refining import RefinerLoss
from hoigen.training.loop import Batch, Objective

__all__ = ['AssetRefinerObjective']

TIMES = (0.2, 0.8)
"""How noisy the examples are: what the model makes of them is as blurred as its own pictures, and shows the same pose
as the example."""


class AssetRefinerObjective(Objective):
    """The example's picture, from the model's and from what the model's point map looks up on the asset."""

    def __init__(self, refiner: Refiner, source: AssetObjective, loss: RefinerLoss) -> None:
        super().__init__()
        self.refiner, self.clips = refiner, source.clips
        self._source, self._loss = (source,), loss  # in a tuple: no part of what is trained

    def example(self, index: int, generator: torch.Generator) -> Batch:
        return self._source[0].example(index, generator)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        seen = self._seen(batch)
        target = batch['targets'][:, 0]
        refined = self.refiner(*seen).float()
        paint = (batch['targets'][:, 1] < 1).any(1, keepdim=True).float()
        weight = 1 + self._loss.paint * F.max_pool2d(paint, 5, 1, 2)
        weight = weight / weight.mean((1, 2, 3), keepdim=True)
        l1 = ((refined - target).abs() * weight).mean((1, 2, 3))
        dssim = (dissimilarity(refined, target) * weight).mean((1, 2, 3))
        before = ((seen[0] - target).abs() * weight).mean((1, 2, 3))
        return {'loss': l1 + self._loss.ssim * dssim, 'l1': l1, 'before': before}

    @torch.no_grad()
    def _seen(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """What the refiner reads: the model's picture, the colours looked up, how sure they are, the asset's mask."""
        source = self._source[0]
        target, velocity = source.prepared(batch)
        t = TIMES[0] + (TIMES[1] - TIMES[0]) * batch['t']
        noisy = (1 - t[:, None, None]) * target + t[:, None, None] * batch['noise']
        clean = noisy - t[:, None, None] * velocity(noisy, t).float()
        side = round((clean.shape[1] // 2) ** 0.5)
        both = decode(source.autoencoder, clean.unflatten(1, (2, -1)).flatten(0, 1), side, side).float()
        painted, colours = both.unflatten(0, (-1, 2)).unbind(1)
        maps, views = _bytes(colours), _bytes(batch['views'])
        found = [looked_up(one, AssetViews(*of)) for one, of in zip(maps, views, strict=True)]
        known = torch.from_numpy(np.stack([as_signed(picture) for picture, _ in found])).permute(0, 3, 1, 2)
        sure = torch.from_numpy(np.stack([share for _, share in found]))[:, None]
        mask = torch.from_numpy(is_asset(maps).astype(np.float32))[:, None]
        return painted, *(part.to(painted.device) for part in (known, sure, mask))


def _bytes(pictures: Tensor) -> np.ndarray:
    """uint8 [...,S,S,3] of pictures [...,3,S,S] in [-1, 1]."""
    return as_uint8(pictures.movedim(-3, -1).float().cpu().numpy())
