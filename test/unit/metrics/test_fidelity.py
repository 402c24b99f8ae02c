"""Fidelity: high for frames that show what the condition asks for, low for those that do not."""

from types import SimpleNamespace

import numpy as np

from hoigen.metrics.fidelity import mask_fidelity


def square_that_moves(frames=3):
    """A red square on grey moves right; the place where it was in frame 0 has no known background."""
    mask = np.zeros((frames, 48, 64), np.uint8)
    for t in range(frames):
        mask[t, 16:32, 8 + 3 * t:24 + 3 * t] = 2
    background = np.full((frames, 48, 64, 3), 120, np.uint8)
    video = np.where(mask[..., None] > 0, np.array([200, 30, 30], np.uint8), background)
    known = np.repeat(mask[:1] == 0, frames, 0)
    conditions = SimpleNamespace(mask=mask, background=background, background_known=known,
                                 coloured=video * (mask > 0)[..., None], coloured_state=np.where(mask > 0, 2, 0))
    return video, conditions


def test_true_frames_score_high_from_the_first_small_motion_on():
    """A hand that has moved by a few pixels leaves little known background behind: it must not score 0 for that."""
    video, conditions = square_that_moves()
    assert mask_fidelity(video, conditions).min() > 0.9


def test_frames_that_stand_still_or_lack_the_object_score_low():
    video, conditions = square_that_moves(6)
    still = mask_fidelity(np.repeat(video[:1], 6, 0), conditions)
    assert still[0] > 0.9
    assert still[-1] < 0.5
    assert mask_fidelity(conditions.background, conditions).max() < 0.1
