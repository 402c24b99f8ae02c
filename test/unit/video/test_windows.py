"""Clips longer than the model's: every latent once, one condition, and a score that sees seams."""

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from simulated_scene import simulated_clip

from hoigen.conditioning import build_conditions
from hoigen.video import load_generator
from hoigen.video.windows import plan_windows, seam_score


@pytest.mark.parametrize('length', [5, 13])
@pytest.mark.parametrize('overlap', [None, 1, 3])
def test_windows_cover_a_clip_once(length, overlap):
    """Any number of latents: no gap, no window longer than the model's, and at least the overlap that was asked for."""
    for latents in range(1, 60):
        windows = plan_windows(latents, length, overlap)
        assert windows[0].start == windows[0].known == 0
        assert windows[-1].stop == latents
        for before, window in pairwise(windows):
            assert window.known == before.stop
            assert window.stop - window.start == length
            assert window.known - window.start - 1 >= (length // 4 if overlap is None else overlap)
            assert window.stop > before.stop
            assert len(window.latents) == length
            assert len(window.frames) == 4 * length - 3
            assert window.frames[:2] == [0, 4 * window.start + 1]
            assert window.frames[-1] == 4 * window.latents[-1]
        assert len(windows) == 1 or latents > length


def test_an_overlap_that_leaves_nothing_new_is_refused():
    assert len(plan_windows(9, 5, 3)) == 5
    with pytest.raises(ValueError, match='overlap: expected 1 to 3 of the 5 latents of a window, got 4'):
        plan_windows(9, 5, 4)


def flat_clip(changes):
    """Grey frames [T,8,8,3] that change by ``changes[t]`` into frame t, and a point that is always seen."""
    grey = np.cumsum(changes).astype(np.uint8)
    frames = np.broadcast_to(grey[:, None, None, None], (len(grey), 8, 8, 3)).copy()
    seen = np.ones((len(grey), 1), bool)
    return frames, SimpleNamespace(
        point_visible=seen, point_role=np.array([1], np.uint8), point_pixels=np.full((len(grey), 1, 2), 3.0, np.float32)
    )


def test_the_seam_score_is_the_ratio_of_the_changes():
    """Changes of 2 at the borders of latents, of 6 where a window begins and of 1 elsewhere: 3. Faster motion is no
    seam, and a clip without windows has no score."""
    windows = plan_windows(11, 5, 1)
    changes = np.ones(41)
    changes[1::4] = 2
    for window in windows[1:]:
        changes[4 * (window.known - 1) + 1] = 6
    frames, conditions = flat_clip(changes)
    assert seam_score(frames, conditions, windows) == pytest.approx(3.0)
    faster, conditions = flat_clip(np.where(np.arange(41) < 20, 1, 5))
    assert seam_score(faster, conditions, windows) == pytest.approx(1.0, abs=0.05)
    assert seam_score(faster, conditions, plan_windows(11, 11)) is None


def test_motion_alone_is_no_seam():
    """A point that carries its colour along does not change, however fast it goes at a seam."""
    windows = plan_windows(11, 5, 1)
    frames, conditions = flat_clip(np.zeros(41))
    frames[:] = np.arange(8)[:, None] * 30  # bright and dark places
    place = np.zeros((41, 2), np.float32)
    for window in windows[1:]:
        place[4 * (window.known - 1) + 1 :, 0] += 2
    for t in range(41):
        frames[t, 0, int(place[t, 0])] = 100 + t % 2  # the same small change into every frame
    conditions.point_pixels = place[:, None]
    assert seam_score(frames, conditions, windows) == pytest.approx(1.0)


@pytest.fixture(scope='module')
def long_scene():
    """25 frames of a held-out episode: 7 latents, two more than the tiny model makes at once."""
    clip = simulated_clip(5, width=192, height=128, frames=25, task='lift', shape='mug', split='heldout')
    return clip, build_conditions(clip, width=192, height=128)


def test_a_long_clip_is_made_in_windows_and_follows_its_scene_to_the_end(long_scene):
    """The last frames are made windows away from the first picture: they must still show their own instant."""
    clip, conditions = long_scene
    generator, seen = load_generator('tiny'), []
    lengths = []
    hook = generator._model.transformer.patch_embed.register_forward_pre_hook(
        lambda _, args: lengths.append(args[1].shape[1])
    )
    made = generator.generate(conditions, clip.labels, seed=1, on_step=lambda *a: seen.append(a[:2]))
    hook.remove()
    assert made.frames.shape == (25, 128, 192, 3)
    assert max(lengths) == 5, 'the DiT sees one window at a time'
    assert seen == [(step, 4) for step in range(1, 5)]
    config = made.provenance.config
    assert config['windows'] == 2
    assert 0.3 < config['seam'] < 3
    region = conditions.mask[-1] > 0
    own, first = (np.abs(made.frames[-1].astype(int) - clip.rgb[t])[region].mean() for t in (-1, 0))
    assert own < 0.75 * first
    again = generator.render(conditions, seed=1)
    assert np.array_equal(again, made.frames)
