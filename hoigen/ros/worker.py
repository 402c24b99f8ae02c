"""A thread for slow work, behind a bounded queue that drops nothing in silence."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar('T')


class Worker(Generic[T]):
    """Handles items one after the other on its own thread, in the order in which they came.

    ``put``, ``queued`` and ``close`` may be called from any thread; ``process`` and ``on_error`` run on the worker's.
    A full queue refuses an item (``put`` gives False), or gives its oldest one back for it (``put_newest``): what
    becomes of it is the caller's to say.
    """

    def __init__(
        self, name: str, process: Callable[[T], None], on_error: Callable[[Exception], None], limit: int
    ) -> None:
        self._process, self._on_error, self._limit = process, on_error, limit
        self._items: deque[T] = deque()
        self._ready = threading.Condition()
        self.stopping = threading.Event()
        """Set by ``close``: a long ``process`` looks at it and returns early."""
        self._thread = threading.Thread(target=self._run, name=name)
        self._thread.start()

    @property
    def queued(self) -> int:
        return len(self._items)

    def put(self, item: T, alike: Callable[[T], bool] = lambda waiting: True) -> bool:
        """Queue an item; False if ``limit`` of those that are ``alike`` wait already."""
        with self._ready:
            if sum(map(alike, self._items)) >= self._limit:
                return False
            self._items.append(item)
            self._ready.notify()
            return True

    def put_newest(self, item: T) -> T | None:
        """Queue an item; if ``limit`` of them wait already, the oldest is not handled any more and given back."""
        with self._ready:
            dropped = self._items.popleft() if len(self._items) >= self._limit else None
            self._items.append(item)
            self._ready.notify()
            return dropped

    def close(self) -> list[T]:
        """Wait for the item in progress and end the thread; gives back the items that were never begun."""
        with self._ready:
            self.stopping.set()
            self._ready.notify()
        self._thread.join()
        return list(self._items)

    def _run(self) -> None:
        while True:
            with self._ready:
                self._ready.wait_for(lambda: self._items or self.stopping.is_set())
                if self.stopping.is_set():
                    return
                item = self._items.popleft()
            try:
                self._process(item)
            except Exception as error:  # the thread must outlive one bad item; the node reports it
                self._on_error(error)
