"""One episode in several looks: only what it looks like may differ."""

from __future__ import annotations

import numpy as np
import pytest
from simulated_scene import Simulated, simulate

from hoigen.models.look_words import PARTS, colours_of
from hoigen.records import SceneFrame
from hoigen.sources.mujoco.looks import Look, look_of


@pytest.fixture(scope='module')
def other(lifted_ball: Simulated) -> tuple[Look, list[SceneFrame]]:
    look = look_of(lifted_ball.episode, 1)
    return look, list(look.frames())


def test_the_first_look_is_the_episodes_own(lifted_ball: Simulated) -> None:
    for own, frame in zip(lifted_ball.frames, look_of(lifted_ball.episode, 0).frames(), strict=True):
        np.testing.assert_array_equal(frame.rgb, own.rgb)


def test_another_look_keeps_poses_camera_and_labels(
    lifted_ball: Simulated, other: tuple[Look, list[SceneFrame]]
) -> None:
    """The geometry of one look is the truth of all, so that a model cannot read the look from it."""
    look, frames = other
    assert {asset.id for asset in look.episode.assets} == {asset.id for asset in lifted_ball.episode.assets}
    for own, frame in zip(lifted_ball.frames, frames, strict=True):
        assert frame.stamp_ns == own.stamp_ns
        np.testing.assert_array_equal(frame.camera.T_world_cam, own.camera.T_world_cam)
        for name, pose in own.poses.items():
            np.testing.assert_array_equal(frame.poses[name], pose)
        assert np.abs(frame.rgb.astype(int) - own.rgb).mean() > 10


def test_a_look_follows_from_its_number(lifted_ball: Simulated, other: tuple[Look, list[SceneFrame]]) -> None:
    again = next(look_of(lifted_ball.episode, 1).frames())
    np.testing.assert_array_equal(again.rgb, other[1][0].rgb)
    assert look_of(lifted_ball.episode, 2).prompt != other[0].prompt


def test_the_empty_scene_is_the_image_where_hand_and_object_are_not(lifted_ball: Simulated) -> None:
    """And without their shadows; the scene itself is drawn as before afterwards."""
    look = look_of(lifted_ball.episode, 0)
    clean_background, (first, *_) = look.clean_background(), lifted_ball.frames
    same = (clean_background == first.rgb).all(axis=-1)
    assert 0.4 < same.mean() < 0.9
    np.testing.assert_array_equal(next(look.frames()).rgb, first.rgb)


def test_the_prompt_names_the_colour_of_every_part(
    lifted_ball: Simulated, other: tuple[Look, list[SceneFrame]]
) -> None:
    """The small model reads colours by :func:`colours_of`: a name that it does not know would be lost in silence."""
    for look in (look_of(lifted_ball.episode, 0), other[0]):
        assert look.prompt.startswith(look.episode.plan.sentence)
        assert tuple(colours_of(look.prompt)) == PARTS
        assert colours_of(look.prompt)['object'] == look.episode.scene.colour
        assert look.episode.scene.colour in look.episode.plan.sentence


def test_a_chest_stands_where_its_task_put_it() -> None:
    """It is no free body: its place is the scene's, not the motion's."""
    episode = simulate(4, frames=4, rate_hz=2.0, shape='chest').episode
    own, other = (next(look_of(episode, number).frames()).poses for number in (0, 1))
    assert own['object_base'][:2, 3].any()
    for name, pose in own.items():
        np.testing.assert_array_equal(other[name], pose)
