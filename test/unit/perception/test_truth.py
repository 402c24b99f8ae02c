"""True tracks: what surface points do is read off the exact samples of a simulated clip."""

import numpy as np
import pytest
from simulated_scene import simulate

from hoigen.conditioning import ConditioningConfig, build_clip
from hoigen.geometry.camera import project
from hoigen.perception.truth import true_tracks
from hoigen.records import Clip


@pytest.fixture(scope='module')
def clip() -> Clip:
    """A short lift."""
    made = simulate(3, width=192, height=128, frames=13, task='lift', shape='carton', depth=True)
    return build_clip(made.episode.assets, made.frames, ConditioningConfig(points=4096, tracks=256))


def test_a_point_seen_where_a_sample_is_moves_with_it(clip: Clip) -> None:
    """The pixel of a visible sample of the first frame gives, within a pixel's size, that sample's true path."""
    chosen = np.flatnonzero(clip.point_visible[0])[::7]
    pixels, depth = project(clip.cameras[0], clip.points[0, chosen])
    places, seen = true_tracks(clip, pixels, np.zeros(len(chosen), int))
    errors = np.linalg.norm(places - clip.points[:, chosen], axis=-1)
    pixel_m = np.median(depth) / clip.cameras[0].K[0, 0]
    assert np.median(errors[-1]) < pixel_m
    assert np.percentile(errors[-1], 90) < 3 * pixel_m
    assert (seen == clip.point_visible[:, chosen]).mean() > 0.93


def test_visible_in_its_own_frame_and_still_on_the_scene(clip: Clip) -> None:
    """Every point is seen where it was chosen; a point of the table never moves."""
    rows, columns = np.nonzero(clip.mask[5] == 0)
    pixels = np.stack([columns, rows], -1)[::501].astype(float)
    places, seen = true_tracks(clip, pixels, np.full(len(pixels), 5))
    assert seen[5].all()
    assert np.ptp(places, axis=0).max() == 0
