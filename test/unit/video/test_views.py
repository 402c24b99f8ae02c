"""Several cameras of one scene: one physical episode, the same points, and a figure that sees disagreement."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
from same_record import same_record

from hoigen.conditioning import ConditioningConfig, build_clip
from hoigen.episodes import EpisodeReader
from hoigen.geometry.transforms import apply
from hoigen.sources.mujoco import ConfigError, MujocoConfig, MujocoSource
from hoigen.video.generate import GenerateConfig, generate
from hoigen.video.style import Style
from hoigen.video.styled import styled
from hoigen.video.views import consistency, share_colours, view_conditions

SIZE = {'width': 192, 'height': 128}


@pytest.fixture(scope='module')
def source():
    return MujocoSource(MujocoConfig(**SIZE, task='lift', shape='mug', split='heldout', depth=False))


@pytest.fixture(scope='module')
def episodes(source):
    return source.views(5, ('front', 'side'))


@pytest.fixture(scope='module')
def clips(episodes):
    """Every fourth frame of the episode, seen by two cameras."""
    return tuple(
        build_clip(e.assets, [f for i, f in enumerate(e.frames()) if i % 4 == 0], ConditioningConfig(seed=3))
        for e in episodes
    )


def test_two_cameras_see_one_physical_episode(source, episodes):
    """Same simulation step by step; a camera stands where it stands alone; a camera of no name is refused."""
    front, side = episodes
    assert front.attempt == side.attempt
    assert all(np.array_equal(a.qpos, b.qpos) for a, b in zip(front.steps, side.steps, strict=True))
    assert not np.allclose(front.cameras[0].T_world_cam, side.cameras[0].T_world_cam)
    alone = MujocoSource(replace(source.config, camera='side')).attempt('mug', 'lift', 5, 0, side.attempt)
    assert np.array_equal(alone.cameras[0].T_world_cam, side.cameras[0].T_world_cam)
    with pytest.raises(ConfigError, match="got 'sied'; did you mean 'side'"):
        source.views(5, ('front', 'sied'))


def test_views_share_points_and_their_normalisation(clips):
    """Row n is one surface point in both views, and both normalise it about the same place by the same scale."""
    front, side = view_conditions([styled(clip, Style()) for clip in clips], **SIZE)
    rows = [np.flatnonzero(c.point_role > 0) for c in (front, side)]
    places = [
        apply(c.cameras[0].T_world_cam, c.points[-1, r] * c.scale_m + c.centre_m)
        for c, r in zip((front, side), rows, strict=True)
    ]
    np.testing.assert_allclose(places[0], places[1], atol=1e-5)
    assert front.scale_m == pytest.approx(side.scale_m, rel=1e-5)
    centres = [apply(c.cameras[0].T_world_cam, c.centre_m[None]) for c in (front, side)]
    np.testing.assert_allclose(centres[0], centres[1], atol=1e-5)


def test_views_tell_each_other_the_colours_that_they_do_not_see(clips):
    """A shared colour is one that the other view's first frame shows; a view's own colours stay."""
    front, side = clips
    shared = share_colours(clips)[0]
    rows, theirs = (np.flatnonzero(c.point_role > 0) for c in clips)
    fresh = shared.point_rgb_known[rows] & ~front.point_rgb_known[rows]
    assert fresh.sum() > 100
    assert np.array_equal(shared.point_rgb[rows[fresh]], side.point_rgb[theirs[fresh]])
    own = front.point_rgb_known
    assert np.array_equal(shared.point_rgb[own], front.point_rgb[own])
    scene = front.point_role == 0
    assert np.array_equal(shared.point_rgb_known[scene], own[scene])


def test_clips_of_different_samples_are_refused(clips, episodes):
    """Rows that mean different surface points would be compared without any error."""
    other = build_clip(
        episodes[1].assets, [f for i, f in enumerate(episodes[1].frames()) if i % 4 == 0], ConditioningConfig(seed=4)
    )
    with pytest.raises(ValueError, match='views: expected clips of one scene'):
        view_conditions([styled(clip, Style()) for clip in (clips[0], other)], **SIZE)


def test_consistency_counts_what_views_show_differently(clips):
    """Closed form: views in one flat colour agree, a view that is 10 grey levels brighter differs by 10."""
    conditions = view_conditions([styled(clip, Style()) for clip in clips], **SIZE)
    flat = np.full((5, 128, 192, 3), 100, np.uint8)
    true = [clip.rgb for clip in clips]
    same, brighter = (consistency([flat, flat + np.uint8(d)], true, conditions) for d in (0, 10))
    assert (same.generated, brighter.generated) == (0.0, 10.0)
    assert same.true == brighter.true
    assert 0 < same.true < 20, 'the true pictures of one place differ a little'
    assert same.pairs > 1000
    swapped = consistency([flat, flat], [true[0], true[1][:, :, ::-1]], conditions)
    assert swapped.true > 2 * same.true, 'the figure is of places, not of whole pictures'


def test_generate_records_a_bag_for_each_camera(tmp_path, capsys, monkeypatch):
    """The command: the figure is printed and recorded; a second run keeps what is there, and makes what is missing."""
    monkeypatch.setattr('hoigen.video.generate.write_report', lambda folder: folder)  # other tests look at it
    config = GenerateConfig(episodes=1, camera=('front', 'side'), shape='box', task='lift', out=tmp_path)
    assert generate(config) == 0
    assert 'views differ by' in capsys.readouterr().out
    folders = [tmp_path / f'episode_0000_{camera}' for camera in ('front', 'side')]
    episodes = []
    for folder in folders:
        with EpisodeReader(folder) as reader:
            episodes.append(reader.episode())
    front, side = episodes
    assert 'consistency' in front.generated.provenance.config
    assert np.array_equal(front.clip.labels[-1].joints.positions, side.clip.labels[-1].joints.positions)
    assert not np.allclose(front.clip.cameras[0].T_world_cam, side.clip.cameras[0].T_world_cam)
    shutil.rmtree(folders[1])
    before = (folders[0] / 'metadata.yaml').stat().st_mtime_ns
    assert generate(config) == 0
    assert (folders[0] / 'metadata.yaml').stat().st_mtime_ns == before
    with EpisodeReader(folders[1]) as reader:
        made = reader.episode().generated
    same_record(made.frames, side.generated.frames)


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        ({'frames': 16}, r'frames: expected 4k\+1, got 16'),
        ({'camera': ('front', 'front')}, 'camera: expected one or'),
        ({'camera': ()}, 'camera: expected one or several names'),
    ],
)
def test_settings_of_generate_are_checked_before_anything_is_simulated(settings, message):
    with pytest.raises(ValueError, match=message):
        GenerateConfig(**settings)
