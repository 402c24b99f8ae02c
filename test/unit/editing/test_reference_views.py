"""Reference pictures: they show the object as their orientation says, and the most fitting ones are chosen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic_scene import box

from hoigen.editing.records import Reference
from hoigen.editing.views import even_views, nearest, random_views, view_of
from hoigen.geometry.orientation import Orientation, rotation_of
from hoigen.geometry.transforms import angle_between

BOX = box('box', 'object', (0.2, 0.1, 0.06))
angles = st.floats(-np.pi, np.pi)


@settings(max_examples=30, deadline=None)
@given(angles, st.floats(-np.pi / 2, np.pi / 2), angles, st.tuples(*[st.floats(-3, 3)] * 3))
def test_the_object_fills_the_picture_and_is_whole(
    azimuth: float, elevation: float, turn: float, shift: tuple[float, ...]
) -> None:
    """From any side, wherever its origin is: never cut, never tiny."""
    mesh = replace(BOX, vertices=BOX.vertices + np.array(shift, np.float32))
    view = view_of(mesh, Orientation(azimuth, elevation, turn), 64)
    rows, columns = np.flatnonzero(view.mask.any(1)), np.flatnonzero(view.mask.any(0))
    assert rows[0] > 0
    assert columns[0] > 0
    assert rows[-1] < 63
    assert columns[-1] < 63
    assert max(np.ptp(rows), np.ptp(columns)) > 24


def test_the_front_is_what_azimuth_zero_shows() -> None:
    """Seen from +x, places with the largest x are seen, +y is on the right and +z above."""
    view = view_of(BOX, Orientation(0.0, 0.0, 0.0), 64)
    places = view.points[view.mask]
    assert places[:, 0] == pytest.approx(np.full(len(places), 0.1), abs=1e-4)
    rows, columns = np.nonzero(view.mask)
    assert np.corrcoef(columns, places[:, 1])[0, 1] > 0.99
    assert np.corrcoef(rows, places[:, 2])[0, 1] < -0.99


def test_the_nearest_views_come_first_and_unknown_ones_last() -> None:
    """By the angle between rotations."""
    white = np.full((8, 8, 3), 255, np.uint8)
    found = tuple(Reference(white, o) for o in (None, *even_views(8), None))
    want = Orientation(0.1, np.radians(20), 0.0)
    order = nearest(found, want, len(found))
    turns = [angle_between(rotation_of(o.orientation), rotation_of(want)) for o in order if o.orientation is not None]
    assert turns == sorted(turns)
    assert turns[0] == pytest.approx(0.1, abs=0.01)
    assert [item.orientation for item in order[-2:]] == [None, None]
    assert len(nearest(found, want, 3)) == 3


def test_the_same_seed_draws_the_same_views() -> None:
    """And another seed others; even views are evenly spread."""
    first, again, other = (random_views(BOX, 3, np.random.default_rng(seed), 32) for seed in (5, 5, 6))
    assert [v.orientation for v in first] == [v.orientation for v in again]
    np.testing.assert_array_equal(first[0].rgb, again[0].rgb)
    assert [v.orientation for v in first] != [v.orientation for v in other]
    turns = np.array([o.azimuth for o in even_views(8)])
    np.testing.assert_allclose(np.diff(turns), np.pi / 4)
