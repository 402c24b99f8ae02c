"""Conditions as tensors: the reference that the decoder sees."""

import numpy as np
import torch

from hoigen.video.inputs import fill, reference_video


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
    reference = reference_video(np.zeros_like(coloured), np.ones_like(mask, dtype=bool), coloured, state, mask)
    assert reference.shape == (1, 1, 9, 16, 16)
    assert torch.allclose(reference[0, 0, 4:7, 8, 9], torch.tensor([1.0, -1.0, -1.0]), atol=1e-5)
    assert torch.equal(reference[0, 0, 4:7, 8, 12], torch.tensor([-1.0, -1.0, 1.0]))
