"""How the child's arrays come to the parent: a length, a JSON head that says what follows, and plain bytes.

Nothing is unpickled: whatever a decoder is made to do, the parent reads numbers only.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import struct
import time
from contextlib import suppress
from typing import Any

import numpy as np

_LENGTH = struct.Struct('<I')
LONGEST_HEAD = WIDE = 1 << 20


class PipeClosed(EOFError):
    """The other side is gone."""


class PipeSlow(TimeoutError):
    """The other side did not send in time."""


def send(pipe: int, head: dict[str, Any], arrays: tuple[np.ndarray, ...] = ()) -> None:
    text = json.dumps(head).encode()
    parts = [memoryview(_LENGTH.pack(len(text)) + text), *(np.ascontiguousarray(a).data.cast('B') for a in arrays)]
    for part in parts:
        while part:
            part = part[os.write(pipe, part) :]


def receive_head(pipe: int, timeout_s: float) -> dict[str, Any]:
    deadline = time.monotonic() + timeout_s
    (length,) = _LENGTH.unpack(_receive(pipe, _LENGTH.size, deadline))
    if length > LONGEST_HEAD:
        raise PipeClosed(f'a head of {length} bytes')
    try:
        head = json.loads(_receive(pipe, length, deadline))
    except ValueError:
        head = None
    if not isinstance(head, dict):
        raise PipeClosed('a head that is no table')
    return head


def receive_into(pipe: int, array: np.ndarray, timeout_s: float) -> None:
    """Fill a contiguous array."""
    _fill(pipe, array.data.cast('B'), time.monotonic() + timeout_s)


def _receive(pipe: int, size: int, deadline: float) -> bytes:
    buffer = bytearray(size)
    _fill(pipe, memoryview(buffer), deadline)
    return bytes(buffer)


def _fill(pipe: int, view: memoryview, deadline: float) -> None:
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    while view:
        if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            raise PipeSlow
        size = os.readv(pipe, [view])
        if not size:
            raise PipeClosed
        view = view[size:]


def widen(pipe: int) -> None:
    """Let the pipe hold as much as Linux lets anyone: fewer changes between the processes."""
    with suppress(OSError):
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, WIDE)
