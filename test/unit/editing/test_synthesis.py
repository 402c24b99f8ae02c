"""Geometry-aware synthesis: who is in front is computed from depth, pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic_scene import ball

from hoigen.editing.placement import PlacementError, place
from hoigen.editing.synthesis import GREY, TOLERANCE, make_room
from hoigen.geometry.transforms import rigid
from hoigen.records import Camera

CAMERA = Camera(np.array([[60.0, 0, 29.5], [0, 60, 19.5], [0, 0, 1]]), 60, 40, np.eye(4))
PLACEMENT = place(ball('ball', 'object', 0.1, rings=8), rigid(np.eye(3), np.array([0.0, 0, 0.6])), CAMERA)
RGB = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31 - 1))
def test_every_pixel_shows_what_is_nearest(seed: int) -> None:
    """In any scene: painted where the object is the nearest, else colour and depth stay bit for bit."""
    scene = np.random.default_rng(seed).choice([0.2, 0.51, 0.58, 1.0, np.inf, np.nan], (40, 60)).astype(np.float32)
    room = make_room(RGB, scene, PLACEMENT)
    nearer = scene < PLACEMENT.depth_m * (1 - TOLERANCE)
    np.testing.assert_array_equal(room.paint, PLACEMENT.mask & ~nearer)
    np.testing.assert_array_equal(room.rgb[~room.paint], RGB[~room.paint])
    np.testing.assert_array_equal(room.depth_m[~room.paint], scene[~room.paint])
    assert (room.rgb[room.paint] == GREY).all()
    np.testing.assert_array_equal(room.depth_m[room.paint], PLACEMENT.depth_m[room.paint])
    assert room.occluded == pytest.approx(1 - room.paint.sum() / PLACEMENT.mask.sum())


def test_the_order_is_decided_by_a_hair() -> None:
    """A wall just before the object's front hides it, one just behind does not; on a tie the object is in front."""
    front = float(PLACEMENT.depth_m.min())
    hidden = make_room(RGB, np.full((40, 60), front * (1 - 2 * TOLERANCE), np.float32), PLACEMENT)
    assert not hidden.paint.any()
    assert hidden.occluded == 1
    equal = make_room(RGB, np.where(PLACEMENT.mask, PLACEMENT.depth_m, 1).astype(np.float32), PLACEMENT)
    np.testing.assert_array_equal(equal.paint, PLACEMENT.mask)


def test_a_guide_is_shown_only_where_there_is_paint() -> None:
    """And the ablation without geometry paints the whole outline."""
    guide = np.full_like(RGB, 7)
    scene = np.ones((40, 60), np.float32)
    scene[:, :30] = 0.2
    room = make_room(RGB, scene, PLACEMENT, guide=guide)
    assert (room.rgb[room.paint] == 7).all()
    np.testing.assert_array_equal(room.rgb[~room.paint], RGB[~room.paint])
    assert not room.paint[:, :30].any()
    np.testing.assert_array_equal(make_room(RGB, scene, PLACEMENT, geometry_aware=False).paint, PLACEMENT.mask)


@pytest.mark.parametrize(('rgb', 'depth'), [((40, 60), (20, 30)), ((20, 30), (40, 60)), ((60, 40), (60, 40))])
def test_another_size_is_refused(rgb: tuple[int, int], depth: tuple[int, int]) -> None:
    """All sizes are told, as width x height."""
    with pytest.raises(PlacementError, match=f'60x40, got picture {rgb[1]}x{rgb[0]} and depth {depth[1]}x{depth[0]}'):
        make_room(np.zeros((*rgb, 3), np.uint8), np.ones(depth, np.float32), PLACEMENT)
