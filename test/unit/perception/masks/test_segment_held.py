"""Masks of what drawn hands hold, in plain images: picked up and put down, one in each hand, nothing, a sleeve."""

from __future__ import annotations

import numpy as np
import pytest
from drawn_hands import CLOTH, PAINT, PALM, TIN, Arm, Drawn, Thing, draw

from hoigen.conventions import HAND, OBJECT, ROLE_CODE
from hoigen.perception.flow import measure_flow
from hoigen.perception.masks.segment import segment
from hoigen.perception.records import Segmentation

GRIP = 1.5 * PALM
"""The middle of what a drawn hand holds is so far above its wrist."""


def cut(drawn: Drawn) -> Segmentation:
    return segment(drawn.footage, measure_flow(drawn.footage.rgb), None, drawn.hands, seed=0)


def iou(one: np.ndarray, other: np.ndarray) -> float:
    return float((one & other).sum() / (one | other).sum())


def objects(found: Segmentation) -> list[int]:
    """Their numbers."""
    return (1 + np.flatnonzero(found.role == ROLE_CODE[OBJECT])).tolist()


@pytest.fixture(scope='module')
def carried() -> Drawn:
    """A hand in a sleeve comes to a box, carries it to the right from frame 5 to 13, and leaves it there; another box
    stays, and the camera moves."""

    def table(t: int) -> tuple[float, float]:
        return 0.5 * t, 0.0

    def box(t: int) -> tuple[float, float]:
        return 110 + 5.0 * (min(max(t, 5), 13) - 5) + table(t)[0], 78.0

    def wrist(t: int) -> tuple[float, float]:
        return box(t)[0], box(t)[1] + GRIP + 6 * (max(5 - t, 0) + max(t - 13, 0))

    things = [Thing(box, (22, 16)), Thing(lambda t: (270 + table(t)[0], 60), (18, 18))]
    return draw(18, [Arm(wrist, sleeve=0.5)], things, table)


def test_what_a_hand_carries_is_an_object_from_the_first_frame_to_the_last(carried: Drawn) -> None:
    """Before it is touched and after it was put down it is where it rests; what is like it and stays is scene."""
    found = cut(carried)
    assert objects(found) == [2]
    assert all(iou(found.instance[t] == 2, carried.mask[t] == 2) > 0.5 for t in range(len(carried.mask)))
    assert iou(found.instance == 2, carried.mask == 2) > 0.65
    assert not (found.instance > 0)[carried.mask == 3].any()
    assert (found.instance == 2)[carried.sleeves].mean() < 0.01


def test_each_hand_has_its_own_object() -> None:
    def left(t: int) -> tuple[float, float]:
        return 80 + 3.0 * t, 125.0

    def right(t: int) -> tuple[float, float]:
        return 240.0, 120.0 + 2.5 * t

    def held(wrist: tuple[float, float]) -> tuple[float, float]:
        return wrist[0], wrist[1] - GRIP

    things = [Thing(lambda t: held(left(t)), (24, 14), PAINT), Thing(lambda t: held(right(t)), (22, 18), TIN)]
    drawn = draw(12, [Arm(left), Arm(right)], things)
    found = cut(drawn)
    assert objects(found) == [3, 4]
    for number in (3, 4):
        assert iou(found.instance == number, drawn.mask == number) > 0.7


def test_a_hand_without_an_object_has_none_and_the_reason_is_said() -> None:
    """Its sleeve moves with it and is none; nor is a thing that it passes."""
    things = [Thing(lambda t: (160, 60), (15, 12))]
    drawn = draw(12, [Arm(lambda t: (80 + 8.0 * t, 130), sleeve=0.4)], things)
    found = cut(drawn)
    assert objects(found) == []
    assert (found.role == ROLE_CODE[HAND]).sum() == 1
    assert any('hand 1' in doubt.why or 'a hand' in doubt.why for doubt in found.doubts)


def test_what_a_resting_hand_holds_cannot_be_told() -> None:
    drawn = draw(10, [Arm(lambda t: (150, 130))], [Thing(lambda t: (150, 130 - GRIP), (24, 14), CLOTH)])
    found = cut(drawn)
    assert objects(found) == []
    assert ['hardly moves' in doubt.why for doubt in found.doubts] == [True]
