"""Fidelity: high for frames that show what the condition asks for, low for those that do not."""

from dataclasses import replace

import numpy as np
import pytest

from hoigen.conditioning import ConditioningConfig, build_clip, build_conditions
from hoigen.metrics.expected import WIDEST, Expected
from hoigen.metrics.fidelity import fidelity, outline_fidelity
from hoigen.metrics.motion import motion_fidelity
from hoigen.records import Fidelity, RecordError

FRAMES, STEP = 6, 3
RNG = np.random.default_rng(3)


def wallpaper(height, width, low, high):
    """A smooth random picture [H,W,3] uint8 between two levels, whose details are a few pixels wide."""
    coarse = RNG.uniform(low, high, (height // 4 + 2, width // 4 + 2, 3))
    return np.repeat(np.repeat(coarse, 4, 0), 4, 1)[:height, :width].astype(np.uint8)


def card_that_moves(texture=True):
    """A card of 24x24 moves right by ``STEP`` pixels a frame over a wall, a second one rests; what must be seen."""
    wall = wallpaper(64, 96, 20, 60)
    card = wallpaper(24, 24, 120, 250) if texture else np.full((24, 24, 3), 180, np.uint8)
    video, mask = np.repeat(wall[None], FRAMES, 0), np.zeros((FRAMES, 64, 96), np.uint8)
    down, right = (offset.ravel() for offset in np.mgrid[2:22:3, 2:22:3])
    places = []
    for t in range(FRAMES):
        left = 8 + STEP * t
        for top, at, role in ((4, left, 2), (36, 40, 1)):
            video[t, top : top + 24, at : at + 24], mask[t, top : top + 24, at : at + 24] = card, role
        places.append(np.concatenate([np.stack([left + right, 4 + down], -1), np.stack([40 + right, 36 + down], -1)]))
    pixels = np.array(places, np.float32)
    expected = Expected(
        mask,
        pixels,
        np.ones(pixels.shape[:2], bool),
        np.repeat([2, 1], len(down)).astype(np.uint8),
    )
    return video, expected


def test_motion_as_in_the_scene_scores_one_and_frozen_frames_score_the_half_that_rests():
    """Points that should move and points that should rest count half each, however many they are."""
    video, expected = card_that_moves()
    assert motion_fidelity(video, expected).min() > 0.97
    np.testing.assert_allclose(motion_fidelity(np.repeat(video[:1], FRAMES, 0), expected), 0.5, atol=0.03)


def test_motion_the_other_way_scores_no_more_than_what_rests():
    video, expected = card_that_moves()
    away = replace(expected, point_pixels=expected.point_pixels[::-1])
    assert motion_fidelity(video, away).max() < 0.6


def test_one_foreign_frame_is_seen_in_its_step_and_in_the_next():
    """Frame t is judged by the step that leads to it; frame 0 by the one after it."""
    video, expected = card_that_moves()
    video = video.copy()
    video[3] = wallpaper(64, 96, 0, 255)
    score = motion_fidelity(video, expected)
    assert score[[3, 4]].max() < 0.2
    assert score[[0, 1, 2, 5]].min() > 0.97
    assert score[0] == score[1]


def test_plain_surfaces_are_not_held_against_a_video():
    """Inside a card without any texture no motion can be seen; its outline shows it all the same."""
    video, expected = card_that_moves(texture=False)
    assert motion_fidelity(video, expected).min() > 0.97
    assert motion_fidelity(np.repeat(video[:1], FRAMES, 0), expected)[1:].max() < 0.8


def test_a_video_on_which_nothing_can_be_seen_does_not_follow_the_scene():
    """One colour contradicts no motion, and still is none: only what rests is as it should be."""
    _, expected = card_that_moves()
    np.testing.assert_allclose(motion_fidelity(np.full((FRAMES, 64, 96, 3), 90, np.uint8), expected), 0.5, atol=0.01)


def test_nothing_to_compare_is_nan():
    """A clip of one frame, and frames in which no point of hand or object is seen."""
    video, expected = card_that_moves()
    assert np.isnan(motion_fidelity(video[:1], expected)).tolist() == [True]
    hidden = replace(expected, point_visible=np.zeros_like(expected.point_visible))
    assert np.isnan(motion_fidelity(video, hidden)).tolist() == [True] * FRAMES


def test_where_hand_and_object_are_away_nothing_is_measured_and_elsewhere_it_is():
    """Away in frames 2 and 3: their masks, and the three steps to or from them, are NaN, whatever is shown."""
    video, expected = card_that_moves()
    away = np.isin(np.arange(FRAMES), (2, 3))
    expected = replace(
        expected,
        mask=np.where(away[:, None, None], np.uint8(0), expected.mask),
        point_visible=expected.point_visible & ~away[:, None],
    )
    outline, motion = outline_fidelity(video, expected), motion_fidelity(video, expected)
    assert np.isnan(outline).tolist() == away.tolist()
    assert np.isnan(motion).tolist() == [False, False, True, True, True, False]
    assert min(np.nanmin(outline), np.nanmin(motion)) > 0.95


def test_a_clip_of_a_camera_in_another_convention_has_no_fidelity(make_scene):
    """OpenGL's frame puts hand and object behind the camera: whatever is generated, nothing is measured, none is 1."""
    assets, frames = make_scene(3, 0.0, 90, 60)
    flipped = [
        replace(frame, camera=replace(frame.camera, T_world_cam=frame.camera.T_world_cam @ np.diag([1.0, -1, -1, 1])))
        for frame in frames
    ]
    clip = build_clip(assets, flipped, ConditioningConfig(min_agreement=0.0))
    found = fidelity(clip.rgb, build_conditions(clip, width=90, height=60))
    for name in ('value', 'outline', 'motion'):
        assert np.isnan(getattr(found, name)).all()
    assert np.isnan(found.mean)


def test_true_outlines_score_high_and_frames_that_stand_still_or_lack_the_object_low():
    """Of hand and object the one that is less as it should be counts: a hand in its place excuses no lost object."""
    video, expected = card_that_moves()
    wall = video[0].copy()
    wall[4:28, 8:32], wall[36:60, 40:64] = wall[4:28, 64:88].copy(), wall[36:60, 8:32].copy()
    assert outline_fidelity(video, expected).min() > 0.95
    still = outline_fidelity(np.repeat(video[:1], FRAMES, 0), expected)
    assert still[0] > 0.95
    assert still[1:].max() < 0.7
    assert outline_fidelity(np.repeat(wall[None], FRAMES, 0), expected).max() < 0.7
    assert outline_fidelity(np.full_like(video, 90), expected).max() == 0


def test_another_look_changes_nothing_and_another_place_much():
    """Other light, tone, textures and a background of its own are free; where hand and object are is not."""
    video, expected = card_that_moves()
    looks = np.where(expected.mask[..., None] > 0, 255 - video // 2, wallpaper(64, 96, 90, 120) // 2)
    darker = video.copy()
    darker[:, 50:60, 2:30] //= 2
    for other in (looks, darker, video // 2):
        assert outline_fidelity(other.astype(np.uint8), expected).min() > 0.9
    for shift in ((0, 5), (5, 0), (-4, -4)):
        assert outline_fidelity(np.roll(looks, shift, (1, 2)).astype(np.uint8), expected).max() < 0.6


def test_wide_videos_are_judged_as_narrow_ones(make_scene):
    """The same scene at three times the size has the same scores, within what the smaller picture blurs."""
    scores = {}
    for width, height in ((180, 120), (540, 360)):
        assert (width > WIDEST) == (width == 540)
        clip = build_clip(*make_scene(5, 0.1, width, height))
        conditions = build_conditions(clip, width=width, height=height)
        still = np.repeat(clip.rgb[:1], 5, 0)
        scores[width] = fidelity(clip.rgb, conditions), fidelity(still, conditions)
        true, frozen = scores[width]
        assert true.value.min() > 0.75
        assert frozen.value[1:].max() < 0.6
        np.testing.assert_array_equal(true.value, np.fmin(true.outline, true.motion))
    for narrow, wide in zip(scores[180], scores[540], strict=True):
        np.testing.assert_allclose(narrow.value, wide.value, atol=0.12)


def test_frames_of_another_size_are_refused(clip):
    conditions = build_conditions(clip, width=90, height=60)
    with pytest.raises(ValueError, match=r'frames: expected uint8 \[5, 60, 90, 3\] as the conditions, got uint8'):
        fidelity(clip.rgb, conditions)


def test_the_record_refuses_scores_that_are_none():
    """What was not measured is NaN, and does not count; anything else is in [0, 1]."""
    half, unknown = np.full(3, 0.5, np.float32), np.full(3, np.nan, np.float32)
    assert Fidelity(half, unknown, unknown).mean == 0.5
    assert Fidelity(np.array([np.nan, 1, 0.5], np.float32), half, half).mean == 0.75
    with pytest.raises(RecordError, match=r'value: expected scores in \[0, 1\].*motion: expected scores in \[0, 1\]'):
        Fidelity(-half, half, half * np.inf)
