"""The laws of the geometry, for any camera, pose and point that hypothesis can think of."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.ndimage import maximum_filter, minimum_filter
from scipy.spatial.transform import Rotation
from synthetic_scene import ball, box, frame_of, labels, moving_scene

from hoigen.conditioning import ConditioningConfig, build_clip
from hoigen.conditioning.visibility import SLOPE_FOOTPRINTS, point_visibility
from hoigen.geometry.camera import crop_camera, project, resize_camera, unproject
from hoigen.geometry.meshes import MeshTable, mesh_table
from hoigen.geometry.raster import Raster, rasterise
from hoigen.geometry.transforms import apply, as_carried, invert, quaternions, rigid
from hoigen.records import Camera, SceneFrame

FEW = ConditioningConfig(points=300, tracks=40)
TOLERANCE_M = 0.001


def parts(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high, allow_nan=False)


@st.composite
def rigids(draw: st.DrawFn) -> np.ndarray:
    """Any rotation (a unit quaternion) with a translation of up to 2 m."""
    w, x, y, z = (draw(parts(-1, 1)) for _ in range(4))
    norm = w * w + x * x + y * y + z * z
    assume(norm > 0.01)
    s = 2 / norm
    rotation = np.array(
        [
            [1 - s * (y * y + z * z), s * (x * y - w * z), s * (x * z + w * y)],
            [s * (x * y + w * z), 1 - s * (x * x + z * z), s * (y * z - w * x)],
            [s * (x * z - w * y), s * (y * z + w * x), 1 - s * (x * x + y * y)],
        ]
    )
    return rigid(rotation, np.array([draw(parts(-2, 2)) for _ in range(3)]))


@st.composite
def cameras(draw: st.DrawFn) -> Camera:
    """Any pinhole camera, with unequal focal lengths, skew and an off-centre principal point."""
    width, height = draw(st.integers(16, 800)), draw(st.integers(16, 800))
    K = np.array(
        [
            [draw(parts(20, 2000)), draw(parts(-5, 5)), draw(parts(0, 1)) * (width - 1)],
            [0, draw(parts(20, 2000)), draw(parts(0, 1)) * (height - 1)],
            [0, 0, 1],
        ]
    )
    return Camera(K, width, height, draw(rigids()))


@given(cameras(), parts(-0.5, 1.5), parts(-0.5, 1.5), parts(0.02, 50))
def test_project_undoes_unproject(camera: Camera, across: float, down: float, depth_m: float) -> None:
    """A pixel at a depth is a place in the world whose picture is that pixel at that depth."""
    pixel = np.array([across * camera.width, down * camera.height])
    found, depth = project(camera, unproject(camera, pixel, np.array(depth_m)))
    np.testing.assert_allclose(found, pixel, atol=1e-6 * max(camera.width, camera.height))
    np.testing.assert_allclose(depth, depth_m, rtol=1e-9, atol=1e-9)


@given(rigids(), rigids(), rigids())
def test_rigid_transforms_are_a_group(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> None:
    """Inverse, associativity, and application that follows composition."""
    np.testing.assert_allclose(a @ invert(a), np.eye(4), atol=1e-9)
    np.testing.assert_allclose((a @ b) @ c, a @ (b @ c), atol=1e-9)
    np.testing.assert_allclose(apply(a @ b, c[:3, :3]), apply(a, apply(b, c[:3, :3])), atol=1e-9)


@given(cameras(), rigids(), st.lists(st.tuples(parts(-1, 1), parts(-1, 1), parts(0.1, 3)), min_size=1, max_size=5))
def test_moving_the_world_changes_no_picture(camera: Camera, move: np.ndarray, seen: list[tuple[float, ...]]) -> None:
    """Camera and points moved together by any rigid transform have the same pixels and depths."""
    points = apply(camera.T_world_cam, np.array(seen))
    moved = Camera(camera.K, camera.width, camera.height, move @ camera.T_world_cam)
    for before, after in zip(project(camera, points), project(moved, apply(move, points)), strict=True):
        np.testing.assert_allclose(after, before, rtol=1e-6, atol=1e-6)


@given(cameras(), st.data())
def test_crop_then_project_is_project_then_crop(camera: Camera, data: st.DataObject) -> None:
    """A crop's camera puts a point where the crop of the picture has it; likewise a resize's, by pixel borders."""
    cx, cy = int(camera.K[0, 2] + 0.5), int(camera.K[1, 2] + 0.5)
    left, top = data.draw(st.integers(-9, cx)), data.draw(st.integers(-9, cy))
    width = data.draw(st.integers(cx - left + 1, camera.width - left))
    height = data.draw(st.integers(cy - top + 1, camera.height - top))
    point = unproject(camera, np.array([data.draw(parts(0, 800)), data.draw(parts(0, 800))]), np.array(1.3))
    pixel = project(camera, point)[0]
    cropped = crop_camera(camera, left, top, width, height)
    np.testing.assert_allclose(project(cropped, point)[0], pixel - np.array([left, top]), atol=1e-6)
    resized = resize_camera(cropped, 192, 128)
    expected = (pixel - np.array([left, top]) + 0.5) * np.array([192 / width, 128 / height]) - 0.5
    np.testing.assert_allclose(project(resized, point)[0], expected, atol=1e-5)


def _picture(turn: np.ndarray) -> tuple[Camera, MeshTable, Raster, np.ndarray]:
    """A ball seen from any side, and the (row, column) [P,2] of pixels with the ball all around them."""
    K = np.array([[300, 0, 99.5], [0, 300, 69.5], [0, 0, 1]])
    camera = Camera(K, 200, 140, rigid(turn[:3, :3], turn[:3, :3] @ [0.0, 0.0, -0.5]))
    table = mesh_table([ball('ball', 'object', 0.1, rings=24)])
    picture = rasterise(camera, table.vertices, table.triangles)
    return camera, table, picture, np.argwhere(minimum_filter(picture.triangle, 3) >= 0)


@settings(max_examples=30, deadline=None)
@given(rigids(), parts(1e-5, 2), parts(-0.49, 0.49), parts(-0.49, 0.49), st.booleans())
def test_a_point_behind_a_surface_is_not_visible(
    turn: np.ndarray, behind_m: float, right: float, below: float, own: bool
) -> None:
    """A place is hidden if it is behind all that the pixels around it show, by more than the tolerance.

    Of its own asset, by more than two pixel sizes as well: that much a surface may slope within its pixel.
    """
    camera, table, picture, places = _picture(turn)
    row, column = places.T
    deepest = maximum_filter(picture.depth_m, 3)[row, column] + TOLERANCE_M + behind_m
    depth = deepest / (1 - SLOPE_FOOTPRINTS / 300) if own else deepest
    points = unproject(camera, places[:, ::-1] + np.array([right, below]), depth)
    corners = table.vertices[table.triangles[picture.triangle[row, column]]]
    asset = np.full(len(points), 0 if own else 1)
    assert not point_visibility(camera, picture, table.triangle_asset, points, corners, asset, TOLERANCE_M).any()


@settings(max_examples=30, deadline=None)
@given(rigids())
def test_what_a_pixel_shows_is_visible(turn: np.ndarray) -> None:
    """The surface that a pixel shows is visible at the pixel's centre, and so is what floats before it."""
    camera, table, picture, places = _picture(turn)
    row, column = places.T
    for depth in (picture.depth_m[row, column], picture.depth_m[row, column] - 0.05):
        points = unproject(camera, np.stack([column, row], axis=1), depth)
        corners = table.vertices[table.triangles[picture.triangle[row, column]]]
        assert point_visibility(
            camera, picture, table.triangle_asset, points, corners, np.zeros(len(points), int), TOLERANCE_M
        ).all()


@settings(max_examples=8, deadline=None)
@given(rigids())
def test_clip_is_rigidly_invariant(move: np.ndarray) -> None:
    """The whole scene moved, cameras and all: the same samples, visibility, colours, contacts and pictures."""
    assets, frames = moving_scene(3)
    moved = [
        SceneFrame(
            f.stamp_ns,
            Camera(f.camera.K, f.camera.width, f.camera.height, move @ f.camera.T_world_cam),
            f.rgb,
            f.depth_m,
            {name: move @ pose for name, pose in f.poses.items()},
            {},
            f.labels,
        )
        for f in frames
    ]
    here, there = build_clip(assets, frames, FEW), build_clip(assets, moved, FEW)
    np.testing.assert_allclose(there.points, apply(move, here.points), atol=2e-6)
    np.testing.assert_allclose(there.depth_m, here.depth_m, atol=1e-5)
    for name in ('mask', 'point_visible', 'point_rgb_known', 'point_contact'):  # rounding may flip a value at an edge
        assert (getattr(there, name) == getattr(here, name)).mean() > 0.998, name


@settings(max_examples=10, deadline=None)
@given(st.permutations(range(4)))
def test_order_of_assets_changes_nothing(order: list[int]) -> None:
    """Assets listed in another order give the same clip, bit for bit."""
    assets, frames = moving_scene(2)
    here, there = build_clip(assets, frames, FEW), build_clip([assets[k] for k in order], frames, FEW)
    for name in vars(here):
        value: Any = getattr(here, name)
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(getattr(there, name), value, err_msg=name)


@settings(max_examples=10, deadline=None)
@given(rigids())
def test_tracks_are_exact(move: np.ndarray) -> None:
    """A sample keeps its place in its asset's frame: undoing the pose gives the first frame's place again."""
    asset, other = box('crate', 'object', (0.2, 0.1, 0.1)), box('palm', 'hand', (0.1, 0.1, 0.05))
    camera = frame_of((asset, other), {'crate': np.eye(4), 'palm': np.eye(4)}, moving_scene(1)[1][0].camera, 0)
    later = SceneFrame(1, camera.camera, camera.rgb, None, {'crate': move, 'palm': np.eye(4)}, {}, labels(1))
    clip = build_clip((asset, other), [camera, later], replace(FEW, min_agreement=0.0))  # the image is that of before
    rows = clip.point_role == 2
    np.testing.assert_allclose(apply(invert(move), clip.points[1, rows]), clip.points[0, rows], atol=1e-6)


@given(rigids())
def test_a_pose_that_was_carried_is_carried_exactly(T: np.ndarray) -> None:
    """What a message carries differs by less than 1e-12 from what it was made of, and no more when it is sent on."""
    carried = as_carried(T)
    np.testing.assert_allclose(carried, T, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(as_carried(carried), carried)
    both = quaternions(np.stack([T, carried])[:, :3, :3])
    np.testing.assert_array_equal(both[0], both[1])
    assert np.linalg.norm(both[0]) == pytest.approx(1, abs=1e-15)


@pytest.mark.parametrize('degrees', [0, 45, 90, 135, 180, 270])
@pytest.mark.parametrize('axes', ['x', 'y', 'z', 'xyz'])
def test_right_angles_are_carried_exactly(axes: str, degrees: float) -> None:
    """Where components of a quaternion are equal or zero, which of them is rounded and its sign must not change."""
    R = Rotation.from_euler(axes, [degrees] * len(axes), degrees=True).as_matrix().reshape(1, 3, 3)
    once = quaternions(R)
    np.testing.assert_array_equal(quaternions(Rotation.from_quat(once).as_matrix()), once)
