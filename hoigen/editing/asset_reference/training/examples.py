"""The examples of a training set in memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from hoigen.editing.arrays import opened
from hoigen.editing.conditions import as_signed
from hoigen.editing.flux_insertion.training.examples import channels_first, order_of
from hoigen.learning.checkpoint import TrainingError

__all__ = ['AssetExamples']

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
