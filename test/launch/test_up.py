"""`hoigen up` over real processes and DDS, with stand-ins for simulator and model: the job, and all ways it can end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs ROS 2: source install/setup.bash')
pytest.importorskip('hoigen.msg', reason='needs the built messages: source install/setup.bash')

import hoigen
from hoigen.episodes import EpisodeReader

DEADLINE_S = 180.0
NODES = ('episode_recorder', 'synthesizer', 'condition_builder', 'sim_source')
RUN_UP = Path(__file__).with_name('run_up.py')


def wait(condition: Callable[[], object]) -> None:
    """Wait for a condition; fails the test at the deadline."""
    end = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


class Job:
    """A running `hoigen up`, and what it has printed."""

    def __init__(self, out: Path, *arguments: str) -> None:
        self.out = out
        self._log = out.parent / f'{out.name}.txt'
        source = os.pathsep.join([str(Path(hoigen.__file__).parents[1]), os.environ.get('PYTHONPATH', '')])
        environment = os.environ | {'ROS_DOMAIN_ID': str(1 + os.getpid() % 100), 'ROS_HOME': str(out.parent / 'ros'),
                                    'PYTHONPATH': source}
        with self._log.open('wb') as log:
            self.process = subprocess.Popen(
                [sys.executable, str(RUN_UP), 'sim_to_video', '--out', str(out), *arguments],
                stdout=log, stderr=subprocess.STDOUT, env=environment)

    @property
    def printed(self) -> str:
        return self._log.read_text()

    def until_printed(self, text: str) -> None:
        """Wait for a text; fails the test at the deadline, or when the job has ended without it."""
        wait(lambda: text in self.printed or self.process.poll() is not None)
        assert text in self.printed, self.printed

    def status(self) -> int:
        """The exit status, once it has ended."""
        return self.process.wait(DEADLINE_S)

    def nodes(self) -> dict[str, int]:
        """The process of every node that runs."""
        found = {}
        for folder in Path('/proc').glob('[0-9]*'):
            try:
                command = (folder / 'cmdline').read_text().split('\0')
                zombie = 'State:\tZ' in (folder / 'status').read_text()
            except OSError:
                continue
            if f'{self.out}/logs/parameters.yaml' in command and not zombie:
                found[next(node for node in NODES if node in command)] = int(folder.name)
        return found


@pytest.fixture
def job(tmp_path: Path) -> Iterator[Callable[..., Job]]:
    """Starts jobs; one that still runs after the test is interrupted."""
    jobs: list[Job] = []

    def start(*arguments: str, out: str = 'out') -> Job:
        jobs.append(Job(tmp_path / out, *arguments))
        return jobs[-1]

    yield start
    for started in jobs:
        if started.process.poll() is None:
            started.process.send_signal(signal.SIGINT)
            started.process.wait(DEADLINE_S)


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
