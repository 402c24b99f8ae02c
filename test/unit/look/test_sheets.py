"""What a person is shown of an edit: the right frames, the right outline, a video of all of them."""

from __future__ import annotations

import numpy as np

from hoigen.geometry.transforms import rigid
from hoigen.look.sheets import OUTLINE, ROWS, marked, sheet
from hoigen.records import Camera

CAMERA = Camera(np.array([[60.0, 0, 23.5], [0, 60, 15.5], [0, 0, 1]]), 48, 32, np.eye(4))


def frames(count: int) -> list[np.ndarray]:
    return [np.full((32, 48, 3), 10 * number, np.uint8) for number in range(count)]


def test_the_outline_is_that_of_the_mask_and_the_picture_is_not_changed() -> None:
    mask = np.zeros((32, 48), bool)
    mask[8:20, 10:30] = True
    rgb = frames(1)[0]
    shown = marked(rgb, mask, CAMERA, rigid(np.eye(3), np.array([0, 0, -1.0])), 0.1)  # behind: no axes
    drawn = (shown == OUTLINE).all(-1)
    assert drawn[8, 10:30].all()
    assert not drawn[9:19, 11:29].any()
    assert not shown[~mask].any()
    assert not rgb.any()
    with_axes = marked(rgb, mask, CAMERA, rigid(np.eye(3), np.array([0, 0, 1.0])), 0.1)
    assert (with_axes[15:17, 25:28] != shown[15:17, 25:28]).any()


def test_a_sheet_has_first_and_last_frame_in_columns_beside_each_other() -> None:
    made = sheet({'a': frames(20), 'b': frames(20)[::-1]}, [f'note {n}' for n in range(20)])
    picture = np.asarray(made)
    wide, high = 48 * 9, 32 * 9
    assert picture.shape == (30 + ROWS * (high + 30), 2 * (wide + 6) + 6, 3)
    assert (picture[30 : 30 + high, 6 : 6 + wide] == 0).all()
    assert (picture[30 : 30 + high, 12 + wide : 12 + 2 * wide] == 190).all()
    assert (picture[-30 - high : -30, 6 : 6 + wide] == 190).all()
