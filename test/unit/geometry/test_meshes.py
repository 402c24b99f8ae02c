"""One vertex buffer for all assets: each is posed by its own row, in whatever order it came."""

from __future__ import annotations

import numpy as np
from synthetic_scene import box

from hoigen.geometry.meshes import mesh_table
from hoigen.geometry.transforms import rigid


def test_poses_and_vertices() -> None:
    """A rigid asset follows its pose, a deforming one has the vertices it was given."""
    assets = [box('b', 'object', (0.2, 0.2, 0.2)), box('a', 'hand', (0.1, 0.1, 0.1))]
    table = mesh_table(assets)
    assert table.ids == ('a', 'b')
    assert table.roles.tolist() == [1, 2]
    bent = np.random.default_rng(0).random((8, 3)).astype(np.float32)
    world = table.posed({'b': rigid(np.eye(3), np.array([0, 0, 1.0]))}, {'a': bent})
    np.testing.assert_array_equal(world[:8], bent)
    np.testing.assert_allclose(world[8:], assets[0].vertices + np.array([0, 0, 1.0]))
    np.testing.assert_allclose(world[table.triangles[table.triangle_asset == 0]], bent[assets[1].triangles])
