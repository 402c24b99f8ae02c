"""Pictures at another size keep their geometry: colours, codes and depth stay where the camera says."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic_scene import camera_at, moving_scene

from hoigen.conditioning import build_clip
from hoigen.geometry.camera import pixel_grid, unproject
from hoigen.geometry.view import View, centre_view


@pytest.mark.parametrize(
    ('size', 'part'),
    [
        ((90, 60), (0, 0, 180, 120)),
        ((60, 60), (30, 0, 120, 120)),
        ((160, 80), (0, 15, 180, 90)),
        ((360, 240), (0, 0, 180, 120)),
    ],
)
def test_centre_view(size: tuple[int, int], part: tuple[int, int, int, int]) -> None:
    """The largest centred part with the wanted aspect is taken."""
    view = centre_view(camera_at((0.7, 0, 0.5)), *size)
    assert (view.left, view.top, view.columns, view.rows) == part


def test_same_size_changes_nothing() -> None:
    """At the clip's own size every picture is the clip's, bit for bit."""
    rng = np.random.default_rng(0)
    rgb, codes = rng.integers(0, 256, (12, 18, 3), np.uint8), rng.integers(0, 3, (2, 12, 18)).astype(np.uint8)
    depth = (1 + 0.01 * rng.random((2, 12, 18))).astype(np.float32)
    view = View(0, 0, 18, 12, 18, 12)
    np.testing.assert_array_equal(view.picture(rgb), rgb)
    np.testing.assert_array_equal(view.codes(codes), codes)
    np.testing.assert_allclose(view.depth(depth, codes, 10.0), depth, rtol=1e-6)


def test_shrunk_picture_is_the_mean_of_what_it_covers() -> None:
    """Halving takes the mean of 2x2 pixels, and the crop's corner is the part's corner."""
    rgb = np.arange(8 * 8 * 3, dtype=np.uint8).reshape(8, 8, 3)
    shrunk = View(2, 2, 4, 4, 2, 2).picture(rgb)
    np.testing.assert_allclose(shrunk[0, 0], rgb[2:4, 2:4].reshape(4, 3).mean(axis=0), atol=0.51)


def test_codes_move_with_the_picture() -> None:
    """A code's region covers the same part of a shrunk picture: no half-pixel shift."""
    codes = np.zeros((1, 120, 180), np.uint8)
    codes[0, 30:90, 45:135] = 2
    shrunk = View(0, 0, 180, 120, 48, 32).codes(codes)[0]
    assert shrunk.sum() == 2 * 24 * 16
    np.testing.assert_array_equal(shrunk, shrunk[::-1, ::-1])


def test_depth_of_a_plane_stays_on_the_plane() -> None:
    """Unprojected with the smaller camera, the floor's depth still lies on the floor, to a hundredth of a mm."""
    assets, frames = moving_scene(1)
    clip = build_clip(assets, frames)
    view = centre_view(clip.cameras[0], 67, 45)
    depth, mask = view.depth(clip.depth_m, clip.mask, 180.0)[0], view.codes(clip.mask)[0]
    floor = unproject(view.camera(clip.cameras[0]), pixel_grid(67, 45), depth)[(mask == 0) & (depth < 1.2)]
    beside_others = np.abs(floor[:, 2]) > 1e-5  # there the nearest pixel's depth is kept as it is
    assert beside_others.mean() < 0.05
    assert np.abs(floor[:, 2]).max() < 0.02
