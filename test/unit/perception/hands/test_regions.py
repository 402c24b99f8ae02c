"""Regions of hands: what is found in a turned part of an image must come back to where it is in the image."""

import cv2
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hoigen.perception.hands.regions import corners, cut, out_of, overlap, region_of_keypoints, upright_shape

HAND = np.array(
    [[0, 0], *[[x * r, -20 - 20 * r] for x in (-14, -6, 0, 6, 12) for r in (0.4, 0.8, 1.2, 1.6)]], np.float64
)  # upright: wrist below, fingers above

angles = st.floats(-np.pi, np.pi)


def turned(points: np.ndarray, angle: float) -> np.ndarray:
    c, s = np.cos(angle), np.sin(angle)
    return points @ np.array([[c, s], [-s, c]])


@given(angle=angles, scale=st.floats(0.5, 3), u=st.floats(-200, 200), v=st.floats(-200, 200))
def test_a_hand_s_region_moves_turns_and_grows_with_it(angle, scale, u, v):
    plain, moved = region_of_keypoints(np.stack([HAND, turned(HAND * scale, angle) + np.array([u, v])]))
    assert np.allclose(moved[:2], turned(plain[:2] * scale, angle) + np.array([u, v]), atol=1e-6)
    assert np.isclose(moved[2], plain[2] * scale)
    assert np.isclose(np.cos(moved[3] - plain[3] - angle), 1)


@given(angle=angles)
@settings(max_examples=20, deadline=None)
def test_what_is_seen_in_a_cut_lies_where_it_was(angle):
    image = np.zeros((240, 320, 3), np.uint8)
    spots = turned(np.array([[-40.0, -30.0], [35.0, 20.0], [5.0, 45.0]]), angle) + np.array([160, 120])
    region = np.array([160, 120, 140, angle])
    for spot in spots:
        image[:] = 0
        cv2.circle(image, np.rint(spot).astype(int).tolist(), 3, (255, 255, 255), cv2.FILLED)
        part = cut(image, region, 224)[..., 0].astype(float)
        v, u = np.mgrid[:224, :224]
        found = np.array([(part * u).sum(), (part * v).sum()]) / part.sum()
        assert np.abs(out_of(region, found / 224) - np.rint(spot)).max() < 0.6


@given(angle=angles)
def test_an_upright_hand_s_shape_turns_with_the_region(angle):
    shape = np.array([[0.0, -0.08, 0.01], [0.02, 0.03, -0.02]])
    region = np.array([10.0, 20.0, 100.0, angle])
    there = out_of(region, shape[:, :2] / 0.1 + 0.5) - region[:2]
    assert np.allclose(upright_shape(region, shape)[:, :2] * 1000, there, atol=1e-4)
    assert np.allclose(upright_shape(region, shape)[:, 2], shape[:, 2])


def test_overlap_is_that_of_the_boxes_around():
    regions = np.array([[0.0, 0, 10, 0], [5, 0, 10, 0], [100, 0, 10, 0], [0, 0, 10, np.pi / 2]])
    assert np.allclose(overlap(regions[:1], regions), [[1, 1 / 3, 0, 1]])
    assert np.allclose(corners(regions[:1])[0], [[-5, -5], [5, -5], [5, 5], [-5, 5]])
