"""numba, for the kernels: what it compiles on the first run on a machine is announced. Import it from here."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
import time

import numba
from numba.core.caching import CompileResultCacheImpl
from numba.core.event import Event, Listener, register

from hoigen.notices import notify


def _cache_somewhere() -> str:
    """Let numba keep what it compiles in a private temporary folder, for this process and its children, where neither
    the package's folder nor the home is writable: it would refuse every kernel. What the end of a compilation says."""
    try:
        CompileResultCacheImpl(_cache_somewhere)
    except RuntimeError:
        folder = tempfile.mkdtemp(prefix='hoigen-kernels-')
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        os.environ['NUMBA_CACHE_DIR'] = folder
        numba.config.reload_config()
        return ', which cannot be kept; set NUMBA_CACHE_DIR to a writable folder, and later runs load them'
    return '; later runs load them'


AFTERWARDS = _cache_somewhere()


class _Announcer(Listener):
    """Announces the first compilation of the process, and at its end the seconds of all; what comes from the cache is
    none. numba compiles under one lock, so nothing here is called from two threads at once."""

    def __init__(self) -> None:
        self._depth, self._begun_at, self._seconds = 0, 0.0, 0.0

    def on_start(self, event: Event) -> None:
        """A kernel is compiled, maybe for another one that calls it."""
        if not self._depth:
            self._begun_at = time.monotonic()
            if not self._seconds:
                notify('compiling kernels for this machine, once: up to a minute')
                atexit.register(lambda: notify(f'compiled kernels for {self._seconds:.0f} s{AFTERWARDS}'))
        self._depth += 1

    def on_end(self, event: Event) -> None:
        """It is compiled, or cannot be."""
        self._depth -= 1
        if not self._depth:
            self._seconds += time.monotonic() - self._begun_at


register('numba:compile', _Announcer())
