"""What is left of a recording whose process was killed, and the bag that recover makes of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from episode_factory import Message, Scene
from rosbags.rosbag2 import Reader

from hoigen.episodes import EpisodeDamaged, EpisodeError, EpisodeExists, EpisodeReader, EpisodeWriter, recover

KILLED = textwrap.dedent("""
    import sys
    from pathlib import Path
    from episode_factory import Messages, Scene, frame_messages, synth_messages
    from hoigen.episodes import EpisodeWriter
    scene, writer = Scene(), EpisodeWriter(Path(sys.argv[1]))
    build = Messages(scene)
    for part in (frame_messages, synth_messages):
        for frame in range(scene.frames):
            for topic, msgtype, message in part(build, frame):
                writer.write(topic, msgtype, scene.stamp_ns(frame), build.cdr(msgtype, message))
            print(part.__name__, frame, flush=True)
            sys.stdin.readline()
""")


def kill_after(folder: Path, line: str) -> None:
    """Record in a child process; kill it with -9 once it has said ``line``, in the middle of its work."""
    path = [str(Path(__file__).parents[2]), *sys.path]
    with subprocess.Popen(
        [sys.executable, '-c', f'import sys; sys.path[:0] = {path!r}\n{KILLED}', str(folder)],
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
    ('line', 'topics', 'frames'),
    [
        (
            'frame_messages 9',
            ('/camera/image', '/camera/depth', '/labels', '/condition/points', '/condition/depth'),
            10,
        ),
        ('synth_messages 9', ('/synth/image', '/synth/fidelity', '/synth/labels'), 10),
    ],
)
def test_kill_9_loses_at_most_a_frame(tmp_path: Path, line: str, topics: tuple[str, ...], frames: int) -> None:
    """A recorder killed between two frames has lost at most the last frame; small generated ones count, too."""
    kill_after(tmp_path / 'bag', line)
    assert not (tmp_path / 'bag' / 'metadata.yaml').exists()
    with EpisodeReader(tmp_path / 'bag') as reader:
        assert not reader.complete
        kept = {topic: reader.counts[topic] for topic in topics}
    assert all(count >= frames - 1 for count in kept.values()), kept
    with Reader(recover(tmp_path / 'bag')) as bag:
        assert {c.topic: c.msgcount for c in bag.connections if c.topic in topics} == kept


def test_recovered_bag_is_the_beginning_of_the_recording(tmp_path: Path, episode: Path) -> None:
    """Recovery copies messages, definitions and qualities of service unchanged, and leaves the original alone."""
    size = next(episode.glob('*.mcap')).stat().st_size * 2 // 3
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


def test_clip_of_a_killed_recording(tmp_path: Path, scene: Scene, recorded: list[Message]) -> None:
    """The whole frames of a killed recording become a clip on request only."""
    writer = EpisodeWriter(tmp_path / 'bag')
    for message in recorded:
        if message[2] < scene.stamp_ns(3) or message[0] in ('camera/image', 'labels'):
            writer.write(*message)
    writer._bag.flush()
    os.truncate(tmp_path / 'bag' / 'bag.mcap', (tmp_path / 'bag' / 'bag.mcap').stat().st_size)
    with EpisodeReader(tmp_path / 'bag') as reader:
        with pytest.raises(EpisodeError, match='/condition/points: expected 5'):
            reader.clip()
        assert reader.clip(whole=False).stamps_ns.tolist() == [scene.stamp_ns(n) for n in range(3)]


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
