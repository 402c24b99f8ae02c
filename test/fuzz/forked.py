"""Runs one call in a process of its own that costs milliseconds: forked from a server that has the libraries loaded.

Child processes that hoigen starts for a module of its own (``python -m hoigen.…``) are forked from the caller too; what
they do, their pipes and their limits stay as they are.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import runpy
import subprocess
import sys
import traceback
from collections.abc import Callable
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

MEMORY_BYTES = 8 << 30
HANG_S = 600
"""A guard against hangs, hundreds of times what a call takes."""
_server = multiprocessing.get_context('forkserver')


def start(*modules: str) -> None:
    """Start the server with these modules loaded."""
    _server.set_forkserver_preload(list(modules))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('PYTHONPATH', os.pathsep.join(filter(None, sys.path)))  # Python 3.11 hands it no path of ours
        forkserver.ensure_running()


class _Forked(subprocess.Popen):  # type: ignore[type-arg]
    """A process that runs a module by a fork in place of a new interpreter."""

    def _execute_child(
        self,
        args: Any,
        executable: Any,
        preexec_fn: Any,
        close_fds: Any,
        pass_fds: Any,
        cwd: Any,
        env: Any,
        startupinfo: Any,
        creationflags: Any,
        shell: Any,
        p2cread: int,
        p2cwrite: int,
        c2pread: int,
        c2pwrite: int,
        errread: int,
        errwrite: int,
        *rest: Any,
    ) -> None:
        assert list(args[1:3]) == ['-P', '-m'], args
        self.pid = os.fork()
        if self.pid == 0:
            _run_module(list(args), env, (p2cread, c2pwrite, errwrite), (p2cwrite, c2pread, errread))
        self._child_created = True
        for ours, theirs in ((p2cwrite, p2cread), (c2pread, c2pwrite), (errread, errwrite)):
            if -1 not in (ours, theirs):
                os.close(theirs)


def _run_module(args: list[str], env: dict[str, str], ends: tuple[int, int, int], others: tuple[int, int, int]) -> None:
    status = 1
    try:
        for number, end in enumerate(ends):
            if end != -1:
                os.dup2(end, number)
        for end in others:
            if end != -1:
                os.close(end)
        os.environ.update(env)
        sys.stdin, sys.stdout, sys.stderr = open(0), open(1, 'w'), open(2, 'w')  # noqa: SIM115
        sys.argv = args[3:]
        runpy.run_module(args[3], run_name='__main__')
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    os._exit(status)


def _answer(call: Callable[[Path], str], path: Path, pipe: Connection) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    subprocess.Popen = _Forked  # type: ignore[misc]
    try:
        pipe.send(('', call(path)))
    except BaseException as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        pipe.send(
            (
                type(error).__name__,
                f'{error}',
                [kind.__name__ for kind in type(error).__mro__],
                f'{where.filename}:{where.lineno}',
            )
        )


class Outcome:
    """error: the class of what was raised, '' where the call returned. says: its text, or what was returned."""

    def __init__(self, error: str, says: str, kinds: list[str], where: str) -> None:
        self.error, self.says, self.kinds, self.where = error, says, kinds, where


def run(call: Callable[[Path], str], path: Path) -> Outcome:
    """Call it with the path in a forked process within limits."""
    here, there = _server.Pipe(duplex=False)
    process = _server.Process(target=_answer, args=(call, path, there))
    process.start()
    there.close()
    if not here.poll(HANG_S):
        process.kill()
        return Outcome('hang', f'no answer in {HANG_S} s', [], '')
    try:
        error, says, *rest = here.recv()
    except EOFError:
        process.join()
        return Outcome('death', f'exit code {process.exitcode}', [], '')
    process.join()
    kinds, where = rest or ([], '')
    return Outcome(error, says, kinds, where)
