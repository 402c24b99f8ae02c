"""The processes of a graph's nodes: started with a log each, watched, ended together."""

from __future__ import annotations

import ctypes
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from hoigen.ros.interrupts import INTERRUPTS, ignore_interrupts

NODE_COMMAND = (sys.executable, '-u', '-m', 'hoigen.ros.nodes')
STOP_S = 60.0
POLL_S = 0.05
LAST_LINES = 15
_PR_SET_PDEATHSIG = 1


class NodeFailed(RuntimeError):
    """A node died or could not do its work; ``node`` names it."""

    def __init__(self, node: str, what: str) -> None:
        super().__init__(f'{node} {what}')
        self.node = node


def interrupt_once() -> None:
    """Let the first SIGINT or SIGTERM raise KeyboardInterrupt, and further ones nothing.

    A terminal and launch both send one, and what ends in good order must not be interrupted in that.
    """

    def interrupt(*_: object) -> None:
        ignore_interrupts()
        raise KeyboardInterrupt

    for number in INTERRUPTS:
        signal.signal(number, interrupt)  # also where a shell's background job inherited an ignored SIGINT


def _end_with_parent() -> None:
    """In the child: have the kernel interrupt it when the parent is gone, however that ended."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT)


class NodeProcesses:
    """Every node in its own process and process group, its output in ``logs``/<node>.log.

    ``command`` runs the node that its next argument names.
    """

    def __init__(self, logs: Path, command: Sequence[str] = NODE_COMMAND) -> None:
        self._logs, self._command = logs, command
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, node: str, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start a node. Ctrl-C in the terminal does not reach it: :meth:`stop` does."""
        with self.log(node).open('wb') as log:
            self._running[node] = subprocess.Popen(
                [*self._command, node, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=dict(environment),
                start_new_session=True,
                preexec_fn=_end_with_parent,
            )

    def log(self, node: str) -> Path:
        return self._logs / f'{node}.log'

    def last_lines(self, node: str) -> str:
        """The end of a node's log."""
        return '\n'.join(self.log(node).read_text(errors='replace').splitlines()[-LAST_LINES:])

    def check(self) -> None:
        """Raise :class:`NodeFailed` if a node has ended."""
        for node, process in self._running.items():
            status = process.poll()
            if status is not None:
                how = f'was killed by {signal.Signals(-status).name}' if status < 0 else f'ended with status {status}'
                raise NodeFailed(node, how)

    def stop(self) -> list[str]:
        """Interrupt all, wait for them, and kill those that do not end; the names of the killed."""
        for process in self._running.values():
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
        deadline = time.monotonic() + STOP_S
        while any(process.poll() is None for process in self._running.values()) and time.monotonic() < deadline:
            time.sleep(POLL_S)
        stuck = [node for node, process in self._running.items() if process.poll() is None]
        for node in stuck:
            self._running[node].kill()
            self._running[node].wait()
        self._running.clear()
        return stuck
