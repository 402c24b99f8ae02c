"""Conditions as tensors: the reference that the decoder sees."""

import numpy as np

from hoigen.video.inputs import Appearance, reference_video, relit


def test_points_stand_where_they_are_and_say_whether_their_colour_is_known():
    """What is no point of hand or object must not colour the picture, whatever the arrays hold there."""
    shape = (1, 16, 16)
    coloured = np.full((*shape, 3), 255, np.uint8)
    state = np.zeros(shape, np.uint8)
    state[:, :, 4:8], state[:, :, 8:] = 1, 2
    nothing = np.zeros(shape, np.uint8)
    reference = reference_video(
        Appearance(np.zeros_like(coloured), nothing == 0, coloured, state, nothing, np.ones(3, np.float32))
    )
    assert reference.shape == (1, 1, 9, 16, 16)
    assert reference[0, 0, 4:, 8].tolist() == [[0] * 4 + [1] * 12] * 3 + [
        [0] * 4 + [1] * 4 + [0] * 8,
        [0] * 8 + [1] * 8,
    ]


def test_a_shadow_that_moves_leaves_the_table_as_it_was_and_darkens_the_new_place():
    """A table of one colour under a shadow of half its light: wherever the shadow goes, the rest is evenly lit."""
    gain = np.full(3, 0.5, np.float32)
    shadow = np.zeros((16, 32), np.uint8)
    shadow[4:12, 4:12] |= 1
    shadow[4:12, 20:28] |= 2
    background = np.where((shadow & 1)[..., None] > 0, 80, 160).astype(np.uint8).repeat(3, axis=-1)
    plate = relit(background, np.zeros((16, 32), bool), shadow, gain)
    assert np.abs(plate[shadow & 2 == 0].astype(int) - 160).max() <= 2  # rounding of light taken off and painted in
    assert np.abs(plate[shadow & 2 > 0].astype(int) - 80).max() <= 2


def test_a_shadow_that_stays_changes_no_pixel():
    rng = np.random.default_rng(0)
    background = rng.integers(0, 255, (16, 32, 3), np.uint8)
    shadow = np.zeros((16, 32), np.uint8)
    shadow[4:12, 4:12] = 3
    assert np.array_equal(relit(background, np.zeros((16, 32), bool), shadow, np.full(3, 0.3, np.float32)), background)
