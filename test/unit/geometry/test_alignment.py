"""Similarity and rigid alignment by their laws."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hoigen.geometry.alignment import align

NUMBERS = st.floats(-1, 1, allow_nan=False)


def turned(seed: int) -> np.ndarray:
    q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    return q * np.sign(np.linalg.det(q))


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 1000), st.floats(0.1, 10), st.tuples(NUMBERS, NUMBERS, NUMBERS))
def test_finds_the_transform_that_was_applied(seed: int, scale: float, shift: tuple[float, float, float]) -> None:
    """Points carried by a similarity come back exactly, whatever it was, never mirrored."""
    points, rotation = np.random.default_rng(seed + 1).normal(size=(8, 3)), turned(seed)
    onto = scale * points @ rotation.T + shift
    found = align(points, onto)
    assert found(points) == pytest.approx(onto, abs=1e-9 * (1 + scale))
    assert found.scale == pytest.approx(scale)
    assert np.linalg.det(found.rotation) == pytest.approx(1)


def test_without_scale_it_is_rigid_and_weights_rule_out() -> None:
    """A point of weight 0 has no say; without a scale lengths stay."""
    points = np.random.default_rng(0).normal(size=(6, 3))
    onto = points + np.array([1.0, 2, 3])
    onto[0] += 100
    weights = np.array([0.0, 1, 1, 1, 1, 1])
    found = align(points, onto, weights, scaled=False)
    assert found.scale == 1
    assert found(points[1:]) == pytest.approx(onto[1:])


def test_flat_points_are_not_mirrored() -> None:
    """Points on a plane fit a turn and its mirror alike: the turn is taken."""
    points = np.random.default_rng(1).normal(size=(9, 3)) * (1, 1, 0)
    rotation = turned(4)
    found = align(points, points @ rotation.T)
    assert np.linalg.det(found.rotation) == pytest.approx(1)
    assert found(points) == pytest.approx(points @ rotation.T)


def test_too_few_points_are_refused() -> None:
    """Two points do not say how to turn."""
    with pytest.raises(ValueError, match='at least 3'):
        align(np.zeros((2, 3)), np.zeros((2, 3)))
