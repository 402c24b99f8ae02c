"""Contact labels: within the distance of the other party's surface, however sparsely that is sampled."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic_scene import ball, box, camera_at, frame_of

from hoigen.conditioning import ConditioningConfig, build_clip
from hoigen.geometry.transforms import rigid


def contact_at(gap_m: float, side_m: float = 0.12) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Contact, points and role of a ball (hand, radius 5 cm) above a box (object) whose top is at z = 0."""
    assets = (ball('palm', 'hand', 0.05, rings=40), box('crate', 'object', (side_m, side_m, 0.1)))
    poses = {
        'palm': rigid(np.eye(3), np.array([0, 0, 0.05 + gap_m])),
        'crate': rigid(np.eye(3), np.array([0, 0, -0.05])),
    }
    frame = frame_of(assets, poses, camera_at((0.7, 0, 0.5)), 0)
    clip = build_clip(assets, [frame], ConditioningConfig(points=4000, tracks=10))
    return clip.point_contact[0], clip.points[0], clip.point_role


@pytest.mark.parametrize('side_m', [0.12, 0.8])
def test_contact_is_the_true_distance(side_m: float) -> None:
    """Hand samples in contact are those lower than 5 mm over the box, even on a box whose samples lie 2 cm apart."""
    contact, points, role = contact_at(0.001, side_m)
    hand = role == 1
    np.testing.assert_array_equal(contact[hand], points[hand, 2] <= 0.005)
    assert contact[hand].sum() > 20


def test_both_parties_touch() -> None:
    """The object's samples under the hand are in contact too, and only those."""
    contact, points, role = contact_at(0.001)
    touched = points[(role == 2) & contact]
    assert len(touched) > 5
    assert np.linalg.norm(touched[:, :2], axis=1).max() < 0.035
    assert np.abs(touched[:, 2]).max() < 1e-6


def test_apart_is_no_contact() -> None:
    """6 mm apart is more than the contact distance of 5 mm."""
    assert not contact_at(0.006)[0].any()
