"""One function says which bags a path means, for every verb."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from drawn_episode import drawn_episode

from hoigen.editing.clips.recorded import read_recorded
from hoigen.episodes import EpisodeError, cut_episode, find_bags, load_clip, one_bag, write_episode
from hoigen.episodes.bags import recovered_folder
from hoigen.episodes.commands import RecoverConfig, recover_episode
from hoigen.episodes.report import write_report
from hoigen.messages.topics import GENERATED
from hoigen.video import clips, generate, make
from hoigen.video.options import ClipsConfig

TINY = drawn_episode(3, (48, 32), (12, 8), points=60)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """runs/ with a bag, a nested run of one bag, two loose .mcap files and what is no bag."""
    write_episode(tmp_path / 'runs' / 'episode_0000', TINY)
    shutil.copytree(tmp_path / 'runs' / 'episode_0000', tmp_path / 'runs' / 'night' / 'two' / 'episode_0000')
    file = tmp_path / 'runs' / 'episode_0000' / 'episode_0000.mcap'
    for loose in ('loose/a.mcap', 'loose/b.MCAP', '.unfinished/c/c.mcap', 'other/notes.txt'):
        (tmp_path / 'runs' / loose).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, tmp_path / 'runs' / loose)
    return tmp_path / 'runs'


def test_folders_nested_folders_and_files(run: Path) -> None:
    """Each by its place, with a name of its own; what is hidden is unfinished."""
    found = find_bags([run])
    assert [bag.label for bag in found] == ['episode_0000', 'loose/a', 'loose/b', 'night/two/episode_0000']
    assert [bag.name for bag in found] == [
        'runs_episode_0000',
        'runs_loose_a',
        'runs_loose_b',
        'runs_night_two_episode_0000',
    ]
    bag = run / 'episode_0000'
    for given in (bag, bag / 'episode_0000.mcap'):
        assert [(one.path, one.name) for one in find_bags([given])] == [(bag, 'runs_episode_0000')]
    assert find_bags([bag, bag / 'episode_0000.mcap', run])[0].path == bag
    assert len(find_bags([bag, run])) == 4, 'the same bag twice'


def test_what_is_no_bag_is_refused(run: Path) -> None:
    """By its name, with what was expected; one bag is one."""
    for given, got in (
        (run / 'other', 'a folder without one'),
        (run / 'other' / 'notes.txt', 'another file'),
        (run / 'nothing', 'nothing'),
    ):
        with pytest.raises(EpisodeError, match=f'{given}: expected at least one episode .*, got {got}'):
            find_bags([given])
    with pytest.raises(EpisodeError, match=r'expected one bag, got 4; name one: .*episode_0000'):
        one_bag(run)
    assert one_bag(run / 'night') == run / 'night' / 'two' / 'episode_0000'
    shutil.copytree(run, run.parent / 'again' / 'runs')
    with pytest.raises(EpisodeError, match='would both be runs_episode_0000: rename one'):
        find_bags([run, run.parent / 'again' / 'runs'])


def test_rejected_episodes_are_found_where_they_are_named_only(run: Path) -> None:
    """No data set takes one by mistake: a folder means those beside it; the report and recovery are of all."""
    bag = write_episode(run / 'episode_0001', drawn_episode(3, (48, 32), (12, 8), points=60, rejected='why')).folder
    assert bag == run / 'episode_0001.rejected'
    found = [one.label for one in find_bags([run])]
    assert bag.name not in found
    assert [one.label for one in find_bags([run], rejected=True)] == sorted([*found, bag.name])
    assert [one.path for one in find_bags([bag])] == [bag]
    assert recovered_folder(bag).name == 'episode_0001_recovered.rejected'
    for taken in (run / 'episode_0001', bag):
        with pytest.raises(EpisodeError, match=r'episode_0001\.rejected: expected a new folder'):
            write_episode(taken, TINY)
    (run / 'only').mkdir()
    bag.rename(run / 'only' / bag.name)
    with pytest.raises(EpisodeError, match='got a folder without one; those in it were rejected: name one to use it'):
        find_bags([run / 'only'])


def test_a_bag_that_was_cut_is_a_bag(run: Path) -> None:
    """Its file keeps a name of its own: the folder's name is the bag's."""
    summary = cut_episode(run / 'episode_0000', lambda stamp_ns: stamp_ns <= TINY.clip.stamps_ns[1], made=GENERATED)
    assert summary.frames == 2
    assert [bag.label for bag in find_bags([run / 'episode_0000'])] == ['episode_0000']
    assert len(load_clip(run / 'episode_0000').stamps_ns) == 2


@pytest.mark.parametrize('given', ['episode_0000', 'loose/a.mcap', 'night'])
def test_every_verb_takes_them(run: Path, given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bag, a file and a folder around a bag: edited, reported, rendered, made training clips of, recovered."""
    path = run / given
    bag = one_bag(path)
    assert len(read_recorded(path).clip.stamps_ns) == 3
    page = write_report(path)
    assert page == (path if path.is_dir() else path.parent) / 'report.html'
    assert page.read_text().count('class="episode"') == 1
    monkeypatch.setattr(clips, '_convert', lambda config, bags: [str(found.path) for found in bags])
    assert clips.make_clips(ClipsConfig(out=run.parent / 'train', from_bags=path)) == 1
    [(_, spec)] = generate._recorded(generate.GenerateConfig(clips=(path,)))
    [scene], _ = make._recorded(spec)
    assert len(scene.clip.stamps_ns) == len(scene.mesh_frames) == 1, '4k+1 of 3 frames'
    with pytest.raises(EpisodeError, match='opens as it is'):
        recover_episode(RecoverConfig(path))
    assert [found.path for found in find_bags([path])] == [bag]
