"""Objects that need no file: the same for the same seed, with a size, a look and a caption."""

from __future__ import annotations

import numpy as np
import pytest

from hoigen.editing.meshes.things import made_thing
from hoigen.editing.placement import PlacementError
from hoigen.sources.mujoco.clutter import FREE_SHAPES


@pytest.mark.parametrize('shape', FREE_SHAPES)
def test_every_shape_is_a_textured_mesh_in_metres_that_its_seed_draws(shape: str) -> None:
    """What a user names by a word is as good as a mesh file."""
    mesh, caption = made_thing(shape, 3)
    again, _ = made_thing(shape, 3)
    np.testing.assert_array_equal(mesh.vertices, again.vertices)
    np.testing.assert_array_equal(mesh.texture, again.texture)
    assert not np.array_equal(made_thing(shape, 4)[0].texture, mesh.texture)
    assert 0.02 < np.ptp(mesh.vertices, axis=0).max() < 0.4
    assert mesh.uv is not None
    assert len(caption.split()) >= 3
    low, high = mesh.vertices.min(0), mesh.vertices.max(0)
    assert low[2] == pytest.approx(-high[2], abs=0.01)


def test_a_shape_that_there_is_not_is_refused_with_those_that_there_are() -> None:
    """The nearest name is told."""
    with pytest.raises(PlacementError, match=r"one of .*mug.*, got 'mugg'; did you mean 'mug'\?"):
        made_thing('mugg', 0)
