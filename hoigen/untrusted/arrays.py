"""Arrays that a child process with limits reads from a file of unknown origin."""

from __future__ import annotations

import io
import os
import subprocess
from collections.abc import Mapping

import numpy as np

from hoigen.untrusted.child import answers, command, environment, last_words
from hoigen.untrusted.limits import Limits, limit


class UnreadableFile(ValueError):
    """The child process gave no arrays; says why."""


def read_arrays(module: str, *arguments: str, timeout_s: float = Limits.timeout_s) -> dict[str, np.ndarray]:
    """What ``python -m module ARGUMENTS`` sends with :func:`send_arrays`; nothing is unpickled."""
    try:
        child = subprocess.run(command(module, *arguments), capture_output=True, env=environment(), timeout=timeout_s)
    except subprocess.TimeoutExpired:
        raise UnreadableFile(f'reading it took longer than {timeout_s:g} s') from None
    if child.returncode or not child.stdout:
        raise UnreadableFile(f'what read it ended with status {child.returncode}{last_words(child.stderr)}')
    with np.load(io.BytesIO(child.stdout), allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def limited() -> int:
    """In the child, before anything of the file is read: bind it to its limits; the descriptor to the parent."""
    pipe = answers()
    limit(Limits())
    return pipe


def send_arrays(pipe: int, arrays: Mapping[str, np.ndarray]) -> None:
    """In the child: send ``arrays`` and close the pipe."""
    whole = io.BytesIO()
    np.savez(whole, **arrays)  # type: ignore[arg-type]  # of arrays alone
    with os.fdopen(pipe, 'wb') as file:
        file.write(whole.getbuffer())
