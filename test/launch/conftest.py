"""Fixtures for tests that run whole jobs."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from up_job import DEADLINE_S, FAKE, REAL, Job

sys.path.append(str(Path(__file__).parents[1] / 'ros'))  # what the stand-ins do, tests may ask them

Start = Callable[..., Job]


def starter(program: Sequence[str], tmp_path: Path) -> Iterator[Start]:
    """Starts jobs; one that still runs after the test is interrupted."""
    jobs: list[Job] = []

    def start(*arguments: str, out: str = 'out', graph: str = 'sim_to_video') -> Job:
        jobs.append(Job(program, tmp_path / out, *arguments, graph=graph))
        return jobs[-1]

    yield start
    for started in jobs:
        if started.process.poll() is None:
            started.process.send_signal(signal.SIGINT)
            started.process.wait(DEADLINE_S)


@pytest.fixture
def job(tmp_path: Path) -> Iterator[Start]:
    """Starts `hoigen up` with stand-ins for simulator and model."""
    yield from starter(FAKE, tmp_path)


@pytest.fixture
def real_job(tmp_path: Path) -> Iterator[Start]:
    """Starts `hoigen up` as users do."""
    yield from starter(REAL, tmp_path)
