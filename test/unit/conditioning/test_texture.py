"""Colours of what the first picture does not show."""

from dataclasses import replace

import numpy as np
from synthetic_scene import moving_scene

from hoigen.conditioning import ConditioningConfig, build_clip
from hoigen.conditioning.texture import guessed_colours

CLIP = build_clip(*moving_scene(2), ConditioningConfig(points=600, tracks=20))


def test_a_hidden_sample_looks_like_the_shown_ones_around_it_in_space():
    """Two ends of the hand, of two colours: each hidden sample must take the colour of its own end."""
    place = np.zeros((2, 600, 3), np.float32)
    place[:, :300, 0], place[:, 300:, 0] = np.linspace(0, 0.1, 300), np.linspace(1.0, 1.1, 300)
    rgb = np.zeros((600, 3), np.uint8)
    rgb[:300], rgb[300:] = (200, 10, 10), (10, 10, 200)
    known = np.arange(600) % 5 == 0
    clip = replace(
        CLIP, points=place, point_role=np.ones(600, np.uint8), point_rgb=rgb * known[:, None], point_rgb_known=known
    )
    assert np.abs(guessed_colours(clip).astype(int) - rgb).max() <= 2


def test_what_is_shown_keeps_its_colour_and_roles_do_not_mix():
    """With one hand sample shown, every hidden one looks like it, however near the object is; the object likewise."""
    known = np.zeros(600, bool)
    hand, thing = (np.flatnonzero(CLIP.point_role == role) for role in (1, 2))
    known[[hand[3], thing[5]]] = True
    rgb = np.zeros((600, 3), np.uint8)
    rgb[hand[3]], rgb[thing[5]] = (250, 120, 60), (20, 140, 220)
    found = guessed_colours(replace(CLIP, point_rgb=rgb, point_rgb_known=known))
    assert (found[hand] == (250, 120, 60)).all()
    assert (found[thing] == (20, 140, 220)).all()
    assert (found[CLIP.point_role == 0] == 0).all()
