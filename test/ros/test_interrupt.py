"""A node's process that is interrupted, whenever that is and however often, ends with status 0 and without a word."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2: source install/setup.bash')
pytest.importorskip('hoigen.msg', reason='needs the built messages: source install/setup.bash')

DEADLINE_S = 600.0


def until_mapped(process: subprocess.Popen[str], library: str) -> None:
    """Wait until a process has come so far that it has loaded a library, or DDS's shared memory."""
    end = time.monotonic() + DEADLINE_S
    while library not in Path(f'/proc/{process.pid}/maps').read_text():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.usefixtures('ros_environment')
@pytest.mark.parametrize(
    ('node', 'library'),
    [
        ('episode_recorder', '_multiarray_umath'),
        ('episode_recorder', '/dev/shm/fast'),
        ('conductor --nodes episode_recorder --out {}', '/dev/shm/fast'),
    ],
)
def test_an_interrupted_node_ends_in_good_order(tmp_path: Path, node: str, library: str) -> None:
    """While it imports its libraries, and while it runs; a terminal and launch both send the signal, and users do."""
    process = subprocess.Popen(
        [sys.executable, '-m', 'hoigen.ros.nodes', *node.format(tmp_path).split()],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=tmp_path,
        env=os.environ | {'_ROS_WHEELS_BOOTSTRAP_COMPLETE': '1'},
    )
    until_mapped(process, library)
    end = time.monotonic() + DEADLINE_S
    while process.poll() is None and time.monotonic() < end:
        process.send_signal(signal.SIGINT)  # without a pause: one comes while another is handled
    assert process.stdout
    assert (process.wait(0), process.stdout.read()) == (130 if node.startswith('conductor') else 0, '')
