"""`hoigen up` over real processes and DDS, with stand-ins for simulator and model: the job, and all ways it can end."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs ROS 2: source install/setup.bash')
pytest.importorskip('hoigen.msg', reason='needs the built messages: source install/setup.bash')

from up_job import NODES, Job, wait

from hoigen.episodes import EpisodeReader


def generated(out: Path, episode: int) -> np.ndarray:
    with EpisodeReader(out / f'episode_{episode:04d}') as reader:
        assert reader.complete
        assert not reader.faults()
        clip: Any = reader.generated()
        return clip.frames


def bags(out: Path) -> list[str]:
    return sorted(path.name for path in out.glob('episode_*'))


def test_jobs_make_whole_bags_and_a_report_the_same_for_the_same_seed(job: Callable[..., Job]) -> None:
    """Status 0 and the paths printed. A second job in a folder numbers on and overwrites nothing, and an episode has
    bit for bit the same frames whether one job makes both or two do, in whatever namespace."""
    together = job('--episodes', '2', '--seed', '7', out='together')
    assert together.status() == 0, together.printed
    for name in ('episode_0000', 'episode_0001', 'report.html', 'preview.mp4'):
        assert (together.out / name).exists()
        assert f'{together.out / name}\n' in together.printed
    first = job('--episodes', '1', '--seed', '7', '--namespace', 'lab', out='apart')
    assert first.status() == 0, first.printed
    written = {path: path.stat().st_mtime_ns for path in first.out.glob('episode_0000/*')}
    second = job('--episodes', '1', '--seed', '7', out='apart')
    assert second.status() == 0, second.printed
    assert bags(second.out) == ['episode_0000', 'episode_0001']
    assert {path: path.stat().st_mtime_ns for path in written} == written
    for episode in (0, 1):
        np.testing.assert_array_equal(generated(second.out, episode), generated(together.out, episode))
    assert not np.array_equal(generated(together.out, 0), generated(together.out, 1))


@pytest.mark.parametrize('node', NODES)
def test_a_killed_node_ends_the_job_with_its_name_and_leaves_the_bags_readable(job: Callable[..., Job],
                                                                               node: str) -> None:
    """Status 1, no process left, and every bag opens: whole ones as they are, the others as far as they got."""
    running = job('--episodes', '1000')
    running.until_printed('of 1000 episodes recorded')
    os.kill(running.nodes()[node], signal.SIGKILL)
    assert running.status() == 1
    assert f'hoigen up: {node} was killed by SIGKILL' in running.printed
    assert f'the last lines of {running.out}/logs/{node}.log:' in running.printed
    assert not running.nodes()
    generated(running.out, 0)
    for name in bags(running.out):
        with EpisodeReader(running.out / name) as reader:
            assert reader.counts


def test_an_interrupted_job_stops_every_node_and_closes_the_bags(job: Callable[..., Job]) -> None:
    """Ctrl-C: status 130, no process left, and each bag has its metadata and index."""
    running = job('--episodes', '1000')
    running.until_printed('of 1000 episodes recorded')
    running.process.send_signal(signal.SIGINT)
    assert running.status() == 130
    assert not running.nodes()
    assert 'Traceback' not in ''.join(path.read_text() for path in (running.out / 'logs').glob('*.log'))
    for name in bags(running.out):
        with EpisodeReader(running.out / name) as reader:
            assert reader.complete


def test_when_the_job_itself_is_killed_its_nodes_end(job: Callable[..., Job]) -> None:
    """No orphan goes on simulating; the kernel interrupts them, so that they close their bags."""
    running = job('--episodes', '1000')
    running.until_printed('of 1000 episodes recorded')
    running.process.kill()
    wait(lambda: not running.nodes())
    for name in bags(running.out):
        with EpisodeReader(running.out / name) as reader:
            assert reader.complete


def test_a_node_that_cannot_be_configured_is_named_with_its_reason(job: Callable[..., Job]) -> None:
    """A missing model is a line that says so and status 1, not a job that hangs."""
    running = job('--model', 'huge')
    assert running.status() == 1
    assert 'hoigen up: synthesizer could not be configured' in running.printed
    assert 'synthesizer not configured: model huge: expected one of tiny' in running.printed
    assert not bags(running.out)
