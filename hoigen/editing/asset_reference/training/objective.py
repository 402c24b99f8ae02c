"""What the asset-referenced model learns: a picture and its point map, denoised together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from hoigen.editing.arrays import opened
from hoigen.editing.asset_reference.loading import Parts
from hoigen.editing.asset_reference.model import Layout, Views
from hoigen.editing.asset_reference.options import AssetLoss
from hoigen.editing.conditions import as_signed
from hoigen.editing.flux_insertion.training.examples import channels_first, order_of
from hoigen.learning.checkpoint import TrainingError
from hoigen.learning.loop import Batch, Objective
from hoigen.models.flux import Autoencoder, Velocity, encode
from hoigen.models.text import LENGTH

OF_EXAMPLE = ('rgb', 'points', 'caption', 'plain')
OF_THING = ('views', 'view_points')


class AssetExamples:
    """All examples of a folder of scenes (``simulate_assets``): ``arrays`` holds its fields, thing counts in views."""

    def __init__(self, folder: Path) -> None:
        paths = sorted(folder.glob('scene_*.npz'))
        if not paths:
            raise TrainingError(f'{folder}: expected scenes (scene_*.npz), found none')
        fields: dict[str, list[np.ndarray]] = {name: [] for name in (*OF_EXAMPLE, *OF_THING, 'thing')}
        things = 0
        for path in paths:
            with opened(path, 'a scene of assets') as scene:
                for name in (*OF_EXAMPLE, *OF_THING):
                    fields[name].append(scene[name])
                fields['thing'].append(scene['thing'] + things)
                things += len(scene['views'])
        self.arrays = {name: np.concatenate(parts) for name, parts in fields.items()}

    def __len__(self) -> int:
        return len(self.arrays['thing'])

    def name(self, index: int) -> str:
        return f'example {index}: {self.arrays["caption"][index]}'

    def order(self, seed: int, count: int) -> np.ndarray:
        return order_of(len(self), seed, count)

    def picture(self, index: int, generator: torch.Generator) -> Tensor:
        """Any of an example's pictures, for the autoencoder: [3,S,S] float32 in [-1, 1]; views are put side by side."""
        kind = ('rgb', 'points', 'views', 'view_points')[int(torch.randint(4, (), generator=generator))]
        if kind in OF_EXAMPLE:
            return channels_first(as_signed(self.arrays[kind][index]))
        views = self.arrays[kind][self.arrays['thing'][index]]
        across = self.arrays['rgb'].shape[1] // views.shape[1]
        chosen = torch.randint(len(views), (across, across), generator=generator)
        rows = views[chosen.numpy()]
        return channels_first(as_signed(np.concatenate(np.concatenate(rows, 1), 1)))


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
