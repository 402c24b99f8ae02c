"""Optical flow: a known motion is found there and back, and what is hidden or leaves does not count."""

import cv2
import numpy as np
import pytest

from hoigen.perception.flow import measure_flow


def textured(height: int, width: int, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=(height, width, 3))
    soft = cv2.GaussianBlur(noise, (0, 0), 2)
    return np.clip(128 + 60 * soft / soft.std(), 0, 255).astype(np.uint8)


@pytest.fixture(scope='module')
def frames() -> np.ndarray:
    """A square patch moves 6 pixels right and 3 down each frame over a background that stands still."""
    ground, patch = textured(120, 160, 0), textured(40, 40, 1)
    video = np.repeat(ground[None], 4, 0)
    for t in range(4):
        video[t, 30 + 3 * t : 70 + 3 * t, 40 + 6 * t : 80 + 6 * t] = patch
    return video


def test_finds_the_motion(frames: np.ndarray) -> None:
    """Within half a pixel on both surfaces, forwards and backwards."""
    flow = measure_flow(frames)
    inner = np.s_[0, 38:62, 48:72]
    assert np.abs(flow.forward[inner] - (6, 3)).mean() < 0.5
    assert np.abs(flow.forward[0, 90:, :30]).mean() < 0.2
    assert flow.forward_ok[inner].mean() > 0.95
    after = np.s_[0, 41:65, 54:78]
    assert np.abs(flow.backward[after] + (6, 3)).mean() < 0.5
    assert flow.backward_ok[after].mean() > 0.95


def test_what_is_covered_does_not_come_back(frames: np.ndarray) -> None:
    """The ground just before the patch's right edge is hidden in the next frame: most of it is not believed."""
    flow = measure_flow(frames)
    covered = flow.forward_ok[0, 40:65, 81:85]
    assert covered.mean() < 0.5


def test_what_leaves_the_picture_does_not_count(frames: np.ndarray) -> None:
    """A pan by 12 pixels: the strip that goes out of view is not believed, the middle is."""
    wide = textured(120, 220, 2)
    flow = measure_flow(np.stack([wide[:, :160], wide[:, 12:172]]))
    assert not flow.forward_ok[0, :, :8].any()
    assert flow.forward_ok[0, 20:100, 40:140].mean() > 0.95
