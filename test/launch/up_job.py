"""A `hoigen up` in its own process, for tests."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from ros_domain import own_domain

import hoigen

DEADLINE_S = 900.0
COUNT = itertools.count()
NODES = ('episode_recorder', 'synthesizer', 'condition_builder', 'sim_source')
ALL_NODES = (*NODES, 'perception', 'video_source', 'pose_editor')
REAL = ('-m', 'hoigen', 'up')
FAKE = (str(Path(__file__).with_name('run_up.py')),)


def wait(condition: Callable[[], object]) -> None:
    """Wait for a condition; fails the test at the deadline."""
    end = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


class Job:
    """A running `hoigen up`, in a namespace of its own, and what it has printed.

    ``program``: REAL, or FAKE for one with stand-ins.
    """

    def __init__(self, program: Sequence[str], out: Path, *arguments: str, graph: str = 'sim_to_video') -> None:
        self.out, self.namespace = out, f'/job_{os.getpid()}_{next(COUNT)}'
        self._log = out.parent / f'{out.name}.txt'
        source = os.pathsep.join([str(Path(hoigen.__file__).parents[1]), os.environ.get('PYTHONPATH', '')])
        environment = os.environ | {
            'ROS_DOMAIN_ID': own_domain(),
            'ROS_HOME': str(out.parent / 'ros'),
            'PYTHONPATH': source,
        }
        with self._log.open('wb') as log:
            self.process = subprocess.Popen(
                [sys.executable, *program, graph, '--out', str(out), '--namespace', self.namespace, *arguments],
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
            )

    @property
    def printed(self) -> str:
        return self._log.read_text()

    def log(self, node: str) -> str:
        return (self.out / 'logs' / f'{node}.log').read_text()

    def until_printed(self, text: str) -> None:
        """Wait for a text; fails the test at the deadline, or when the job has ended without it."""
        wait(lambda: text in self.printed or self.process.poll() is not None)
        assert text in self.printed, self.printed

    def recorded(self) -> int:
        """How many episodes it has said to be recorded."""
        return max(map(int, re.findall(r'^(\d+)(?: of \d+)? episodes recorded', self.printed, re.MULTILINE)), default=0)

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
                found[next(node for node in ALL_NODES if node in command)] = int(folder.name)
        return found
