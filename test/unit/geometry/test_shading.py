"""Drawn pictures: depth, places and colours of one mesh agree with its geometry and its texture."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from synthetic_scene import ball, camera_at

from hoigen.geometry import shading
from hoigen.geometry.camera import pixel_grid, unproject
from hoigen.geometry.shading import AMBIENT, DIFFUSE, View, draw
from hoigen.geometry.transforms import apply, rigid
from hoigen.records import Camera, MeshAsset

K = np.array([[300.0, 0, 159.5], [0, 300, 119.5], [0, 0, 1]])
CAMERA = Camera(K, 320, 240, np.eye(4))
AHEAD = rigid(np.eye(3), np.array([0.0, 0.0, 1.0]))


def board(texture: np.ndarray, side: float = 0.5) -> MeshAsset:
    """A square that faces the camera, its texture upright: the picture's left upper corner at (-x, -y)."""
    corners = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]], np.float32) * np.float32(side / 2)
    uv = np.array([[0, 1], [1, 1], [1, 0], [0, 0]], np.float32)
    return MeshAsset('board', 'object', corners, np.array([[0, 2, 1], [0, 3, 2]], np.int32), uv, texture)


def test_places_and_depth_are_one_geometry() -> None:
    """What a pixel's ray meets at its depth is the place that the view says, carried by the pose."""
    camera, pose = camera_at((0.5, 0.2, 0.3), 90, 60), rigid(np.eye(3), np.array([0.02, -0.03, 0.06]))
    view = draw(ball('ball', 'object', 0.1), pose, camera)
    assert view.mask.sum() > 300
    world = unproject(camera, pixel_grid(90, 60), view.depth_m)
    np.testing.assert_allclose(apply(pose, view.points[view.mask]), world[view.mask], atol=1e-5)
    assert np.isnan(view.points[~view.mask]).all()
    assert np.isinf(view.depth_m[~view.mask]).all()


def test_texture_stands_upright_where_its_uv_say() -> None:
    """Four colours come out in their quarters; (0, 0) of uv is the texture's lower left corner."""
    colours = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255, 255, 0]]], np.uint8)
    quarters = colours.repeat(32, 0).repeat(32, 1)
    rgb = draw(board(quarters), AHEAD, CAMERA).rgb
    left, right, top, bottom = 120, 199, 80, 159
    for (v, u), expected in (
        ((top, left), [1, 0, 0]),
        ((top, right), [0, 1, 0]),
        ((bottom, left), [0, 0, 1]),
        ((bottom, right), [1, 1, 0]),
    ):
        np.testing.assert_array_equal(rgb[v, u] > 100, np.array(expected, bool))


def test_an_object_may_fill_the_picture() -> None:
    """More texels are looked up than OpenCV takes in one row (32767); each is the one of its place."""
    ramp = np.zeros((64, 256, 3), np.uint8)
    ramp[..., 0] = np.arange(256)
    view = draw(board(ramp, 2.0), AHEAD, CAMERA)
    assert view.mask.all()
    row = view.rgb[120, :, 0].astype(float)
    across = np.clip((view.points[120, :, 0] + 1) / 2 * 256 - 0.5, 0, 255)
    assert np.corrcoef(row, across)[0, 1] > 0.9999
    assert np.abs(row / row.max() - across / across.max()).max() < 0.02


def test_a_fine_texture_seen_small_gives_its_mean() -> None:
    """Black and white squares of one texel, 50 of them to a pixel, are grey and not noise."""
    rows, columns = np.indices((1024, 1024))
    squares = np.where((rows + columns) % 2, 255, 0).astype(np.uint8)[..., None].repeat(3, -1)
    seen = draw(board(squares, 0.07), AHEAD, CAMERA)
    grey, lit = seen.rgb[seen.share == 1].astype(float), draw(board(np.full((8, 8, 3), 255, np.uint8)), AHEAD, CAMERA)
    assert len(grey) > 300
    assert grey.mean() == pytest.approx(lit.rgb[120, 160, 0] / 2, abs=4)
    assert grey.std() < 25


def test_share_is_the_covered_part() -> None:
    """Of a board that ends inside a pixel column, that column is covered in part and its colour is mixed with white."""
    black = np.zeros((4, 4, 3), np.uint8)
    edge = draw(board(black, 2 * (20.25 / 300)), rigid(np.eye(3), np.array([0.5 / 300, 0.5 / 300, 1.0])), CAMERA)
    column = edge.share[120]
    assert set(np.unique(column)) <= {0.0, 0.5, 1.0}
    np.testing.assert_allclose(edge.rgb[120, :, 0], 255 * (1 - column), atol=1)


@pytest.mark.parametrize('place', [(0.0, 0.0, -1.0), (9.0, 0.0, 1.0)])
def test_what_is_out_of_view_leaves_a_white_picture(place: tuple[float, float, float]) -> None:
    """Behind the camera and beside its view."""
    view = draw(board(np.zeros((4, 4, 3), np.uint8)), rigid(np.eye(3), np.array(place)), CAMERA)
    assert isinstance(view, View)
    assert (view.rgb == 255).all()
    assert not view.mask.any()
    assert not view.share.any()


def test_a_mesh_through_the_camera_is_cut_at_it() -> None:
    """A floor that goes under and behind the camera is drawn up to the horizon, with finite places."""
    floor = replace(board(np.full((4, 4, 3), 90, np.uint8), 20.0))
    turned = rigid(np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]), np.array([0.0, 1.0, 0.0]))
    view = draw(floor, turned, CAMERA)
    assert view.mask[200:].all()
    assert not view.mask[:110].any()
    assert np.isfinite(view.points[view.mask]).all()


def test_without_a_texture_it_is_plain() -> None:
    """A shape of unknown look is drawn in one grey, brighter and darker with the light."""
    rgb = draw(ball('ball', 'object', 0.1), AHEAD, CAMERA).rgb
    assert (rgb[..., 0] == rgb[..., 1]).all()
    inside = rgb[110:130, 150:170, 0]
    assert 80 < inside.min() < inside.max() < 220


def test_a_picture_in_bands_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """However few samples are held at a time; also where a part of the mesh is beside the picture."""
    pose = rigid(np.eye(3), np.array([0.6, 0.1, 1.0]))
    texture = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    whole = draw(board(texture), pose, CAMERA)
    monkeypatch.setattr(shading, 'BAND_SAMPLES', 5000)
    banded = draw(board(texture), pose, CAMERA)
    np.testing.assert_array_equal(banded.rgb, whole.rgb)
    np.testing.assert_array_equal(banded.share, whole.share)
    np.testing.assert_array_equal(whole.rgb[whole.share == 0], 255)


def test_a_texture_that_is_repeated_often_needs_no_more_memory() -> None:
    """50 times over, seen small: each pixel is the mean of what it shows, from many samples that are not all held."""
    dots = np.random.default_rng(0).integers(0, 2, (64, 64, 1), np.uint8).repeat(3, -1) * np.uint8(200)
    often = replace(board(dots), uv=board(dots).uv * 50)
    tracemalloc.start()
    view = draw(often, AHEAD, CAMERA)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    inside = view.share == 1
    assert view.rgb[inside].std() < 10
    assert view.rgb[inside].mean() == pytest.approx(100 * (AMBIENT + DIFFUSE * 0.56), rel=0.05)
    assert peak < 60 << 20
