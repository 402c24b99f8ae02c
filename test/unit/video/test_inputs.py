"""Conditions as tensors: the reference that the decoder sees."""

import numpy as np
import torch

from hoigen.video.inputs import Appearance, fill, reference_video, relit


def test_fill_keeps_what_is_known_and_stays_between_the_known_colours():
    """Filling must not invent: known pixels stay, a hole between two colours takes something in between."""
    colour = torch.zeros(1, 1, 16, 32)
    colour[..., 16:] = 1
    known = torch.ones_like(colour)
    known[..., 8:24] = 0
    filled = fill(colour, known)
    assert torch.equal(filled[known > 0], colour[known > 0])
    assert filled.min() >= 0
    assert filled.max() <= 1
    assert filled[0, 0, 8, 9] < 0.5 < filled[0, 0, 8, 22]


def test_unknown_colours_come_from_their_own_role():
    """A hand pixel of unknown colour beside the object must not take the object's colour."""
    mask = np.full((1, 16, 16), 1, np.uint8)
    mask[:, :, 10:] = 2
    coloured = np.zeros((1, 16, 16, 3), np.uint8)
    coloured[:, :, :4], coloured[:, :, 10:] = (255, 0, 0), (0, 0, 255)
    state = np.full((1, 16, 16), 2, np.uint8)
    state[:, :, 4:10] = 1
    reference = reference_video(Appearance(np.zeros_like(coloured), np.ones_like(mask, dtype=bool), coloured, state,
                                           np.zeros_like(mask), np.ones(3, np.float32), mask))
    assert reference.shape == (1, 1, 9, 16, 16)
    assert torch.allclose(reference[0, 0, 4:7, 8, 9], torch.tensor([1.0, -1.0, -1.0]), atol=1e-5)
    assert torch.equal(reference[0, 0, 4:7, 8, 12], torch.tensor([-1.0, -1.0, 1.0]))


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
