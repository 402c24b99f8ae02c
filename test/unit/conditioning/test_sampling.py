"""Where samples go: by role, by area, and over the scene as the first camera sees it."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from synthetic_scene import ball, box, camera_at, moving_scene

from hoigen.conditioning import ConditioningConfig
from hoigen.conditioning.sampling import apportion, draw_points
from hoigen.geometry.camera import project
from hoigen.geometry.meshes import mesh_table


@given(st.integers(0, 10_000), st.lists(st.floats(0.001, 1000), min_size=1, max_size=30))
def test_apportion_is_fair(total: int, weights: list[float]) -> None:
    """Whole numbers with the right sum, each less than 1 away from its exact part."""
    counts = apportion(total, np.array(weights))
    exact = np.array(weights) / sum(weights) * total
    assert counts.sum() == total
    assert (np.abs(counts - exact) < 1 + 1e-6).all()


def test_a_hall_sized_floor_takes_no_more_than_its_picture() -> None:
    """Scene samples lie where the first camera, looking a little wider, sees them, not all over a huge floor."""
    floor, cup = box('floor', 'scene', (200.0, 200.0, 0.02)), box('shelf', 'scene', (0.2, 0.3, 0.1))
    table, camera = mesh_table([floor, cup, ball('ball', 'object', 0.05)]), camera_at((0.7, 0.0, 0.5))
    drawn = draw_points(table, table.vertices, camera, ConditioningConfig(points=1000, tracks=100))
    rows = table.roles[drawn.asset] == 0
    pixels, depth = project(camera, drawn.samples.at(table.vertices, table.triangles)[rows])
    near = (np.abs(pixels - np.array([89.5, 59.5])) < [0.63 * 180, 0.63 * 120]).all(axis=1) & (depth > 0)
    assert near.mean() > 0.99
    assert (drawn.asset[rows] == table.ids.index('shelf')).mean() > 0.05


def test_every_asset_has_a_sample_even_out_of_view() -> None:
    """Assets behind the camera, and a scene that it does not see at all, are sampled by area."""
    lamp, wall = box('lamp', 'scene', (0.05, 0.05, 0.05)), box('wall', 'scene', (1.0, 1.0, 0.1))
    table = mesh_table([lamp, wall, box('palm', 'hand', (0.1, 0.1, 0.1))])
    world = table.vertices + np.array([3.0, 0, 0])  # the camera at x = 0.7 looks towards -x
    drawn = draw_points(table, world, camera_at((0.7, 0.0, 0.5)), ConditioningConfig(points=300, tracks=20))
    counts = np.bincount(drawn.asset, minlength=3)
    assert counts.sum() == 300
    assert counts.min() >= 1
    assert counts[table.ids.index('wall')] > 50 * counts[table.ids.index('lamp')]


def test_absent_roles_leave_their_share() -> None:
    """All samples go to the roles that are there."""
    table = mesh_table([box('palm', 'hand', (0.1, 0.1, 0.1))])
    drawn = draw_points(table, table.vertices, camera_at((0.7, 0.0, 0.5)), ConditioningConfig(points=64, tracks=64))
    assert len(drawn.asset) == 64
    assert sorted(drawn.tracks) == list(range(64))


def test_an_asset_s_samples_are_its_own() -> None:
    """Where hand and object are sampled does not depend on what else is in the scene, or on the camera."""
    assets, frames = moving_scene(1)
    config, found = ConditioningConfig(points=500, tracks=50), []
    for floor, eye in ((assets[0], (0.7, 0.0, 0.5)), (ball('floor', 'scene', 0.3), (0.1, 0.9, 0.2))):
        table = mesh_table([floor, *assets[1:]])
        drawn = draw_points(table, table.posed(frames[0].poses, {}), camera_at(eye), config)
        found.append(drawn.samples.take(np.flatnonzero(table.roles[drawn.asset] > 0)).weights)
    np.testing.assert_array_equal(*found)
