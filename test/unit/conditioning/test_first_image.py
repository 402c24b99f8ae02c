"""A first image of another appearance: accepted where it shows hand and object in place, in whatever colours."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from restyled import COLOURS, restyled
from simulated_scene import simulate

from hoigen.conditioning import FirstImageError, build_clip, build_conditions, checked_background, with_first_image
from hoigen.conventions import HAND, OBJECT, ROLE_CODE
from hoigen.sources.mujoco import look_of

SIZE = {'width': 96, 'height': 64}


@pytest.fixture(scope='module')
def simulated():
    """Two episodes, of other objects and other plans."""
    return [
        simulate(seed, width=240, height=160, frames=4, rate_hz=2.0, shape=shape)
        for seed, shape in ((3, 'carton'), (4, 'chest'))
    ]


@pytest.fixture(scope='module')
def clips(simulated):
    """Two frames of each episode."""
    return [build_clip(it.episode.assets, [it.frames[0], it.frames[-1]]) for it in simulated]


def test_own_and_restyled_images_fit_and_others_do_not(clips):
    """Whatever the colours; one of another episode or another instant, or aside, would make every label untrue."""
    for n, (clip, other) in enumerate((clips, clips[::-1])):
        for image in (clip.rgb[0], restyled(clip, n)):
            _, ranks = with_first_image(clip, image)
            assert set(ranks) == {HAND, OBJECT}
            assert min(ranks.values()) > 0.72
        aside = [np.roll(restyled(clip), by, axis) for by in (-8, 8) for axis in (0, 1)]
        for image in (other.rgb[0], restyled(other), clip.rgb[-1], *aside, np.zeros_like(clip.rgb[0])):
            with pytest.raises(FirstImageError, match=r"expected frame 0's hand and object where the clip has them"):
                with_first_image(clip, image)


def test_another_look_of_the_simulator_fits_with_its_empty_scene(simulated, clips):
    """The same instant with other surfaces and light, and what that camera sees without hand and object."""
    for made, clip in zip(simulated, clips, strict=True):
        looks = [look_of(made.episode, number) for number in (1, 2)]
        styled = [with_first_image(clip, next(look.frames()).rgb)[0] for look in looks]
        plates = [look.clean_background() for look in looks]
        for it, plate in zip(styled, plates, strict=True):
            assert np.array_equal(checked_background(it, plate), plate)
        with pytest.raises(FirstImageError, match='expected the scene of the first image'):
            checked_background(styled[0], plates[1])


def test_edges_near_the_outlines_are_no_outlines(clips):
    """Noise all about hand and object has strong edges on every outline, and as strong ones beside it."""
    clip, rng = clips[0], np.random.default_rng(0)
    near = cv2.dilate((clip.mask[0] > 0).astype(np.uint8), np.ones((25, 25), np.uint8))[..., None]
    image = near * rng.integers(0, 256, clip.rgb[0].shape, np.uint8)
    with pytest.raises(
        FirstImageError, match=r'higher on their outlines than 2\.5% of the width aside, got 0\.\d\d and'
    ):
        with_first_image(clip, image)


def test_the_clip_takes_the_colours_and_keeps_the_rest(clips):
    """At the clip's size, from a larger image; points and what conditions carry of frame 0 have the new colours."""
    clip = clips[0]
    image = restyled(clip)
    made, ranks = with_first_image(clip, cv2.resize(image, (480, 320), interpolation=cv2.INTER_NEAREST))
    assert np.array_equal(made.rgb[0], image)
    assert ranks == with_first_image(clip, image)[1]
    for name in ('depth_m', 'mask', 'points', 'tracks', 'point_visible', 'labels', 'stamps_ns'):
        assert np.array_equal(getattr(made, name), getattr(clip, name))
    assert np.array_equal(made.rgb[1:], clip.rgb[1:])
    for role in (HAND, OBJECT):
        mean = made.point_rgb[(clip.point_role == ROLE_CODE[role]) & made.point_rgb_known].mean(0)
        assert np.abs(mean / mean.sum() - np.array(COLOURS[role]) / sum(COLOURS[role])).max() < 0.04
    conditions = build_conditions(made, **SIZE)
    known = conditions.background_known[-1] & (conditions.mask[-1] == 0)
    assert conditions.background[-1][known].argmax(-1).mean() == pytest.approx(1, abs=0.05), 'the table is green'
    assert conditions.coloured[-1][conditions.coloured_state[-1] == 2].argmax(-1).mean() < 0.3, 'pink and yellow'


def test_what_an_image_cannot_be_held_against_is_refused(clips):
    clip = clips[0]
    with pytest.raises(FirstImageError, match=r"expected the camera's aspect, 240x160, got 200x160"):
        with_first_image(clip, clip.rgb[0][:, :200])
    with pytest.raises(
        FirstImageError, match='outlines of hand or object in frame 0 to hold the image against, got less than 60'
    ):
        with_first_image(replace(clip, mask=np.zeros_like(clip.mask)), clip.rgb[0])


@pytest.fixture(scope='module')
def plate(clips):
    """A clean background of the restyled scene: stripes where hand and object hide it, so that it can be told."""
    clip, stripes = clips[0], np.uint8([30, 60, 200])
    return np.where((clip.mask[0] > 0)[..., None], stripes, restyled(clip))


def test_a_clean_background_is_known_behind_hand_and_object(clips, plate):
    """Everywhere, in every frame, and it shows no shadow of frame 0 that would have to be taken off."""
    clip, _ = with_first_image(clips[0], restyled(clips[0]))
    plain = build_conditions(clip, **SIZE)
    assert not plain.background_known.all()
    assert (plain.shadow & 1).any()
    background = checked_background(clip, cv2.resize(plate, (480, 320), interpolation=cv2.INTER_NEAREST))
    assert np.array_equal(background, plate)
    conditions = build_conditions(clip, background=background, **SIZE)
    assert conditions.background_known.all()
    assert not (conditions.shadow & 1).any()
    hidden = plain.mask[0] == ROLE_CODE[OBJECT]
    assert (conditions.background[:, hidden].argmax(-1) == 2).mean() > 0.9


def test_a_background_that_is_none_is_refused(clips, plate):
    clip, _ = with_first_image(clips[0], restyled(clips[0]))
    with pytest.raises(FirstImageError, match=r'without hand and object, at most 70% .* got 100%'):
        checked_background(clip, clip.rgb[0])
    with pytest.raises(
        FirstImageError, match=r'expected the scene of the first image, 60% of its pixels within .* got \d+%'
    ):
        checked_background(clip, 255 - plate)
    with pytest.raises(FirstImageError, match=r"expected the camera's aspect"):
        checked_background(clip, plate[:100])
    moved = clip.cameras[1].T_world_cam.copy()
    moved[0, 3] += 1e-3
    swayed = replace(clip, cameras=(clip.cameras[0], replace(clip.cameras[1], T_world_cam=moved)))
    with pytest.raises(FirstImageError, match='expected a camera that stands still, got one that moves in frame 1'):
        checked_background(swayed, plate)
