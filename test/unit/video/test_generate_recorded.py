"""`hoigen generate --clips`: what was recorded is rendered like what was simulated."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from simulated_scene import simulated_clip

from hoigen.episodes import EpisodeReader, find_bags, write_episode
from hoigen.records import Episode, EpisodeState, Objects, Provenance
from hoigen.video.faithful import NothingInView
from hoigen.video.generate import GenerateConfig, generate
from hoigen.video.sampling import Acceptance

PROVENANCE = Provenance(0, {}, 'test', {}, {}, {})


@pytest.fixture(scope='module')
def bags(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One bag of a clip of 15 frames as a depth camera would see it: holes in its depth, no object pose."""
    folder = tmp_path_factory.mktemp('bags')
    clip = simulated_clip(3, width=192, height=128, frames=15, task='lift', shape='carton', depth=True)
    depth = clip.depth_m.copy()
    depth[:, ::5, ::3] = np.nan
    labels = tuple(replace(label, objects=Objects()) for label in clip.labels)
    write_episode(folder / 'clip_0000', Episode(replace(clip, depth_m=depth, labels=labels), PROVENANCE))
    return folder


def test_recorded_clips_are_rendered(bags: Path, tmp_path: Path) -> None:
    """A bag, or the folder that holds it, gives an episode with the recording's stamps; what is unknown stays
    unknown; a second run keeps what is there, one with other settings is refused."""
    assert generate(GenerateConfig(clips=(bags,), out=tmp_path)) == 0
    (bag,) = (found.path for found in find_bags([tmp_path]))
    with EpisodeReader(bag) as reader:
        assert not reader.faults()
        episode = reader.episode()
    assert episode.generated is not None
    assert episode.generated.frames.shape == (13, 128, 192, 3)  # 15 cut to 4k+1
    assert episode.generated.stamps_ns[1] == 125_000_000
    assert all(labels.T_world_object is None for labels in episode.generated.labels)
    assert episode.generated.fidelity.mean > 0.5
    assert episode.clip_provenance == PROVENANCE
    assert {len(files) for files in episode.condition_images.values()} == {13}
    assert (tmp_path / 'report.html').is_file()
    before = (bag / 'metadata.yaml').stat().st_mtime_ns
    assert generate(GenerateConfig(clips=(bags / 'clip_0000',), out=tmp_path)) == 0
    with pytest.raises(ValueError, match='seed: expected 0, got 1; remove it or choose another --out'):
        generate(GenerateConfig(clips=(bags,), seed=1, out=tmp_path))
    assert (bag / 'metadata.yaml').stat().st_mtime_ns == before


def test_rejected_episodes_are_written_beside(bags: Path, tmp_path: Path) -> None:
    """With the best frames, their fidelity and the reason; status 1 where all are, also of a second run that finds them
    made."""
    config = GenerateConfig(clips=(bags,), out=tmp_path, acceptance=Acceptance(min_fidelity=1.0, tries=1))
    assert [generate(config), generate(config)] == [1, 1]
    assert not (tmp_path / f'{bags.name}_clip_0000').exists()
    with EpisodeReader(tmp_path / f'{bags.name}_clip_0000.rejected') as reader:
        assert not reader.faults()
        assert reader.generated() is None
        episode = reader.episode()
    assert episode.rejected is not None
    assert episode.rejected.frames.shape == (13, 128, 192, 3)
    assert 0.5 < episode.rejected.fidelity.outline.mean() < 1
    assert episode.provenance is not None
    assert [one['seed'] for one in episode.provenance.config['tries']] == [episode.provenance.seed]
    assert list(episode.condition_images) == ['points', 'tracking', 'coloured']
    assert episode.status is not None
    assert episode.status.state is EpisodeState.REJECTED
    assert episode.status.reason.startswith('fidelity: expected 1 or more, got 0.')


def test_a_scene_in_which_nothing_is_to_be_seen_is_named(
    bags: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is drawn of it and nothing written."""

    def draw(spec: object) -> None:
        raise NothingInView('conditions: expected hand or object')

    monkeypatch.setattr('hoigen.video.generate.make_episodes', draw)
    assert generate(GenerateConfig(clips=(bags,), out=tmp_path)) == 1
    assert f'{bags.name}_clip_0000 not generated: conditions: expected hand or object' in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ['run.json']


def test_a_folder_without_bags_is_refused(tmp_path: Path) -> None:
    """An empty folder is a mistake, not a job without work."""
    with pytest.raises(ValueError, match='expected at least one episode'):
        generate(GenerateConfig(clips=(tmp_path,), out=tmp_path / 'out'))
