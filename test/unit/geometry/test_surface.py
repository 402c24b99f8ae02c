"""Surface samples: even, fixed to the mesh, and the same whenever they are drawn again."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import cKDTree
from synthetic_scene import ball, box

from hoigen.geometry.meshes import mesh_table
from hoigen.geometry.surface import barycentric, sample_surface, seed_of, spread, triangle_areas


def test_counts_follow_area() -> None:
    """A box's faces get samples in proportion to their areas, to within the spread of an even covering."""
    table = mesh_table([box('slab', 'object', (0.4, 0.2, 0.05))])
    samples = sample_surface(table.vertices, table.triangles, 2000, seed_of(0, 'slab'))
    areas = triangle_areas(table.vertices, table.triangles).reshape(2, 6).sum(axis=0)
    counts = np.bincount(samples.triangle, minlength=12).reshape(2, 6).sum(axis=0)
    np.testing.assert_allclose(counts / 2000, areas / areas.sum(), atol=0.03)


def test_samples_lie_on_their_triangles() -> None:
    """Weights are barycentric: none below 0, with sum 1, so that a sample never leaves its triangle."""
    table = mesh_table([ball('ball', 'object', 0.1)])
    samples = sample_surface(table.vertices, table.triangles, 500, seed_of(1, 'ball'))
    assert samples.weights.min() >= 0
    np.testing.assert_allclose(samples.weights.sum(axis=1), 1)
    radius = np.linalg.norm(samples.at(table.vertices, table.triangles), axis=1)
    assert 0.097 < radius.min() <= radius.max() <= 0.1 + 1e-8


def test_every_first_part_covers_the_surface() -> None:
    """Tracks are the first samples: the first 100 of 1,000 leave no hole that purely random ones would."""
    table = mesh_table([ball('ball', 'object', 0.1)])
    places = sample_surface(table.vertices, table.triangles, 1000, seed_of(2, 'ball')).at(
        table.vertices, table.triangles
    )
    probe = np.random.default_rng(0).normal(size=(4000, 3))
    probe *= 0.1 / np.linalg.norm(probe, axis=1, keepdims=True)
    for count in (100, 1000):
        gap, _ = cKDTree(places[:count]).query(probe)
        assert gap.max() < 1.25 * np.sqrt(4 * np.pi * 0.1**2 / count)


def test_the_same_again_and_another_seed_differs() -> None:
    """Same seed and name, same samples; each name and each seed has its own."""
    table = mesh_table([ball('ball', 'object', 0.1)])

    def draw(seed: int, name: str) -> np.ndarray:
        return sample_surface(table.vertices, table.triangles, 50, seed_of(seed, name)).weights

    np.testing.assert_array_equal(draw(3, 'a'), draw(3, 'a'))
    assert not np.array_equal(draw(3, 'a'), draw(3, 'b'))
    assert not np.array_equal(draw(3, 'a'), draw(4, 'a'))


def test_barycentric_inverts_sampling() -> None:
    """The weights of a sample's place are the sample's weights."""
    table = mesh_table([box('slab', 'object', (0.4, 0.2, 0.05))])
    samples = sample_surface(table.vertices, table.triangles, 200, seed_of(0, 'slab'))
    corners = table.vertices[table.triangles[samples.triangle]]
    found = barycentric(samples.at(table.vertices, table.triangles), corners)
    np.testing.assert_allclose(found, samples.weights, atol=1e-9)


def test_spread_takes_the_farthest() -> None:
    """From row 0 of a line of points, the far end comes next, then the middle."""
    assert spread(np.array([[0.0, 0], [1, 0], [2, 0], [4, 0]]), 3).tolist() == [0, 3, 2]


def test_spread_refuses_to_repeat_points() -> None:
    """More rows than points would name one of them twice."""
    with pytest.raises(ValueError, match='expected at least 5, got 4'):
        spread(np.zeros((4, 3)), 5)
