"""One-line notices of what a process is busy with, for the person who waits for it."""

from __future__ import annotations

import sys

_given: list[str] = []


def notify(text: str) -> None:
    """Print a notice on stderr, at once; from any thread."""
    _given.append(text)
    print(text, file=sys.stderr, flush=True)


def latest() -> str:
    """The newest notice of this process; '' without one."""
    return _given[-1] if _given else ''
