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
from hoigen.records import MeshAsset


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


def test_the_released_adapters_are_shown_the_texture_alone():
    """Every 42 degrees from the front, by a camera of 45 degrees at 4 times half the largest extent: a cube's side that
    faces it then takes 1 / (3 tan 22.5) of the image's side, in its own colour."""
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], np.float32)
    sides = np.array([[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]])
    triangles = np.concatenate([sides[:, [0, 1, 2]], sides[:, [0, 2, 3]]]).astype(np.int32)
    texture = np.full((2, 2, 3), (200, 40, 90), np.uint8)
    cube = MeshAsset('cube', 'object', corners, triangles, np.full((8, 2), 0.5, np.float32), texture)
    size = 101
    views = asset_views(cube, 8, size, 'released')
    assert {tuple(pixel) for pixel in views.rgb[0][30:70, 30:70].reshape(-1, 3)} == {(200, 40, 90)}
    wide = is_asset(views.points[0])[size // 2].sum() / size
    assert wide == pytest.approx(1 / (3 * np.tan(np.radians(22.5))), abs=0.02)
    seen = code_of(cube).decode(views.points)[:, size // 2, size // 2]  # each camera looks along its own azimuth
    azimuths = np.degrees(np.arctan2(seen[:, 1], seen[:, 0]))
    np.testing.assert_allclose((azimuths - 42 * np.arange(8) + 180) % 360 - 180, 0, atol=1.5)
    np.testing.assert_allclose(seen[:, 2], 0, atol=0.05)


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
