"""What cannot be a hand or an object is taken out, frame by frame, and said."""

from __future__ import annotations

import numpy as np
import pytest
from drawn_hands import Arm, draw
from perceived_factory import hands_in

from hoigen.conventions import HAND, OBJECT, ROLE_CODE
from hoigen.perception.masks.plausible import believed, plausible
from hoigen.perception.records import Segmentation

HEIGHT, WIDTH, FRAMES = 90, 160, 6
STAMPS = np.arange(FRAMES) * 33_000_000


def segmentation(*instances: tuple[str, np.ndarray], **more: bool) -> Segmentation:
    """Of roles and masks [T,H,W] bool, the later over the earlier."""
    instance = np.zeros((FRAMES, HEIGHT, WIDTH), np.uint8)
    for number, (_, mask) in enumerate(instances, 1):
        instance[mask] = number
    return Segmentation(np.array([ROLE_CODE[role] for role, _ in instances], np.uint8), instance, **more)


def still(rows: slice, columns: slice) -> np.ndarray:
    mask = np.zeros((FRAMES, HEIGHT, WIDTH), bool)
    mask[:, rows, columns] = True
    return mask


def arm() -> np.ndarray:
    """From the lower border, wider at the hand."""
    return still(slice(30, 90), slice(70, 85)) | still(slice(30, 50), slice(60, 95))


@pytest.mark.parametrize(
    ('mask', 'why'),
    [
        (still(slice(40, 90), slice(0, 160)), 'fills more than 40 % of the image'),
        (still(slice(70, 90), slice(0, 160)), "lies along more than 30 % of the image's border"),
        (still(slice(40, 90), slice(40, 90)), 'is a rectangle'),
        (arm() & still(slice(0, 80), slice(0, 160)), 'does not enter the image from its border'),
    ],
)
def test_floors_walls_and_boxes_are_no_hands(mask: np.ndarray, why: str) -> None:
    found = plausible(segmentation((HAND, mask)), hands_in(FRAMES), STAMPS)
    assert not found.instance.any()
    assert [doubt.number for doubt in found.doubts] == [1]
    assert why in found.doubts[0].why
    assert found.doubts[0].frames == tuple(range(FRAMES))


def test_an_arm_is_a_hand_and_what_it_touches_an_object() -> None:
    held, far = still(slice(15, 32), slice(65, 90)), still(slice(5, 20), slice(130, 150))
    found = plausible(segmentation((HAND, arm()), (OBJECT, held), (OBJECT, far)), hands_in(FRAMES), STAMPS)
    assert (found.instance == 1).any((1, 2)).all()
    assert (found.instance == 2).any((1, 2)).all()
    assert [(doubt.number, doubt.why) for doubt in found.doubts] == [(3, 'no hand comes near it')]


def test_a_hand_that_leaps_for_one_frame_is_not_believed_in_that_frame() -> None:
    mask = arm()
    mask[3] = np.roll(mask[3], 60, 1)
    found = plausible(segmentation((HAND, mask)), hands_in(FRAMES), STAMPS)
    assert [(doubt.why, doubt.frames) for doubt in found.doubts] == [('it leaps', (3,))]
    assert (found.instance == 1).any((1, 2)).tolist() == [True] * 3 + [False] + [True] * 2
    slow = plausible(segmentation((HAND, mask)), hands_in(FRAMES), STAMPS * 30)
    assert slow.doubts == (), 'in a second a hand goes anywhere'


def test_keypoints_beside_their_mask_are_unknown() -> None:
    """In the frames in which they lie on it both are kept."""
    drawn = draw(FRAMES, [Arm(lambda t: (150, 120))])
    instance = drawn.mask.copy()
    instance[2] = np.roll(instance[2], 40, 1)
    found = plausible(
        Segmentation(np.array([ROLE_CODE[HAND]], np.uint8), instance, by_keypoints=True), drawn.hands, STAMPS
    )
    assert [doubt.frames for doubt in found.doubts] == [(2,)]
    assert believed(drawn.hands, found).seen[:, 0].tolist() == [True] * 2 + [False] + [True] * 3
