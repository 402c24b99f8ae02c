"""Point maps as colours, views and captions of an asset."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hoigen.editing.asset_reference.conditions import (
    AssetViews,
    PointCode,
    asset_views,
    code_of,
    describe,
    is_asset,
)
from hoigen.editing.asset_reference.look import looked_up
from hoigen.editing.meshes.things import made_thing
from hoigen.geometry.orientation import Orientation


@settings(max_examples=40, deadline=None, derandomize=True)
@given(place=st.tuples(*[st.floats(0, 1)] * 3), span=st.tuples(*[st.floats(0.01, 1)] * 3))
def test_a_place_survives_its_colour(place, span):
    """To half a step of 255, but for the one corner of the box that is as white as the background."""
    code = PointCode(np.array([-0.2, 0.1, 0.0]), np.array([-0.2, 0.1, 0.0]) + span)
    point = code.low + np.array(place) * span
    colour = code.encode(point[None])
    back = code.decode(colour)[0]
    if (colour > 225).all():
        return
    assert np.abs(back - point).max() <= 0.51 / 255 * max(span) + 1e-6


def test_the_background_is_white_and_up_is_green():
    """As in the released model's maps: y up, that is green; z, which is our -y, is blue."""
    code = PointCode(np.zeros(3), np.ones(3))
    colours = code.encode(np.array([[np.nan] * 3, [0, 1, 0], [1, 1, 0], [0, 1, 1], [0, 0, 0]]))
    assert colours.tolist() == [[255, 255, 255], [0, 0, 0], [255, 0, 0], [0, 255, 0], [0, 0, 255]]
    assert np.isnan(code.decode(colours)[0]).all()


def test_a_flat_asset_has_a_code():
    code = PointCode(np.array([-1.0, 0, 0]), np.array([1.0, 1, 0]))
    points = np.array([[0.5, 0.25, 0.0]])
    assert np.allclose(code.decode(code.encode(points)), points, atol=0.01)


def test_views_show_the_asset_all_round():
    """Each view's point map lies where its picture is not white, and together they hold most of the asset's box."""
    mug = made_thing('mug', 3)[0]
    views, code = asset_views(mug, 8, 32), code_of(mug)
    assert views.rgb.shape == views.points.shape == (8, 32, 32, 3)
    drawn, mapped = (views.rgb < 250).any(-1), (views.points < 255).any(-1)
    assert (drawn & mapped).sum() / mapped.sum() > 0.97
    points = code.decode(views.points)
    found = points[np.isfinite(points[..., 0])]
    assert np.all(np.ptp(found, axis=0) > 0.9 * (code.high - code.low))
    assert len({view.tobytes() for view in views.points}) == 8


@pytest.mark.parametrize(
    ('azimuth', 'elevation', 'says'),
    [
        (0, 0, 'front, level'),
        (44, 30, 'front left, from above'),
        (-90, 60, 'right, from high above'),
        (180, -40, 'back, from below'),
        (-179, 25, 'back, level'),
        (340, 89, 'front, from high above'),
    ],
)
def test_captions_say_from_where(azimuth: float, elevation: float, says: str):
    orientation = Orientation(np.radians(azimuth), np.radians(elevation), 0.0)
    assert describe('a mug', orientation) == f'a mug seen from the {says}'


def test_a_point_map_looks_up_the_assets_colours():
    """A view's own map gives its own colours, and a place that no view shows is not sure."""
    mug = made_thing('mug', 3)[0]
    views = asset_views(mug, 8, 32)
    inner = np.zeros((32, 32), bool)
    inner[8:24, 8:24] = is_asset(views.points[2])[8:24, 8:24]
    rgb, sure = looked_up(views.points[2], views)
    apart = np.abs(rgb[inner].astype(int) - views.rgb[2][inner]).max(-1)
    assert (apart < 30).mean() > 0.85
    assert sure[inner].mean() > 0.95
    background = ~is_asset(views.points[2])
    assert (rgb[background] == 127).all()
    assert (sure[background] == 0).all()
    only_one = AssetViews(views.rgb[:1], views.points[:1])
    assert looked_up(views.points[4], only_one)[1][inner].mean() < 0.5
    nothing = AssetViews(np.full_like(views.rgb, 255), np.full_like(views.points, 255))
    assert (looked_up(views.points[4], nothing)[1] == 0).all()
