"""A clip of footage as a bag: nothing is lost, nothing half-written looks whole, and every reader of bags reads it."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from drawn_episode import MADE, footage_clip
from rosbags.highlevel import AnyReader
from same_record import same_record

from hoigen.episodes import (
    EpisodeDamaged,
    EpisodeError,
    EpisodeExists,
    EpisodeMismatch,
    EpisodeReader,
    EpisodeWriteFailed,
    find_bags,
    load_clip,
    write_episode,
)
from hoigen.episodes.report import write_report
from hoigen.episodes.storage import BagWriter
from hoigen.episodes.writer import whole_folder
from hoigen.records import Clip, Episode
from hoigen.video.clips import make_clips
from hoigen.video.options import ClipsConfig

FRAMES = 5


@pytest.fixture(scope='module')
def clip() -> Clip:
    return footage_clip()


@pytest.mark.parametrize(('points', 'tracks'), [(300, 20), (0, 0)])
def test_a_clip_comes_back_as_it_was(tmp_path: Path, points: int, tracks: int) -> None:
    """Also one in which neither hand nor object was found."""
    want = footage_clip(points, tracks)
    summary = write_episode(tmp_path / 'clips' / 'clip_0006', Episode(want, MADE))
    assert (summary.folder, summary.frames) == (tmp_path / 'clips' / 'clip_0006', FRAMES)
    same_record(load_clip(summary.folder), want, atol=1e-12)
    with EpisodeReader(summary.folder) as reader:
        assert reader.provenance('condition/provenance') == MADE
        assert reader.provenance() is None
        assert reader.generated() is None
        assert reader.faults() == ()
    assert [path.name for path in summary.folder.parent.iterdir()] == ['clip_0006'], 'something was left beside it'


def test_somebody_without_hoigen_reads_the_same_topics_as_of_an_episode(tmp_path: Path, clip: Clip) -> None:
    """One message of each topic for each frame, under the clip's stamps; tf places the camera."""
    write_episode(tmp_path / 'bag', Episode(clip, MADE))
    with AnyReader([tmp_path / 'bag']) as reader:
        counts = {topic: info.msgcount for topic, info in reader.topics.items()}
        moved = [
            reader.deserialize(raw, c.msgtype).transforms
            for c, _, raw in reader.messages([c for c in reader.connections if c.topic == '/tf'])
        ]
    assert counts == {'/condition/provenance': 1} | dict.fromkeys(
        (
            '/camera/image',
            '/camera/camera_info',
            '/camera/pose',
            '/labels',
            '/condition/points',
            '/condition/tracks',
            '/condition/mask',
            '/condition/depth',
            '/tf',
        ),
        FRAMES,
    )
    assert [[t.child_frame_id for t in transforms] for transforms in moved] == [['camera_optical']] * FRAMES
    shift = moved[3][0].transform.translation
    np.testing.assert_allclose([shift.x, shift.y, shift.z], clip.cameras[3].T_world_cam[:3, 3], atol=1e-12)


def test_a_folder_that_is_there_is_never_written_over(tmp_path: Path, clip: Clip) -> None:
    """Not even an empty one."""
    (tmp_path / 'bag').mkdir()
    with pytest.raises(EpisodeExists, match='bag: expected a new folder for a bag'):
        write_episode(tmp_path / 'bag', Episode(clip, MADE))


def test_a_full_disk_is_one_clear_error_and_leaves_nothing(tmp_path: Path, clip: Clip) -> None:
    """Half a clip is no clip."""
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, unlimited[1]))
    try:
        with pytest.raises(EpisodeWriteFailed, match='bag: cannot write: File too large; nothing of it is left'):
            write_episode(tmp_path / 'bag', Episode(clip, MADE))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    assert list(tmp_path.iterdir()) == []


KILLED = textwrap.dedent("""
    import os, signal, sys
    from pathlib import Path
    from hoigen.episodes import write_episode
    from hoigen.records import Episode
    from hoigen.episodes.storage import BagWriter
    from drawn_episode import MADE, footage_clip
    write = BagWriter.write
    def until_the_end(self, connection, stamp_ns, cdr):
        write(self, connection, stamp_ns, cdr)
        if self.counts and stamp_ns > 0 and connection.topic == '/labels':
            os.kill(os.getpid(), signal.SIGKILL)
    BagWriter.write = until_the_end
    write_episode(Path(sys.argv[1]), Episode(footage_clip(), MADE))
""")


def test_a_killed_writer_leaves_no_bag(tmp_path: Path) -> None:
    """Nobody who looks for bags finds a part of one."""
    path = [str(Path(__file__).parents[2]), *sys.path]
    child = subprocess.run(
        [sys.executable, '-c', f'import sys; sys.path[:0] = {path!r}\n{KILLED}', str(tmp_path / 'bag')],
        capture_output=True,
        text=True,
        timeout=600,
        env=os.environ,
    )
    assert child.returncode == -signal.SIGKILL, child.stdout + child.stderr
    assert not (tmp_path / 'bag').exists()
    with pytest.raises(EpisodeError, match='expected at least one episode'):
        find_bags([tmp_path])
    [left] = tmp_path.iterdir()
    with whole_folder(tmp_path / 'other') as made:
        write_episode(tmp_path / 'bag', Episode(footage_clip(), MADE))
        assert not left.exists(), 'its maker is dead'
        assert made.parent.is_dir(), 'its maker lives'
        made.mkdir()
    assert sorted(path.name for path in tmp_path.iterdir()) == ['bag', 'other']


def test_a_torn_bag_or_one_that_lacks_a_message_is_refused(tmp_path: Path, clip: Clip) -> None:
    """Not loaded as a shorter clip."""
    write_episode(tmp_path / 'torn', Episode(clip, MADE))
    (tmp_path / 'torn' / 'metadata.yaml').unlink()
    file = tmp_path / 'torn' / 'torn.mcap'
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(EpisodeDamaged, match='torn: expected a finished bag'):
        load_clip(tmp_path / 'torn')
    write_episode(tmp_path / 'whole', Episode(clip, MADE))
    with AnyReader([tmp_path / 'whole']) as reader:
        bag, dropped = BagWriter(tmp_path / 'lacking'), False
        connections = {
            c.id: bag.add_connection(c.topic, c.msgtype, typestore=reader.typestore) for c in reader.connections
        }
        for c, stamp_ns, raw in reader.messages():
            if c.topic == '/condition/mask' and not dropped:
                dropped = True
            else:
                bag.write(connections[c.id], stamp_ns, raw)
        bag.close()
    with pytest.raises(EpisodeMismatch, match='/condition/mask: expected 5 messages'):
        load_clip(tmp_path / 'lacking')


def test_training_clips_are_made_of_bags_of_footage(tmp_path: Path, clip: Clip) -> None:
    """What a recording shows is trained on like what the simulator shows."""
    write_episode(tmp_path / 'bags' / 'clip_0000', Episode(clip, MADE))
    config = ClipsConfig(
        out=tmp_path / 'train', from_bags=tmp_path / 'bags', width=48, height=32, frames=5, points=64, workers=1
    )
    assert make_clips(config) == 0
    assert [path.name for path in config.out.iterdir()] == ['bags_clip_0000_00000.safetensors']


def test_the_report_shows_what_is_known_of_footage_and_no_more(tmp_path: Path, clip: Clip) -> None:
    """No force and no height were measured, so none is shown; how the conditions were found is."""
    write_episode(tmp_path / 'clip_0000', Episode(clip, MADE))
    write_report(tmp_path)
    text = re.findall(r'class="episode">(.*?)</script>', (tmp_path / 'report.html').read_text())
    [content] = map(json.loads, text)
    assert content['footage'] is True
    assert content['faults'] == []
    assert content['task'] == 'lift the ball'
    assert [frame['position'] is None for frame in content['frames']] == [True, True, False, False, False]
    assert content['conditions']['source'] == 'kitchen.mp4'
    assert content['provenance'] is None
    assert content['panels']['source'][0]
    assert content['panels']['generated'] == [None] * FRAMES
