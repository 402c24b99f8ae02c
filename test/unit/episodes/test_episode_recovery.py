"""What is left of a recording whose process was killed, and the bag that recover makes of it."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from drawn_episode import drawn_episode
from rosbags.rosbag2 import Reader

from hoigen.episodes import EpisodeDamaged, EpisodeError, EpisodeExists, EpisodeReader, EpisodeWriter, recover
from hoigen.episodes.whole import Message, messages_of
from hoigen.records import Episode

KILLED = textwrap.dedent("""
    import pickle, sys
    from itertools import groupby
    from pathlib import Path
    from hoigen.episodes import EpisodeWriter
    messages, writer = pickle.loads(Path(sys.argv[1]).read_bytes()), EpisodeWriter(Path(sys.argv[2]))
    for (generated, stamp_ns), frame in groupby(messages, lambda message: (message[0][:5] == 'synth', message[2])):
        for message in frame:
            writer.write(*message)
        print('generated' if generated else 'scene', stamp_ns, flush=True)
        sys.stdin.readline()
""")


@pytest.fixture(scope='module')
def messages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Those of a long recording, for a child: the generated frames last, as a graph makes them."""
    made = sorted(messages_of(drawn_episode(17, (180, 120))), key=lambda message: message[0].startswith('synth/'))
    file = tmp_path_factory.mktemp('messages') / 'made.pickle'
    file.write_bytes(pickle.dumps(made))
    return file


def kill_after(messages: Path, folder: Path, line: str) -> None:
    """Record in a child process; kill it with -9 once it has said ``line``, in the middle of its work."""
    with subprocess.Popen(
        [sys.executable, '-c', KILLED, str(messages), str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        assert child.stdin is not None
        for said in child.stdout:
            if said.strip() == line:
                child.send_signal(signal.SIGKILL)
                break
            child.stdin.write('\n')
            child.stdin.flush()
    assert child.returncode == -signal.SIGKILL


def truncated(episode: Path, folder: Path, size: int) -> Path:
    """A copy of a bag as a writer leaves it that died after ``size`` bytes."""
    folder.mkdir()
    (folder / 'bag.mcap').write_bytes(next(episode.glob('*.mcap')).read_bytes()[:size])
    return folder


@pytest.mark.parametrize(
    ('kind', 'topics'),
    [
        ('scene', ('/camera/image', '/camera/depth', '/labels', '/condition/points', '/condition/depth')),
        ('generated', ('/synth/image', '/synth/fidelity', '/synth/labels')),
    ],
)
def test_kill_9_loses_at_most_a_frame(messages: Path, tmp_path: Path, kind: str, topics: tuple[str, ...]) -> None:
    """A recorder killed between two frames has lost at most the last frame; small generated ones count, too."""
    kill_after(messages, tmp_path / 'bag', f'{kind} {9 * 125_000_000}')
    assert not (tmp_path / 'bag' / 'metadata.yaml').exists()
    with EpisodeReader(tmp_path / 'bag') as reader:
        assert not reader.complete
        kept = {topic: reader.counts[topic] for topic in topics}
    assert all(count >= 9 for count in kept.values()), kept
    with Reader(recover(tmp_path / 'bag')) as bag:
        assert {c.topic: c.msgcount for c in bag.connections if c.topic in topics} == kept


def test_recovered_bag_is_the_beginning_of_the_recording(tmp_path: Path, episode: Path) -> None:
    """Recovery copies messages, definitions and qualities of service unchanged, and leaves the original alone."""
    size = next(episode.glob('*.mcap')).stat().st_size // 2
    torn = truncated(episode, tmp_path / 'torn', size)
    with Reader(recover(torn)) as bag, Reader(episode) as whole:
        assert bag.message_count > 20
        digests = {c.topic: (c.msgtype, c.digest, c.ext.offered_qos_profiles) for c in whole.connections}
        for c in bag.connections:
            assert (c.msgtype, c.digest, c.ext.offered_qos_profiles) == digests[c.topic]
        given = {(c.topic, stamp, bytes(cdr)) for c, stamp, cdr in bag.messages(bag.connections)}
        assert given < {(c.topic, stamp, bytes(cdr)) for c, stamp, cdr in whole.messages(whole.connections)}
    assert next(torn.glob('*.mcap')).stat().st_size == size


def test_a_cut_anywhere_is_read_as_far_as_it_goes(tmp_path: Path, episode: Path) -> None:
    """No cut makes the reader fail, and a longer file never gives less."""
    size = next(episode.glob('*.mcap')).stat().st_size
    counts = []
    for n, cut in enumerate(sorted(np.random.default_rng(0).integers(0, size, 25).tolist())):
        with EpisodeReader(truncated(episode, tmp_path / str(n), cut)) as reader:
            assert not reader.complete
            counts.append(sum(reader.counts.values()))
    assert counts == sorted(counts)
    assert counts[-1] > 0


def test_a_finished_bag_that_lost_its_end_is_still_read(tmp_path: Path, episode: Path) -> None:
    """metadata.yaml without the file's index (a copy that broke off) is no reason to give up."""
    torn = truncated(episode, tmp_path / 'torn', next(episode.glob('*.mcap')).stat().st_size - 2000)
    metadata = (episode / 'metadata.yaml').read_text()
    (torn / 'metadata.yaml').write_text(metadata.replace('episode_0000.mcap', 'bag.mcap'))
    with EpisodeReader(torn) as reader:
        assert not reader.complete
        assert reader.counts['/labels'] == 5


def test_clip_of_a_killed_recording(tmp_path: Path, drawn: Episode, recorded: list[Message]) -> None:
    """The whole frames of a killed recording become a clip on request only."""
    writer = EpisodeWriter(tmp_path / 'bag')
    for message in recorded:
        if message[2] < drawn.clip.stamps_ns[3] or message[0] in ('camera/image', 'labels'):
            writer.write(*message)
    writer._bag.flush()
    os.truncate(tmp_path / 'bag' / 'bag.mcap', (tmp_path / 'bag' / 'bag.mcap').stat().st_size)
    with EpisodeReader(tmp_path / 'bag') as reader:
        with pytest.raises(EpisodeError, match='/condition/points: expected 5'):
            reader.clip()
        assert reader.clip(whole=False).stamps_ns.tolist() == drawn.clip.stamps_ns[:3].tolist()


def test_recover_refuses_what_needs_no_recovery(tmp_path: Path, episode: Path) -> None:
    """A finished bag, a second recovery, an empty file and a missing folder are told apart."""
    with pytest.raises(EpisodeError, match='opens as it is'):
        recover(episode)
    torn = truncated(episode, tmp_path / 'torn', next(episode.glob('*.mcap')).stat().st_size // 2)
    recover(torn)
    with pytest.raises(EpisodeExists, match='torn_recovered'):
        recover(torn)
    with pytest.raises(EpisodeDamaged, match='nothing to recover'):
        recover(truncated(episode, tmp_path / 'empty', 0))
    with pytest.raises(EpisodeDamaged, match='got nothing'):
        recover(tmp_path / 'nowhere')


def test_small_messages_do_not_wait_in_the_process(tmp_path: Path, recorded: list[Message]) -> None:
    """Fidelity alone, too small to fill any buffer, are on the disk but for the last one."""
    writer = EpisodeWriter(tmp_path / 'bag')
    for message in recorded:
        if message[0] == 'synth/fidelity':
            writer.write(*message)
    with EpisodeReader(tmp_path / 'bag') as reader:
        assert reader.counts == {'/synth/fidelity': 4}
