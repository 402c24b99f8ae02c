"""How such a process is started, and where it answers."""

from __future__ import annotations

import os
import sys

LAST_WORDS = 300
"""Characters of a dead child's error output that are looked at."""


def command(module: str, *arguments: str) -> list[str]:
    """Runs a module of hoigen; nothing is imported from the working directory."""
    return [sys.executable, '-P', '-m', module, *arguments]


def environment() -> dict[str, str]:
    """This process's, with its import path and one thread."""
    own = {'PYTHONPATH': os.pathsep.join(filter(None, sys.path)), 'OMP_NUM_THREADS': '1', 'OPENBLAS_NUM_THREADS': '1'}
    return os.environ | own | {'AV_LOG_FORCE_NOCOLOR': '1'}


def answers() -> int:
    """In the child: a file descriptor to the parent; what libraries print goes to the error output from now on."""
    pipe = os.dup(1)
    os.dup2(2, 1)
    return pipe


def last_words(errors: bytes) -> str:
    """The end of a sentence about a dead child: the last line of its error output, '' if there is none."""
    lines = errors[-LAST_WORDS:].decode(errors='replace').strip().splitlines()
    return f'; its last words: {lines[-1]}' if lines else ''
