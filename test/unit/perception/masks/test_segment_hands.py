"""Masks of hands whose keypoints are known, on drawn ones."""

from __future__ import annotations

import numpy as np
import pytest
from drawn_hands import CLOTH, SKIN, Arm, Drawn, Thing, draw, without

from hoigen.conventions import HAND, ROLE_CODE
from hoigen.perception.flow import measure_flow
from hoigen.perception.masks.hands import BRIDGED
from hoigen.perception.masks.segment import segment
from hoigen.perception.records import Hands, Segmentation

FRAMES = 12


@pytest.fixture(scope='module')
def kitchen() -> Drawn:
    """Two arms, the right one in a sleeve, over a table that moves, with a thing of skin's colour and one of the
    sleeve's on it."""

    def table(t: int) -> tuple[float, float]:
        return 1.0 * t, 0.0

    things = [Thing(lambda t: (280 + t, 40), (20, 15), SKIN), Thing(lambda t: (160 + t, 150), (9, 9), CLOTH)]
    arms = [Arm(lambda t: (80 + 2 * t, 120)), Arm(lambda t: (250 - 2 * t, 125 - t), sleeve=0.9)]
    return draw(FRAMES, arms, things, table)


@pytest.fixture(scope='module')
def found(kitchen: Drawn) -> Segmentation:
    return cut(kitchen, kitchen.hands)


def cut(drawn: Drawn, hands: Hands) -> Segmentation:
    return segment(drawn.footage, measure_flow(drawn.footage.rgb), None, hands, seed=0)


def iou(one: np.ndarray, other: np.ndarray) -> float:
    return float((one & other).sum() / (one | other).sum())


def test_each_hand_has_its_pixels_and_those_of_its_bare_arm(kitchen: Drawn, found: Segmentation) -> None:
    """Numbered as the hands are; what lies elsewhere has the same colour and is no hand."""
    for number in (1, 2):
        for t in range(FRAMES):
            truth = (kitchen.mask[t] == number) & ~kitchen.sleeves[t]
            assert iou(found.instance[t] == number, truth) > 0.88, f'hand {number}, frame {t}'
    assert (found.role[:2] == ROLE_CODE[HAND]).all()
    assert not (found.mask == ROLE_CODE[HAND])[kitchen.mask == 3].any()


def test_a_hand_that_is_not_seen_for_a_moment_goes_on(kitchen: Drawn) -> None:
    """It is bridged where it is seen again soon; what is not seen for longer is not invented."""
    brief = cut(kitchen, without(kitchen.hands, slice(3, 7), 0))
    assert all(iou(brief.instance[t] == 1, kitchen.mask[t] == 1) > 0.8 for t in range(3, 7))
    long = cut(kitchen, without(kitchen.hands, slice(2, 3 + BRIDGED), 0))
    assert not (long.instance[2 : 3 + BRIDGED] == 1).any()
    assert (long.instance == 1).any((1, 2))[[0, 1, *range(3 + BRIDGED, FRAMES)]].all()
    late = cut(kitchen, without(kitchen.hands, slice(0, 3), 1))
    assert not (late.instance[:3] == 2).any()
    assert iou(late.instance[3:] == 2, (kitchen.mask == 2)[3:] & ~kitchen.sleeves[3:]) > 0.88


def test_what_hides_a_hand_is_not_hand() -> None:
    drawn = draw(8, [Arm(lambda t: (150 + 2 * t, 130))], [Thing(lambda t: (150 + 2 * t, 88), (24, 10), before=True)])
    found = cut(drawn, drawn.hands)
    assert iou(found.instance == 1, drawn.mask == 1) > 0.85
    assert (found.instance == 1)[drawn.mask == 2].mean() < 0.1


def test_keypoints_in_a_few_frames_do_not_undo_what_motion_finds() -> None:
    """A robot's hand that looks human for a moment: motion, which finds it all along and there too, is believed."""
    drawn = draw(16, [Arm(lambda t: (80 + 7 * t, 110))])
    rare = without(without(drawn.hands, slice(0, 6), 0), slice(9, 16), 0)
    found = cut(drawn, rare)
    assert (found.mask == ROLE_CODE[HAND]).any((1, 2)).all()
    assert iou(found.mask == ROLE_CODE[HAND], drawn.mask == 1) > 0.7
    assert ['less sure' in doubt.why for doubt in found.doubts if not doubt.number] == [True]
