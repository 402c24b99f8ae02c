"""Draws: the same for a seed, and never the same look in both splits."""

from __future__ import annotations

import numpy as np

from hoigen.sources.mujoco.draws import Draws
from hoigen.sources.mujoco.objects import SHAPES, make_thing
from hoigen.sources.mujoco.textures import OBJECT_FAMILIES, TABLE_FAMILIES, WALL_FAMILIES


def looks(split: str) -> np.ndarray:
    draws = Draws(split, 7)
    return np.array([draws.look(0, 1) for _ in range(3000)])


def test_looks_of_the_splits_never_meet() -> None:
    """A held-out colour or size lies in an interval from which training draws nothing."""
    train, heldout = np.floor(10 * looks('train')), np.floor(10 * looks('heldout'))
    assert not set(train) & set(heldout)
    assert set(train) | set(heldout) == set(range(10))


def test_free_draws_cover_the_whole_range_in_both_splits() -> None:
    """Places and motions of held-out clips are not confined to a few intervals."""
    for split in ('train', 'heldout'):
        draws = Draws(split, 1)
        assert len({int(10 * draws.free(0, 1)) for _ in range(500)}) == 10


def test_texture_families_of_the_splits_are_disjoint() -> None:
    """A held-out clip's patterns are patterns that training never showed."""
    for families in (TABLE_FAMILIES, WALL_FAMILIES, OBJECT_FAMILIES):
        assert families['train']
        assert families['heldout']
        assert not set(families['train']) & set(families['heldout'])


def test_same_key_same_draws_and_splits_differ() -> None:
    """A seed names one stream in each split."""
    first, again, other = (Draws(split, 3, 4).free(0, 1) for split in ('train', 'train', 'heldout'))
    assert first == again != other


def test_proportions_of_the_splits_differ() -> None:
    """No held-out thing of any shape has a size that a training thing of many has."""
    for shape in SHAPES:
        widths = {
            split: {round(make_thing(shape, Draws(split, seed)).width, 6) for seed in range(20)}
            for split in ('train', 'heldout')
        }
        assert not widths['train'] & widths['heldout'], shape
