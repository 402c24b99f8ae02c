"""Random draws whose values never meet across splits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

SPLITS = ('train', 'heldout')
HELDOUT_CELLS = (1, 4, 8)
CELLS = 10

T = TypeVar('T')


class Draws:
    """A seeded stream of one split.

    ``look`` draws (colours, sizes, proportions) fall into cells of the unit interval that belong to this split alone:
    tenths 1, 4 and 8 to 'heldout', the others to 'train'. ``free`` draws (places, motion) may take any value.
    """

    def __init__(self, split: str, *key: int) -> None:
        self.split = split
        self.rng = np.random.default_rng(np.random.SeedSequence((SPLITS.index(split), *key)))
        self._cells = [c for c in range(CELLS) if (c in HELDOUT_CELLS) == (split == 'heldout')]

    def free(self, low: float, high: float) -> float:
        """A value in [low, high), uniform."""
        return float(self.rng.uniform(low, high))

    def look(self, low: float, high: float) -> float:
        """A value in [low, high), from this split's cells only."""
        cell = self._cells[int(self.rng.integers(len(self._cells)))]
        return low + (high - low) * (cell + float(self.rng.uniform(0.02, 0.98))) / CELLS

    def pick(self, choices: Sequence[T]) -> T:
        """One of the choices, uniform."""
        return choices[int(self.rng.integers(len(choices)))]

    def chance(self, probability: float) -> bool:
        return bool(self.rng.uniform() < probability)
