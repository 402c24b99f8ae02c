"""`hoigen up video_to_video` over real processes and DDS: a real recording, stand-ins for perception and model."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs ROS 2: source install/setup.bash')
pytest.importorskip('hoigen.msg', reason='needs the built messages: source install/setup.bash')

from recorded import shades, write_rgbd, write_video
from up_job import Job

from hoigen.episodes import EpisodeReader

K = np.array([[60.0, 0, 29.5], [0, 60.0, 19.5], [0, 0, 1]])
Start = Callable[..., Job]


@pytest.fixture
def up(job: Start) -> Start:
    """Starts `hoigen up video_to_video` with five frames to a stretch."""
    return lambda video, *arguments, **more: job(
        '--video', str(video), '--frames', '5', *arguments, graph='video_to_video', **more
    )


def rgbd(folder: Path, rgb: np.ndarray) -> Path:
    depth = np.full(rgb.shape[:3], 0.8)
    return write_rgbd(folder, rgb, depth, K, [1 + n / 8 for n in range(len(rgb))])


def read(out: Path, episode: int) -> tuple[Any, Any]:
    with EpisodeReader(out / f'episode_{episode:04d}') as reader:
        assert reader.complete
        assert not reader.faults()
        assert '/mesh_frame' not in reader.counts
        assert reader.counts['/condition/provenance'] == 1
        return reader.clip(), reader.generated()


def test_a_recording_becomes_bags_with_generated_video(up: Start, tmp_path: Path) -> None:
    """Each stretch a whole bag with the recording's pictures, stamps and depth; black stretches are passed over with
    their reason; the rest at the end is cut to 4k+1."""
    rgb = shades(29)
    rgb[5:10] = 0
    video = rgbd(tmp_path / 'kitchen', rgb)
    running = up(video, out='a')
    assert running.status() == 0, running.printed
    for number, (begin, end) in {0: (0, 5), 2: (10, 15), 3: (15, 20), 4: (20, 25)}.items():
        clip, generated = read(running.out, number)
        np.testing.assert_array_equal(clip.rgb, rgb[begin:end])
        np.testing.assert_array_equal(clip.stamps_ns, 10**9 + np.arange(begin, end) * 125_000_000)
        np.testing.assert_allclose(clip.depth_m, 0.8, atol=1e-6)
        assert generated.frames.shape == (5, 32, 48, 3)
        assert generated.labels[0].episode == number
        assert generated.labels[0].T_world_object is None
    assert not (running.out / 'episode_0001').exists()
    assert 'a stretch of the recording gives no clip: no hand in view' in running.printed
    assert '2 of 6 stretches gave no clip, the last because: expected at least 5 frames, got 4' in running.printed
    assert re.search('4( of 6)? episodes recorded', running.printed)
    assert 'no hand in view' in running.log('perception')
    assert (running.out / 'report.html').exists()


def test_a_recording_that_cannot_be_read_is_named(up: Start, tmp_path: Path) -> None:
    """One line that says so and status 1, before any node is started."""
    video = tmp_path / 'none.mp4'
    running = up(video)
    assert running.status() == 1
    assert running.printed == (
        f'hoigen up video_to_video: video_source: video: expected a file or folder, got nothing at {video}\n'
    )
    assert not running.out.exists()


def test_a_killed_node_ends_the_job_with_its_name(up: Start, tmp_path: Path) -> None:
    """Status 1, no process left, and the bags are closed. A plain video's lens is estimated."""
    running = up(write_video(tmp_path / 'long.mp4', shades(40).repeat(5, 0)))
    running.until_printed('episodes recorded')
    os.kill(running.nodes()['perception'], signal.SIGKILL)
    assert running.status() == 1
    assert 'hoigen up: perception was killed by SIGKILL' in running.printed
    assert f'the last lines of {running.out}/logs/perception.log:' in running.printed
    assert not running.nodes()
    clip, _ = read(running.out, 0)
    assert clip.cameras[0].K[0, 0] == 60
    for bag in running.out.glob('episode_*/*.mcap'):
        with EpisodeReader(bag.parent) as reader:
            assert reader.complete


def test_an_interrupted_job_closes_its_bags(up: Start, tmp_path: Path) -> None:
    """Ctrl-C: status 130, no process left; each bag has its index."""
    running = up(write_video(tmp_path / 'long.mp4', shades(40).repeat(5, 0)))
    running.until_printed('episodes recorded')
    running.process.send_signal(signal.SIGINT)
    assert running.status() == 130
    assert not running.nodes()
    assert 'Traceback' not in ''.join(path.read_text() for path in (running.out / 'logs').glob('*.log'))
    for bag in running.out.glob('episode_*'):
        with EpisodeReader(bag) as reader:
            assert reader.complete
