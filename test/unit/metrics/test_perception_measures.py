"""Measures of perception: exact on hand-made cases, worse when the input is worse."""

import numpy as np
import pytest

from hoigen.geometry.alignment import Similarity
from hoigen.geometry.transforms import look_at, rigid
from hoigen.metrics.perception import absrel, average_jaccard, camera_errors, mask_iou, place_errors_mm


def test_iou_counts_frames_alike() -> None:
    """A frame with nothing in truth and result does not count; one with a false mask counts 0."""
    true = np.zeros((3, 4, 4), bool)
    true[0, :2] = True
    found = true.copy()
    found[0, 1] = False
    assert mask_iou(found, true) == pytest.approx(0.5)
    found[1, 0, 0] = True
    assert mask_iou(found, true) == pytest.approx(0.25)
    assert np.isnan(mask_iou(true[1:], true[1:]))


def test_absrel_leaves_out_what_is_unknown() -> None:
    """Unknown depth is a gap, not an error; a wrong one counts relative to the true one."""
    true, depth = np.array([[[1.0, 2.0, np.nan, 4.0]]]), np.array([[[1.1, np.nan, 3.0, 4.0]]])
    assert absrel(depth, true) == pytest.approx(0.05)
    assert np.isnan(absrel(np.full_like(true, np.nan), true))


def test_place_errors_are_millimetres_after_carrying() -> None:
    """The transform is applied to what was found, and errors are told in mm."""
    carry = Similarity(2.0, np.eye(3), np.array([0.0, 0.0, 1.0]))
    assert place_errors_mm(np.zeros((1, 3)), np.array([[0.0, 0.0, 1.005]]), carry) == pytest.approx([5.0])


def test_cameras_are_compared_relative_to_the_first() -> None:
    """Another world changes nothing; a turn by 1 degree and a way of 10 mm are told as such."""
    eyes = [look_at(np.array([0.1 * k, -1.0, 0.5]), np.zeros(3)) for k in range(3)]
    moved = [look_at(np.array([3.0, 1.0, 0.5]), np.zeros(3)) @ pose for pose in eyes]
    assert camera_errors(moved, eyes, 1.0) == pytest.approx((0, 0), abs=1e-4)
    angle = np.radians(1.0)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    wrong = [eyes[0], *(pose @ rigid(turn, np.array([0.01, 0, 0])) for pose in eyes[1:])]
    assert camera_errors(wrong, eyes, 1.0) == pytest.approx((1.0, 10.0), rel=1e-6)
    assert all(np.isnan(camera_errors(eyes[:1], eyes[:1], 1.0)))


def test_average_jaccard_punishes_place_and_visibility() -> None:
    """Perfect is 1; a far point counts as both false and missed; a hidden point said visible is false."""
    errors, seen = np.zeros((1, 4)), np.ones((1, 4), bool)
    assert average_jaccard(errors, seen, seen) == 1.0
    errors[0, 0] = 1000.0
    assert average_jaccard(errors, seen, seen) == pytest.approx(3 / 5)
    assert average_jaccard(np.zeros((1, 4)), seen, np.array([[True, True, True, False]])) == pytest.approx(3 / 4)
    assert average_jaccard(np.full((1, 1), 15.0), seen[:, :1], seen[:, :1]) == pytest.approx(3 / 5)


def test_average_jaccard_of_nothing_is_nan() -> None:
    """No point visible, said or truly: neither right nor wrong."""
    none = np.zeros((2, 3), bool)
    assert np.isnan(average_jaccard(np.zeros((2, 3)), none, none))
    assert average_jaccard(np.zeros((2, 3)), ~none, none) == 0
