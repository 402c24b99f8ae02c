"""The measures of edited pictures: the true one scores perfectly, each wrong one badly where it is wrong."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from hoigen.metrics.editing import (
    OBJECT,
    SCENE,
    UNCLEAR,
    EditTruth,
    background_error,
    colour_error,
    depth_error_percent,
    object_iou,
    occlusion_right,
    read,
    unclear_share,
)

SIZE = 48
FAR_M, NEAR_M, OBJECT_M = 1.0, 0.4, 0.5


def board(picture: np.ndarray) -> np.ndarray:
    """The picture with a blue board over its right part."""
    picture = picture.copy()
    picture[:, 26:36] = (30, 40, 200)
    return picture


@pytest.fixture
def truth() -> EditTruth:
    """A red chequered square on a noisy grey wall, its right third behind a blue board."""
    wall = np.random.default_rng(0).integers(150, 170, (SIZE, SIZE, 1)).repeat(3, -1).astype(np.uint8)
    outline = np.zeros((SIZE, SIZE), bool)
    outline[14:34, 12:30] = True
    rows, columns = np.indices((SIZE, SIZE)) // 4
    cheque = np.where(((rows + columns) % 2)[..., None], (220, 30, 30), (120, 10, 20))
    alone = np.where(outline[..., None], cheque, wall).astype(np.uint8)
    without = board(wall)
    visible = outline.copy()
    visible[:, 26:] = False
    depth = np.where(without[..., 2] == 200, np.float32(NEAR_M), np.float32(FAR_M))
    return EditTruth(
        np.where(visible[..., None], alone, without),
        without,
        alone,
        outline,
        np.where(outline, np.float32(OBJECT_M), np.float32(np.inf)),
        depth,
        visible,
    )


def all_of(picture: np.ndarray, truth: EditTruth) -> tuple[float, float, float]:
    reading = read(picture, truth)
    return occlusion_right(reading, truth), object_iou(reading, truth), depth_error_percent(reading, truth)


def test_the_true_picture_is_perfect(truth) -> None:
    """Every pixel is read as what it is, and nothing is lost."""
    assert np.array_equal(read(truth.rgb, truth) == OBJECT, truth.visible)
    assert all_of(truth.rgb, truth) == (1, 1, 0)
    assert unclear_share(read(truth.rgb, truth), truth) == 0
    assert colour_error(truth.rgb, truth) == 0
    assert background_error(truth.rgb, truth) == 0


def test_a_soft_and_noisy_picture_is_nearly_perfect(truth) -> None:
    """Models paint soft textures; the object is still where it is."""
    noisy = truth.rgb + np.random.default_rng(1).normal(0, 8, truth.rgb.shape)
    soft = np.where(truth.visible[..., None], cv2.GaussianBlur(noisy, (0, 0), 1.2), truth.without)
    right, iou, depth = all_of(np.clip(soft, 0, 255).astype(np.uint8), truth)
    assert right == 1
    assert iou > 0.85
    assert depth < 4


def test_what_is_painted_over_its_occluder_is_told(truth) -> None:
    """Order wrong, too large, and too deep where the board should be."""
    over = np.where(truth.outline[..., None], truth.alone, truth.without)
    right, iou, depth = all_of(over, truth)
    assert right == 0
    assert colour_error(over, truth) == 0
    assert iou == pytest.approx(truth.visible.sum() / truth.outline.sum())
    hidden = truth.outline & ~truth.visible
    assert depth == pytest.approx(100 * (OBJECT_M - NEAR_M) / NEAR_M * hidden.sum() / truth.outline.sum(), rel=1e-5)


def test_what_is_not_painted_is_told(truth) -> None:
    """The wall is seen where the object should be: nothing is right, for all that the board stays."""
    right, iou, depth = all_of(truth.without, truth)
    assert (right, iou) == (0, 0)
    assert depth == pytest.approx(100 * (FAR_M - OBJECT_M) / OBJECT_M * truth.visible.sum() / truth.outline.sum())


def test_what_is_painted_a_few_pixels_off_is_told(truth) -> None:
    """Six pixels of a square of eighteen; the part beyond the outline counts, too."""
    moved = np.where(np.roll(truth.visible, -6, 1)[..., None], np.roll(truth.alone, -6, 1), truth.without)
    _, iou, depth = all_of(moved, truth)
    assert iou == pytest.approx((14 - 6) / (14 + 6), abs=0.02)
    missing, beyond = 100 * (FAR_M - OBJECT_M) / OBJECT_M, 100 * (FAR_M - OBJECT_M) / FAR_M
    assert depth == pytest.approx((6 * missing + 6 * beyond) / (18 + 6), rel=0.03)


def test_grey_paint_is_nobodys(truth) -> None:
    """A mush of a colour that neither has does not count as the object."""
    mush = np.where(truth.visible[..., None], np.uint8((60, 160, 60)), truth.without)
    reading = read(mush, truth)
    assert (reading[truth.visible] != OBJECT).all()
    assert object_iou(reading, truth) == 0
    assert occlusion_right(reading, truth) == 0


def test_between_both_is_unclear(truth) -> None:
    """A pixel half object, half wall is left out of the depth and counted."""
    half = np.where(truth.visible[..., None], (truth.alone.astype(int) + truth.without) // 2, truth.without)
    reading = read(half.astype(np.uint8), truth)
    assert (reading[truth.visible] == UNCLEAR).mean() > 0.3
    assert unclear_share(reading, truth) > 0.2
    assert np.isnan(depth_error_percent(np.full_like(reading, UNCLEAR), truth))


def test_an_object_that_looks_like_the_wall_is_not_judged(truth) -> None:
    """No measure is made up where nobody could tell."""
    like = np.where(truth.outline[..., None], np.uint8(160), truth.without)
    hard = replace(truth, alone=like, rgb=np.where(truth.visible[..., None], like, truth.without))
    reading = read(hard.rgb, hard)
    assert np.isnan([occlusion_right(reading, hard), object_iou(reading, hard)]).all()
    assert unclear_share(reading, hard) > 0.7


def test_a_texture_that_softens_into_the_wall_is_not_judged(truth) -> None:
    """Fine red and cyan painted softly is grey as the wall: no model is blamed for what nobody could tell."""
    fine = np.where((np.indices((SIZE, SIZE)).sum(0) % 2)[..., None], (250, 70, 70), (70, 250, 250)).astype(np.uint8)
    alone = np.where(truth.outline[..., None], fine, truth.without)
    hard = replace(truth, alone=alone, rgb=np.where(truth.visible[..., None], alone, truth.without))
    assert unclear_share(read(hard.rgb, hard), hard) > 0.7


def test_a_like_thing_beside_it_is_left_out(truth) -> None:
    """Another red thing in the scene, and a blue stripe of the object beside the blue board: neither is counted."""

    def with_thing(picture: np.ndarray) -> np.ndarray:
        picture = picture.copy()
        picture[38:46, 2:10] = (200, 30, 30)
        return picture

    striped = truth.alone.copy()
    striped[14:34, 22:26] = (30, 40, 200)
    without, alone = with_thing(truth.without), with_thing(striped)
    rgb = np.where(truth.visible[..., None], alone, without)
    hard = replace(truth, rgb=rgb, without=without, alone=alone)
    brighter = rgb.copy()
    brighter[38:46, 2:10] = (220, 30, 30)
    for picture in (rgb, brighter):
        assert object_iou(read(picture, hard), hard) == 1
    assert not hard.tellable[20:30, 24:30].any()


def test_a_shadow_is_scene(truth) -> None:
    """The true picture's shadow beside the object may be painted or not."""
    dark = truth.rgb.copy()
    dark[34:40, 8:24] //= 2
    shaded = replace(truth, rgb=dark)
    for picture in (truth.rgb, dark):
        reading = read(picture, shaded)
        assert (reading[34:40, 8:24] == SCENE).all()
        assert object_iou(reading, shaded) == 1


def test_colours_and_background_are_measured_apart(truth) -> None:
    """Another hue inside the mask does not touch the background, nor does a change outside the colours."""
    hue = np.where(truth.visible[..., None], truth.rgb[..., ::-1], truth.rgb)
    assert colour_error(hue, truth) > 50
    assert background_error(hue, truth) == 0
    bright = np.where(truth.outline[..., None], truth.rgb, truth.rgb + 10)
    assert colour_error(bright, truth) == 0
    assert background_error(bright, truth) == pytest.approx(10)


def test_masks_that_contradict_are_refused(truth) -> None:
    """What is seen of an object is a part of its outline."""
    with pytest.raises(ValueError, match='visible: expected a part of the outline'):
        replace(truth, visible=~truth.outline)
