"""Real pictures: labels from files beside them or from models, references from other pictures of the same object."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from PIL import Image

from hoigen.editing.data.filters import FilterOptions
from hoigen.editing.data.labels import (
    Labelled,
    Labellers,
    LabelOptions,
    PictureFault,
    cutout,
    label,
)
from hoigen.editing.data.pictures import PictureJob, arrays_of_pictures, make_pictures, object_folders
from hoigen.editing.data.records import DataError
from hoigen.editing.synthesis import GREY
from hoigen.geometry.orientation import Orientation

BOX = np.array([60.0, 40, 120, 110])
TURNED = Orientation(0.5, 0.2, 0.0)


def ellipse(centre, axes, shape=(160, 200)) -> np.ndarray:
    return cv2.ellipse(np.zeros(shape, np.uint8), centre, axes, 0, 0, 360, 1, -1) > 0


def photograph(centre, axes, colour, seed=0):
    """A coloured ellipse on a noisy ground, its mask and its depth."""
    mask = ellipse(centre, axes)
    ground = np.random.default_rng(seed).integers(60, 200, (*mask.shape, 3), np.uint8)
    return np.where(mask[..., None], np.uint8(colour), ground), mask, np.where(mask, 0.5, 1.5).astype(np.float32)


def save(folder, name, picture, mask=None, depth=None):
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(folder / f'{name}.png')
    if mask is not None:
        Image.fromarray(mask.astype(np.uint8) * 255).save(folder / f'{name}.mask.png')
    if depth is not None:
        np.save(folder / f'{name}.depth.npy', depth)


@pytest.fixture
def mugs(tmp_path):
    """Three pictures of a red mug, all labels beside them."""
    for number, centre in enumerate([(90, 80), (110, 70), (70, 90)]):
        save(tmp_path / 'red mug', f'view_{number}', *photograph(centre, (30 + 3 * number, 40), (200, 30, 30), number))
    return tmp_path


def job(out, **options):
    return PictureJob(out, 48, 5, LabelOptions(**options), FilterOptions(), False)


def test_pictures_with_all_labels_beside_them(mugs, tmp_path):
    """No model is needed. Each example's references are the other pictures; what is not known is said."""
    outcome = make_pictures(job(tmp_path), object_folders(mugs), 0)
    assert (outcome.examples, outcome.captions, dict(outcome.dropped)) == (3, ('red mug',), {})
    with np.load(tmp_path / outcome.file) as scene:
        assert scene['rgb'].shape == (3, 48, 48, 3)
        assert scene['view_rgb'].shape == (3, 5, 48, 48, 3)
        mask = scene['mask']
        assert (np.abs(scene['rgb'][mask].astype(int) - (200, 30, 30)).max(-1) < 90).mean() > 0.95
        assert (scene['without'][mask] == GREY).all()
        assert not scene['without_known'].any()
        assert np.isnan(scene['depth_without_m'][mask]).all()
        shown = ~np.isnan(scene['depth_without_m'])
        assert (scene['depth_without_m'][shown] == 1.5).all()
        assert (scene['object_depth_m'][mask] < 0.6).mean() > 0.95
        assert np.isinf(scene['object_depth_m'][~mask]).all()
        assert np.isnan(scene['T_world_object']).all()
        assert np.isnan(scene['orientation']).all()
        own = [
            cutout(*photograph(centre, (30 + 3 * n, 40), (200, 30, 30), n)[:2], 48)
            for n, centre in enumerate([(90, 80), (110, 70), (70, 90)])
        ]
        for e in range(3):
            views = scene['view_rgb'][scene['thing'][e]]
            assert not any(np.array_equal(view, own[e]) for view in views), 'its own picture would be the answer'
            assert all(any(np.array_equal(view, other) for other in own) for view in views)


def test_the_outline_does_not_tell_what_was_there():
    """Pixels that show both object and ground are not given as the scene's."""
    mask = ellipse((90, 80), (41, 57))
    picture = np.where(mask[..., None], np.uint8((200, 30, 30)), np.uint8(90))
    depth = np.where(mask, 0.5, 1.5).astype(np.float32)
    arrays = arrays_of_pictures(
        [Labelled(picture, mask, depth, None, None)] * 2, [cutout(picture, mask, 48)] * 2, 'red mug', 48, 2
    )
    assert set(np.unique(arrays['without'])) == {90, GREY}


def test_the_picture_without_the_object_is_used_where_it_lies_beside(mugs, tmp_path):
    empty = np.full((160, 200, 3), 90, np.uint8)
    Image.fromarray(empty).save(mugs / 'red mug' / 'view_1.without.png')
    outcome = make_pictures(job(tmp_path), object_folders(mugs), 0)
    with np.load(tmp_path / outcome.file) as scene:
        assert scene['without_known'].tolist() == [False, True, False]
        assert (scene['without'][1] == 90).all()


def test_a_wrong_file_beside_a_picture_is_told(mugs, tmp_path):
    """The picture is left out with its reason; the others are used."""
    np.save(mugs / 'red mug' / 'view_0.depth.npy', np.ones((16, 20), np.float32))
    outcome = make_pictures(job(tmp_path), object_folders(mugs), 0)
    assert (outcome.examples, dict(outcome.dropped)) == (2, {'not readable': 1})
    assert "view_0.depth.npy: expected the picture's size 200x160, got 20x16" in outcome.notes[0]
    (mugs / 'red mug' / 'view_0.png').write_bytes(b'\x89PNG and nothing more')
    assert 'view_0.png' in make_pictures(job(tmp_path), object_folders(mugs), 0).notes[0]


def test_one_picture_of_an_object_is_not_enough(tmp_path):
    """Its only reference would be the answer."""
    save(tmp_path / 'mug', 'a', *photograph((90, 80), (30, 40), (200, 30, 30)))
    outcome = make_pictures(job(tmp_path), object_folders(tmp_path), 0)
    assert (outcome.file, dict(outcome.dropped)) == ('', {'no other picture of it': 1})


def test_folders_without_pictures_are_refused(tmp_path):
    with pytest.raises(DataError, match='a folder for each object'):
        object_folders(tmp_path)
    with pytest.raises(DataError, match='expected a folder'):
        object_folders(tmp_path / 'none')


def labellers(found=(BOX, 0.9), mask=None, sure=0.9) -> Labellers:
    def models_mask(rgb, box):
        assert np.array_equal(box, BOX)
        return ellipse((90, 75), (30, 35)) if mask is None else mask

    def orientation(picture):
        assert (picture[0, 0] == 0).all(), 'the object alone on black'
        return TURNED, sure

    return Labellers(
        lambda rgb, caption: found if caption == 'red mug' else None,
        models_mask,
        lambda rgb: np.full(rgb.shape[:2], 2.0, np.float32),
        orientation,
        None,
    )


def test_labels_by_models(tmp_path):
    """What no file tells, models do: box to mask, depth, orientation."""
    save(tmp_path, 'a', photograph((90, 75), (30, 35), (200, 30, 30))[0])
    made = label(tmp_path / 'a.png', 'red mug', labellers(), LabelOptions())
    assert np.array_equal(made.mask, ellipse((90, 75), (30, 35)))
    assert (made.depth_m == 2).all()
    assert made.orientation == TURNED
    assert made.without is None


@pytest.mark.parametrize(
    ('given', 'caption', 'fault'),
    [
        ({}, 'blue cup', 'not found'),
        ({'found': (BOX, 0.2)}, 'red mug', 'not found'),
        ({'sure': 0.3}, 'red mug', 'orientation not sure'),
        ({'mask': ellipse((90, 75), (8, 8))}, 'red mug', 'too small'),
        ({'mask': ellipse((2, 75), (30, 35))}, 'red mug', 'cut off by the border'),
        ({'mask': np.zeros((160, 200), bool)}, 'red mug', 'too small'),
    ],
)
def test_labels_that_are_not_good_enough(tmp_path, given, caption, fault):
    save(tmp_path, 'a', photograph((90, 75), (30, 35), (200, 30, 30))[0])
    with pytest.raises(PictureFault, match=fault):
        label(tmp_path / 'a.png', caption, labellers(**given), LabelOptions())


def test_a_picture_of_another_object_is_left_out(mugs, tmp_path, monkeypatch):
    """By the likeness of the cut-outs."""
    save(mugs / 'red mug', 'view_9', *photograph((90, 80), (40, 40), (20, 20, 220)))

    def likeness(pictures):
        red = np.array([picture[picture.shape[0] // 2, picture.shape[1] // 2, 0] > 100 for picture in pictures])
        return np.stack([red, ~red], 1).astype(np.float32)

    models = labellers()
    monkeypatch.setattr(
        'hoigen.editing.data.pictures.load_labellers',
        lambda options, filters: Labellers(models.box, models.mask, models.depth, None, likeness),
    )
    outcome = make_pictures(job(tmp_path), object_folders(mugs), 0)
    assert (outcome.examples, dict(outcome.dropped)) == (3, {'not like its pictures': 1})


@pytest.mark.parametrize('size', [48, 256])
def test_a_cutout_fills_its_picture(size):
    """The object in the middle, its longer side taking the same share whatever its size in the photograph."""
    rgb, mask, _ = photograph((60, 100), (20, 45), (10, 10, 10))
    alone = cutout(rgb, mask, size)
    rows, columns = np.flatnonzero((alone < 128).all(2).any(1)), np.flatnonzero((alone < 128).all(2).any(0))
    assert len(rows) / size == pytest.approx(0.86, abs=0.04)
    assert (rows[0] + rows[-1]) / 2 == pytest.approx((size - 1) / 2, abs=1)
    assert (columns[0] + columns[-1]) / 2 == pytest.approx((size - 1) / 2, abs=1)
