"""Contact-point error: a known shift is measured exactly, untextured places are left out, lost patterns are errors."""

import cv2
import numpy as np
import pytest

from hoigen.metrics.contact import ContactPoints, contact_errors

SIZE = (96, 192)
FOCAL, DEPTH = 200.0, 0.5


@pytest.fixture
def picture() -> np.ndarray:
    """Larger than a frame by 16 pixels on every side; smooth random texture."""
    noise = np.random.default_rng(0).integers(0, 256, (SIZE[0] + 32, SIZE[1] + 32)).astype(np.float32)
    return cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 2), None, 0, 255, cv2.NORM_MINMAX)


def shifted(picture: np.ndarray, du: float = 0, dv: float = 0) -> np.ndarray:
    """One frame [1,H,W,3] uint8 whose pattern lies (du, dv) pixels to the right and below."""
    move = np.array([[1, 0, du - 16], [0, 1, dv - 16]], np.float32)
    frame = cv2.warpAffine(picture, move, SIZE[::-1], flags=cv2.INTER_CUBIC)
    return np.repeat(np.clip(np.rint(frame), 0, 255).astype(np.uint8)[None, ..., None], 3, -1)


def points(*places: tuple[float, float], frames: int = 1) -> ContactPoints:
    pixels = np.repeat(np.array(places, float)[None], frames, 0)
    return ContactPoints(
        pixels, np.full(pixels.shape[:2], DEPTH), np.ones(pixels.shape[:2], bool), np.full(frames, FOCAL)
    )


PLACES = points((40, 40), (90, 50), (140, 30))


@pytest.mark.parametrize(('du', 'dv'), [(0, 0), (3, 0), (0, -5), (-4, 3), (7, 1)])
def test_a_shift_by_whole_pixels_is_measured_exactly(picture, du, dv):
    errors = contact_errors(shifted(picture, du, dv), shifted(picture), PLACES)
    assert errors.pixels == pytest.approx([np.hypot(du, dv)] * 3, abs=1e-2)
    assert errors.millimetres == pytest.approx(errors.pixels * DEPTH / FOCAL * 1000)
    assert errors.found.all()


@pytest.mark.parametrize(('du', 'dv'), [(0.5, 0), (-1.25, 2.5), (0.3, -0.3)])
def test_a_shift_by_parts_of_a_pixel_is_measured(picture, du, dv):
    errors = contact_errors(shifted(picture, du, dv), shifted(picture), PLACES)
    assert errors.pixels == pytest.approx([np.hypot(du, dv)] * 3, abs=0.1)


def test_brightness_is_no_displacement(picture):
    truth = shifted(picture)
    darker = np.rint(truth * 0.7 + 20).astype(np.uint8)
    assert contact_errors(darker, truth, PLACES).pixels == pytest.approx([0] * 3, abs=0.02)


def test_a_pattern_that_is_not_there_counts_as_the_search_radius(picture):
    """A method must not gain by painting over what it cannot place."""
    truth = shifted(picture)
    errors = contact_errors(np.full_like(truth, 128), truth, PLACES)
    assert not errors.found.any()
    assert errors.pixels == pytest.approx([8] * 3)


def test_places_without_texture_are_left_out_for_every_method(picture):
    """Flat places and straight edges cannot be placed; that they are left out depends on the truth alone."""
    truth = shifted(picture)
    truth[:, 20:60, 20:60] = 100
    truth[:, 20:60, 75:90], truth[:, 20:60, 90:110] = 50, 150
    for made in (truth, np.zeros_like(truth)):
        errors = contact_errors(made, truth, points((40, 40), (90, 40), (140, 30)))
        assert (len(errors.pixels), errors.textureless) == (1, 2)


def test_neighbours_count_once_and_unseen_points_or_cut_windows_not_at_all(picture):
    truth = np.repeat(shifted(picture), 2, 0)
    contacts = points((40, 40), (42, 41), (140, 30), (3, 40), frames=2)
    contacts.seen[1, 2] = False
    assert len(contact_errors(truth, truth, contacts).pixels) == 2 + 1
    assert len(contact_errors(truth[:1], truth[:1], none()).pixels) == 0


def none() -> ContactPoints:
    contacts = points((40, 40))
    contacts.seen[:] = False
    return contacts
