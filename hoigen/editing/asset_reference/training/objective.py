"""What the asset-referenced model learns: a picture and its point map, denoised together."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from hoigen.editing.asset_reference.loading import Parts
from hoigen.editing.asset_reference.model import Layout, Views
from hoigen.editing.asset_reference.options import AssetLoss
from hoigen.editing.asset_reference.training.examples import AssetExamples
from hoigen.editing.conditions import as_signed
from hoigen.learning.loop import Batch, Objective
from hoigen.models.flux import Autoencoder, Velocity, encode
from hoigen.models.text import LENGTH

__all__ = ['AssetObjective']

BLACK = -1.0
"""Views that show nothing."""


class AssetObjective(Objective):
    """Flow matching: predict the velocity (noise minus tokens) of noisy picture and point map at one time."""

    clips: AssetExamples

    def __init__(self, parts: Parts, autoencoder: Autoencoder, examples: AssetExamples, loss: AssetLoss) -> None:
        super().__init__()
        self.parts, self.clips, self._loss = parts, examples, loss
        self._autoencoder = [autoencoder]  # in a list: no part of what is trained
        token = 2 * autoencoder.pixels
        views = examples.arrays['views']
        self._layout = Layout(LENGTH, examples.arrays['rgb'].shape[1] // token, views.shape[1], views.shape[2] // token)

    @property
    def autoencoder(self) -> Autoencoder:
        return self._autoencoder[0]

    def example(self, index: int, generator: torch.Generator) -> Batch:
        arrays, loss = self.clips.arrays, self._loss
        thing, chance = arrays['thing'][index], torch.rand(5, generator=generator).tolist()
        target = torch.from_numpy(as_signed(arrays['rgb'][index]))
        views = torch.from_numpy(as_signed(arrays['views'][thing]))
        caption = arrays['caption'][index]
        if chance[0] < loss.recolour:
            order = torch.randperm(3, generator=generator)
            target, views, caption = target[..., order], views[..., order], arrays['plain'][index]
        points, view_points = (
            torch.from_numpy(as_signed(arrays[name][number]))
            for name, number in (('points', index), ('view_points', thing))
        )
        if chance[1] < loss.drop_views:
            views, view_points = torch.full_like(views, BLACK), torch.full_like(view_points, BLACK)
        shows = (points < 1).any(-1)[None].float()
        width = self.parts.asset.transformer.config.in_channels
        return {
            'targets': _channels_first(torch.stack([target, points])),
            'views': _channels_first(torch.stack([views, view_points])),
            'words': self.parts.words.numbers(['' if chance[2] < loss.drop_text else str(caption)])[0],
            'weight': 1 + loss.object * F.adaptive_avg_pool2d(shows, self._layout.side).flatten().repeat(2),
            't': torch.tensor(1.0 if chance[3] < loss.terminal else chance[4]),
            'noise': torch.randn(2 * self._layout.picture, width, generator=generator),
        }

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        t = batch['t'][:, None, None]
        target, velocity = self.prepared(batch)
        predicted = velocity((1 - t) * target + t * batch['noise'], batch['t'])
        error = (predicted.float() - (batch['noise'] - target)).square().mean(-1)
        weighted = (error * batch['weight'] / batch['weight'].mean(1, keepdim=True)).mean(1)
        picture, points = error.unflatten(1, (2, -1)).mean(2).unbind(1)
        return {'loss': weighted, 'picture': picture, 'points': points}

    def prepared(self, batch: Batch) -> tuple[Tensor, Velocity]:
        """Tokens [B,2T,D] of picture and point map, and the model with everything but noisy tokens and time given."""
        with torch.no_grad():
            target = self._tokens(batch['targets']).flatten(1, 2)
            tokens = self._tokens(batch['views'].flatten(1, 2)).unflatten(1, (2, -1))
        text, pooled = self.parts.words(batch['words'])
        views = Views(tokens[:, 0], tokens[:, 1])
        return target, lambda x, t: self.parts.asset(x, views, t, text, pooled, self._layout)

    def _tokens(self, pictures: Tensor) -> Tensor:
        """[B,K,T,D] float32 of pictures [B,K,3,S,S]."""
        return encode(self.autoencoder, pictures.flatten(0, 1)).unflatten(0, pictures.shape[:2]).float()


def _channels_first(pictures: Tensor) -> Tensor:
    return pictures.movedim(-1, -3).contiguous()
