"""What the masks without learned weights are made of: background, colours, field and the numbers of hands."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from hoigen.geometry.transforms import look_at, rigid
from hoigen.perception.masks.background import Witnesses, heights
from hoigen.perception.masks.colour import Palette
from hoigen.perception.masks.field import Links, settle
from hoigen.perception.masks.instances import numbered_parts
from hoigen.perception.masks.motion import unlike_background
from hoigen.perception.masks.skin import skin_likeness
from hoigen.perception.masks.view import View, enlarge
from hoigen.records import Camera

K = np.array([[100.0, 0, 39.5], [0, 100.0, 29.5], [0, 0, 1]])


def still_view(lab: np.ndarray) -> View:
    count, height, width = lab.shape[:3]
    flow, sure = np.zeros((count - 1, height, width, 2), np.float32), np.ones((count - 1, height, width), bool)
    return View(lab, None, (), flow, flow, sure, sure)


def test_other_moments_saw_through_what_is_gone_then_and_not_through_what_stays() -> None:
    """A block that leaves after frame 3 and one that stays, before a wall, with the camera moving to the right."""
    depth, cameras = [], []
    for t in range(8):
        frame, shift = np.full((60, 80), 1.0, np.float32), 0.005 * t
        for left, there in ((15, t < 4), (50, True)):
            column = round(left - 100 * shift / 0.5)
            if there:
                frame[20:40, column : column + 15] = 0.5
        depth.append(frame)
        cameras.append(Camera(K, 80, 60, rigid(np.eye(3), np.array([shift, 0, 0]))))
    seen = Witnesses(np.stack(depth), tuple(cameras))
    assert (seen.through[0, 24:36, 18:27] == 4).all()
    assert (seen.rest[0, 24:36, 18:27] == 4).all()
    assert (seen.through[0, 24:36, 53:62] == 0).all()
    assert (seen.rest[0, 24:36, 53:62] == 8).all()


def test_heights_are_metres_above_the_table_that_a_tilted_camera_sees() -> None:
    camera = Camera(K, 80, 60, look_at(np.array([0.0, -0.5, 0.6]), np.zeros(3)))
    v, u = np.mgrid[0:60, 0:80]
    rays = np.stack([(u - 39.5) / 100, (v - 29.5) / 100, np.ones((60, 80))], -1) @ camera.T_world_cam[:3, :3].T
    depth = ((0.0 - 0.6) / rays[..., 2]).astype(np.float32)
    box = (slice(25, 35), slice(35, 45))
    depth[box] = ((0.05 - 0.6) / rays[..., 2])[box]
    depth[0, 0] = np.nan
    above = heights(depth[None], (camera,), np.random.default_rng(0))[0]
    assert np.isnan(above[0, 0])
    assert np.abs(above[box] - 0.05).max() < 0.002
    above[box] = 0
    assert np.nanmax(np.abs(above)) < 0.002


def test_shade_keeps_the_colour_and_paint_does_not() -> None:
    floor = np.array([[[200, 150, 100]]], np.uint8)
    others = {'shade': (120, 90, 60), 'paint': (100, 90, 160), 'same': (200, 150, 100)}
    background = cv2.cvtColor(floor, cv2.COLOR_RGB2LAB)[None].astype(np.float32)
    found = {
        name: unlike_background(cv2.cvtColor(np.array([[rgb]], np.uint8), cv2.COLOR_RGB2LAB)[None], background)
        for name, rgb in others.items()
    }
    assert found['shade'][1].all()
    assert not found['paint'][1].any()
    assert float(found['paint'][0].max()) > 20 > 1 > float(found['same'][0].max())


@pytest.mark.parametrize(
    ('rgb', 'skin'),
    [
        ((224, 172, 145), True),
        ((125, 90, 75), True),
        ((200, 200, 200), False),
        ((60, 120, 60), False),
        ((40, 60, 160), False),
    ],
)
def test_skin_of_any_shade_is_told_from_grey_green_and_blue(rgb: tuple[int, int, int], skin: bool) -> None:
    lab = cv2.cvtColor(np.array([[rgb]], np.uint8), cv2.COLOR_RGB2LAB)[None]
    assert (float(skin_likeness(lab).max()) > 0) == skin


def test_a_palette_favours_the_colours_that_it_learned() -> None:
    lab = np.zeros((1, 4, 20, 3), np.uint8)
    lab[..., :10, :], lab[..., 10:, :] = (120, 160, 150), (120, 100, 110)
    palette, left = Palette(lab), np.zeros((1, 4, 20), bool)
    left[..., :10] = True
    odds = palette.favours(palette.learn(left), palette.learn(~left), 2.5)
    assert (odds[..., :10] == 2.5).all()
    assert (odds[..., 10:] == -2.5).all()
    assert not palette.learn(np.zeros_like(left)).any()


def test_the_field_fills_unknown_pixels_from_neighbours_of_their_colour() -> None:
    lab = np.full((3, 12, 20, 3), 128, np.uint8)
    lab[:, :, 10:] = (220, 170, 90)
    score = np.zeros((3, 12, 20, 2), np.float32)
    score[1, :, 2, 0], score[1, :, 11, 1] = 4, 4
    flow, sure = np.zeros((2, 12, 20, 2), np.float32), np.ones((2, 12, 20), bool)
    belief = settle(score, Links(lab, None, flow, flow, sure, sure), np.ones((3, 12, 20), bool), 30)
    assert np.allclose(belief.sum(-1), 1, atol=1e-4)
    assert (belief.argmax(-1)[:, :, :9] == 0).all()
    assert (belief.argmax(-1)[:, :, 11:] == 1).all()


def test_pixels_outside_the_field_are_scene() -> None:
    score = np.zeros((2, 4, 4, 3), np.float32)
    score[..., 1] = 5
    flow, sure = np.zeros((1, 4, 4, 2), np.float32), np.ones((1, 4, 4), bool)
    lab = np.zeros((2, 4, 4, 3), np.uint8)
    belief = settle(score, Links(lab, None, flow, flow, sure, sure), np.zeros((2, 4, 4), bool), 2)
    assert (belief[..., 0] == 1).all()


def test_two_hands_that_meet_and_part_keep_their_numbers() -> None:
    mask = np.zeros((20, 40, 100), bool)
    left = [10 + 2 * min(t, 19 - t) for t in range(20)]
    for t, x in enumerate(left):
        mask[t, 10:30, x : x + 22] = True
        mask[t, 12:32, 90 - x - 22 + 4 : 90 - x + 4] = True
    found = numbered_parts(mask, still_view(np.zeros((20, 40, 100, 3), np.uint8)))
    assert set(np.unique(found)) == {0, 1, 2}
    one, other = int(found[0, 20, 20]), int(found[0, 20, 75])
    assert one != other
    assert (found[-1, 20, 20], found[-1, 20, 75]) == (one, other)
    assert set(np.unique(found[9])) == {0, 1, 2}, 'both are still there while they touch'


def test_a_hand_that_comes_back_has_its_old_number() -> None:
    mask = np.zeros((12, 40, 100), bool)
    mask[:, 10:30, 5:30] = True
    mask[:4, 10:30, 60:85], mask[8:, 10:30, 55:80] = True, True
    found = numbered_parts(mask, still_view(np.zeros((12, 40, 100, 3), np.uint8)))
    number = int(found[0, 20, 70])
    assert number > 0
    assert not (found[4:8] == number).any()
    assert (found[8:, 10:30, 55:80] == number).all()
    assert (found[:, 10:30, 5:30] == found[0, 20, 10]).all()


def test_two_arms_whose_hands_hardly_part_are_two_hands() -> None:
    """They enter the picture at two places, as egocentric arms do."""
    mask = np.zeros((12, 60, 120), bool)
    for t in range(12):
        mask[t, 20:, 10:30], mask[t, 20:, 90:110] = True, True
        mask[t, 20:30, 30:90] = t % 6 > 0
    found = numbered_parts(mask, still_view(np.zeros((12, 60, 120, 3), np.uint8)))
    assert len({int(found[t, 50, 20]) for t in range(12)}) == 1
    assert (found[:, 50, 20] != found[:, 50, 100]).all()


def test_one_hand_that_an_object_hides_in_part_is_one_hand() -> None:
    mask = np.zeros((12, 40, 100), bool)
    mask[:, 10:30, 5:80] = True
    mask[5:7, :, 40:52] = False
    found = numbered_parts(mask, still_view(np.zeros((12, 40, 100, 3), np.uint8)))
    assert set(np.unique(found)) == {0, 1}


def test_labels_at_full_size_follow_the_likeliest_belief() -> None:
    belief = np.zeros((1, 2, 4, 3), np.float32)
    belief[..., :2, 0], belief[..., 2:, 2] = 1, 1
    labels = enlarge(belief, 20, 40)
    assert labels.shape == (1, 20, 40)
    assert (labels[..., :19] == 0).all()
    assert (labels[..., 21:] == 2).all()
