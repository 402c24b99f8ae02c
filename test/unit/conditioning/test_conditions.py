"""What a generator reads: each condition against the true pictures of the synthetic scene."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from synthetic_scene import ball, camera_at, frame_of, labels, moving_scene

from hoigen.conditioning import ConditioningConfig, build_clip, build_conditions, pasted_baseline
from hoigen.geometry.camera import project
from hoigen.geometry.transforms import apply, invert
from hoigen.geometry.view import centre_view
from hoigen.records import Clip, Conditions, SceneFrame

SIZE = {'width': 90, 'height': 60}


@pytest.fixture(scope='module')
def clip() -> Clip:
    """Five frames from a camera that stands still, four times as large as the conditions."""
    return build_clip(*moving_scene(5, 0.0, 360, 240))


@pytest.fixture(scope='module')
def swaying_clip() -> Clip:
    """The same from a camera that moves 0.2 m sideways."""
    return build_clip(*moving_scene(5, 0.2, 360, 240))


@pytest.fixture(scope='module')
def still(clip: Clip) -> Conditions:
    return build_conditions(clip, **SIZE)


@pytest.fixture(scope='module')
def swaying(swaying_clip: Clip) -> Conditions:
    return build_conditions(swaying_clip, **SIZE)


def true_frames(clip: Clip) -> np.ndarray:
    view = centre_view(clip.cameras[0], **SIZE)
    return np.stack([view.picture(rgb) for rgb in clip.rgb]).astype(float)


def test_points_undo_their_normalisation(swaying_clip: Clip, swaying: Conditions) -> None:
    """X_cam0 = points * scale + centre, in the first camera's frame; hand and object have unit spread in frame 0."""
    in_first = swaying.points * swaying.scale_m + swaying.centre_m
    expected = apply(invert(swaying_clip.cameras[0].T_world_cam), swaying_clip.points)
    np.testing.assert_allclose(in_first, expected, atol=1e-5)
    acting = swaying.points[0, swaying.point_role > 0].astype(float)
    np.testing.assert_allclose(acting.mean(axis=0), 0, atol=1e-5)
    assert (acting**2).sum(axis=1).mean() == pytest.approx(1, abs=1e-5)


def test_pixels_are_each_frame_s_own(swaying_clip: Clip, swaying: Conditions) -> None:
    """point_pixels and point_depth_m come from the frame's camera at the conditions' size."""
    for t, camera in enumerate(swaying.cameras):
        assert (camera.width, camera.height) == (90, 60)
        pixels, depth = project(camera, swaying_clip.points[t])
        np.testing.assert_allclose(swaying.point_pixels[t], pixels, atol=1e-3)
        np.testing.assert_allclose(swaying.point_depth_m[t], depth, atol=1e-5)


def test_nearly_every_pixel_of_hand_and_object_has_a_sample(still: Conditions, swaying: Conditions) -> None:
    """State is 1 or 2 at 99 % of the mask of hand and object, and 0 everywhere else."""
    for made in (still, swaying):
        assert (made.coloured_state[made.mask > 0] > 0).mean() > 0.99
        assert not made.coloured_state[made.mask == 0].any()
        assert not made.coloured[made.coloured_state == 0].any()


def test_carried_colours_are_true(clip: Clip, still: Conditions, swaying_clip: Clip, swaying: Conditions) -> None:
    """Where a colour is known, it is the true frame's; only pixels at edges, which mix colours, may differ."""
    for source, made in ((clip, still), (swaying_clip, swaying)):
        known = made.coloured_state == 2
        error = np.abs(true_frames(source) - made.coloured).mean(axis=-1)
        assert np.median(error[known]) < 2
        assert (error[known] < 25).mean() > 0.85
        assert known[0][made.mask[0] > 0].mean() > 0.97


def test_a_side_not_seen_in_frame_0_has_no_colour() -> None:
    """A ball that turns half round shows the side that frame 0 did not: its state is 1, not a wrong colour."""
    asset, camera = ball('ball', 'object', 0.1, rings=40), camera_at((0.7, 0, 0.05))
    half = np.diag([-1.0, -1.0, 1.0, 1.0])
    up = np.eye(4)
    up[2, 3] = 0.05
    half[2, 3] = 0.05
    frames = [frame_of((asset,), {'ball': up}, camera, 0), frame_of((asset,), {'ball': half}, camera, 1)]
    made = build_conditions(build_clip((asset,), frames, ConditioningConfig(points=2000, tracks=10)), **SIZE)
    shown = made.mask[1] == 2
    assert (made.coloured_state[0][made.mask[0] == 2] == 2).mean() > 0.97
    assert (made.coloured_state[1][shown] == 1).mean() > 0.9


def test_colours_turn_with_the_surface() -> None:
    """Samples far apart carry the colours between them too: after a turn by 60 of 180 degrees two thirds are known."""
    asset, camera = ball('ball', 'object', 0.1, rings=40), camera_at((0.7, 0, 0.05), 360, 240)
    up, turned = np.eye(4), np.eye(4)
    up[2, 3] = turned[2, 3] = 0.05
    turned[:2, :2] = [[0.5, -np.sqrt(0.75)], [np.sqrt(0.75), 0.5]]
    frames = [frame_of((asset,), {'ball': pose}, camera, t) for t, pose in enumerate((up, turned))]
    clip = build_clip((asset,), frames, ConditioningConfig(points=60, tracks=10))
    made = build_conditions(clip, **SIZE)
    known = made.coloured_state[1] == 2
    error = np.abs(true_frames(clip)[1] - made.coloured[1]).mean(axis=-1)[known]
    assert known.sum() / (made.mask[1] == 2).sum() == pytest.approx(2 / 3, abs=0.03)
    assert np.median(error) < 2


def test_still_background_is_the_first_picture(still: Conditions) -> None:
    """For a camera that stands still the background is the first picture, known where only the scene was."""
    for t in range(5):
        np.testing.assert_array_equal(still.background[t], still.image)
        assert not still.background_known[t][still.mask[0] > 0].any()
    assert still.background_known[0][still.mask[0] == 0].mean() > 0.95


def test_carried_background_is_true(swaying_clip: Clip, swaying: Conditions) -> None:
    """For a moving camera, known background shows what the frame shows, wherever that is scene."""
    error = np.abs(true_frames(swaying_clip) - swaying.background).mean(axis=-1)
    shown = swaying.background_known & (swaying.mask == 0)
    shown[0] = False
    assert shown.sum() > 0.5 * swaying.mask[1:].size
    assert np.median(error[shown]) < 5
    tinted = swaying.background[..., 0] > swaying.background[..., 2].astype(int) + 10  # hand and object, not the floor
    assert not (tinted & swaying.background_known).any()
    assert (error[shown] < 30).mean() > 0.95


def test_background_behind_hand_and_object_is_filled(swaying: Conditions) -> None:
    """Where hand and object have moved on to, the scene behind them is carried as well, if frame 0 showed it."""
    behind = swaying.background_known[-1][swaying.mask[-1] > 0]
    assert behind.mean() > 0.5


def test_uncovered_background_is_unknown(still: Conditions, swaying: Conditions) -> None:
    """What hand and object hid in frame 0 stays unknown when they have left it."""
    left = (still.mask[0] > 0) & (still.mask[-1] == 0)
    assert left.sum() > 50
    assert not still.background_known[-1][left].any()
    assert (~swaying.background_known[-1]).sum() > 50


def test_sky_is_carried_by_rotation() -> None:
    """Pixels without a mesh are infinitely far: after a turn of the camera on the spot they move with the picture."""
    assets, frames = moving_scene(2)
    turned = camera_at((0.7, 0.0, 0.5), target=(0.0, 0.05, 0.05))
    poses = frames[0].poses
    clip = build_clip(assets, [frames[0], frame_of(assets, poses, turned, 1)])
    made = build_conditions(clip, **SIZE)
    sky = np.isinf(made.depth_m[1])
    assert sky.sum() > 100
    known = made.background_known[1] & sky
    assert known.sum() > 0.5 * sky.sum()
    assert np.abs(made.background[1][known].astype(int) - 40).max() <= 2


def test_holes_in_measured_depth_are_bridged(swaying_clip: Clip, swaying: Conditions) -> None:
    """Without depth in every fourth block, the scene is still carried about rightly, and no hole shows in hand or
    object: pixels take the sample beside them, whose colour is a guess there."""
    depth = swaying_clip.depth_m.copy()
    for top in range(0, depth.shape[1], 16):
        for left in range(0, depth.shape[2], 16):
            depth[:, top : top + 8, left : left + 8] = np.nan
    seen = swaying_clip.point_visible & ~np.stack(
        [
            np.isnan(depth[t, row, column])
            for t, (column, row) in enumerate(
                np.rint(np.clip(project(camera, points)[0], 0, (359, 239))).astype(int).T
                for camera, points in zip(swaying_clip.cameras, swaying_clip.points, strict=True)
            )
        ]
    )
    made = build_conditions(replace(swaying_clip, depth_m=depth, point_visible=seen), **SIZE)
    assert (made.coloured_state[made.mask > 0] > 0).mean() > 0.98
    holes = np.isnan(made.depth_m) & (made.mask == 0)
    assert holes.mean() > 0.1
    error = np.abs(true_frames(swaying_clip) - made.background).mean(axis=-1)
    assert made.background_known[1:][holes[1:]].mean() > 0.4
    assert (error[1:][holes[1:] & made.background_known[1:]] < 30).mean() > 0.9


def test_tracking_colours_are_those_of_diffusion_as_shader(still: Conditions) -> None:
    """In frame 0 red is u/W, green v/H and blue 1/z between its 2nd and 98th percentile over the image."""
    near = 1 / still.depth_m[0]
    low, high = np.percentile(near[np.isfinite(still.depth_m[0])], (2, 98))
    v, u = np.mgrid[:60, :90]
    expected = 255 * np.stack([u / 89, v / 59, np.clip((near - low) / (high - low), 0, 1)], axis=-1)
    drawn = still.tracking[0].any(axis=-1)
    assert drawn.mean() > 0.9
    error = np.abs(still.tracking[0] - expected)[drawn]  # a pixel takes the colour of the sample beside it
    assert (error.mean(axis=0) < 2.5).all()


def test_tracking_colours_stay_with_the_surface(swaying: Conditions) -> None:
    """A sample shows in every frame the colour of its pixel in frame 0, and black if it was not in the image there."""
    u, v = swaying.point_pixels[0].T
    inside = (u >= -0.5) & (u < 89.5) & (v >= -0.5) & (v < 59.5)
    for t in (0, 4):
        rows = np.flatnonzero(swaying.point_visible[t])
        column, row = np.rint(swaying.point_pixels[t, rows]).astype(int).T
        shown, known = swaying.tracking[t, row, column], inside[rows]
        for channel, ramp in enumerate((u / 89, v / 59)):
            assert np.median(np.abs(shown[known, channel] - 255 * ramp[rows][known])) < 3
        new = shown[~known]
    assert len(new) > 20
    assert np.median(new) == 0


def test_no_sample_no_tracking_colour(still: Conditions) -> None:
    """Where no mesh is, the tracking video is black."""
    assert not still.tracking[np.isinf(still.depth_m)].any()


def test_pasted_baseline(clip: Clip, still: Conditions) -> None:
    """Known colours over the background; frame 0 is the first picture; better than repeating the first frame."""
    pasted, true = pasted_baseline(still), true_frames(clip)
    np.testing.assert_array_equal(pasted[0], still.image)
    known = still.coloured_state[1:] == 2
    np.testing.assert_array_equal(pasted[1:][known], still.coloured[1:][known])
    acting = still.mask[1:] > 0
    repeated = np.abs(true[1:] - still.image)[acting].mean()
    assert np.abs(true[1:] - pasted[1:])[acting].mean() < 0.6 * repeated


def test_pure_and_the_same_again(clip: Clip, still: Conditions) -> None:
    """Conditions depend on the clip and the size alone, bit for bit."""
    again = build_conditions(clip, **SIZE)
    for name, value in vars(still).items():
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(getattr(again, name), value, err_msg=name)
    assert still.prompt == 'pick up the ball'


def test_other_aspect_is_a_centred_crop(clip: Clip) -> None:
    """A square size takes the picture's middle, with cameras that fit."""
    made = build_conditions(clip, width=60, height=60)
    view = centre_view(clip.cameras[0], 60, 60)
    np.testing.assert_array_equal(made.image, view.picture(clip.rgb[0]))
    inside = made.point_visible[0]
    assert (made.point_pixels[0][inside] < 59.5).all()
    assert (made.point_pixels[0][inside] >= -0.5).all()


def test_scene_without_hand_or_object() -> None:
    """A scene of one role is conditioned on as well: the normalisation then is that of all points."""
    assets, frames = moving_scene(2)
    floor = assets[:1]
    frames = [
        SceneFrame(f.stamp_ns, f.camera, f.rgb, None, {'floor': f.poses['floor']}, {}, labels(k))
        for k, f in enumerate(frames)
    ]
    made = build_conditions(build_clip(floor, frames, ConditioningConfig(points=200, tracks=10)), **SIZE)
    assert made.scale_m > 0
    assert not made.coloured_state.any()
    assert made.background_known.all()
