"""`hoigen generate --clips`: what was recorded is rendered like what was simulated."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hoigen.conditioning import build_clip
from hoigen.episodes import write_episode
from hoigen.provenance import provenance_of
from hoigen.records import Episode
from hoigen.sources.mujoco import MujocoConfig, MujocoSource
from hoigen.video.generate import GenerateConfig, generate

PROVENANCE = provenance_of(seed=0, config={}, source='test', weights=[], licences={})


@pytest.fixture(scope='module')
def bags(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One bag of a clip of 15 frames as a depth camera would see it: holes in its depth, no object pose."""
    folder = tmp_path_factory.mktemp('bags')
    episode = MujocoSource(MujocoConfig(width=192, height=128, frames=15, task='lift', shape='carton')).episode(3)
    clip = build_clip(episode.assets, episode.frames())
    depth = clip.depth_m.copy()
    depth[:, ::5, ::3] = np.nan
    labels = tuple(replace(label, T_world_object=None) for label in clip.labels)
    write_episode(folder / 'clip_0000', Episode(replace(clip, depth_m=depth, labels=labels), PROVENANCE))
    return folder


def test_recorded_clips_are_rendered(bags: Path, tmp_path: Path) -> None:
    """A bag, or the folder that holds it, gives frames with the recording's stamps; what is unknown stays unknown."""
    assert generate(GenerateConfig(clips=(bags,), out=tmp_path)) == 0
    (path,) = tmp_path.glob('*.npz')
    made = np.load(path)
    assert made['frames'].shape == (13, 128, 192, 3)  # 15 cut to 4k+1
    assert made['stamps_ns'][1] == 125_000_000
    assert np.isnan(made['T_world_object']).all()
    assert made['fidelity'].mean() > 0.8
    before = path.stat().st_mtime_ns
    assert generate(GenerateConfig(clips=(bags / 'clip_0000',), out=tmp_path)) == 0
    assert path.stat().st_mtime_ns == before


def test_a_folder_without_bags_is_refused(tmp_path: Path) -> None:
    """An empty folder is a mistake, not a job without work."""
    with pytest.raises(ValueError, match='expected at least one episode'):
        generate(GenerateConfig(clips=(tmp_path,), out=tmp_path / 'out'))
