"""The signals by which a user, a terminal or launch ends a process."""

from __future__ import annotations

import ctypes
import signal
import time

INTERRUPTS = (signal.SIGINT, signal.SIGTERM)

_SIG_IGN = ctypes.c_void_p(1)


def ignore_interrupts() -> None:
    """From here on: what ends already must not be ended by a second one.

    The kernel ignores them first: one that came while Python changes its handler would be reported as a race.
    """
    for number in INTERRUPTS:
        ctypes.CDLL(None).signal(number, _SIG_IGN)
    time.sleep(0.01)  # another thread may be in the handler still
    for number in INTERRUPTS:
        signal.signal(number, signal.SIG_IGN)
