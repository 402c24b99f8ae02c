"""Messages of a topic that not every source publishes, to go with the frame of their stamp."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

WAITING = 32
"""At most this many messages wait for their frame."""


class Beside:
    """Gives each frame (any item) with the message of its stamp, or with None; order and number of frames are kept.

    A frame whose message has not come may wait for it, until the next frame at the latest. Not thread-safe: all calls
    come from the executor's thread.
    """

    def __init__(self, give: Callable[[int, Any, Any | None], None]) -> None:
        self._give = give
        self.clear()

    def clear(self) -> None:
        """Forget what waits."""
        self._waiting: dict[int, Any] = {}
        self._held: tuple[int, Any] | None = None
        self._last_ns = -1

    def add(self, stamp_ns: int, message: Any) -> None:
        """Take a message; of a frame that went without it, it is not used."""
        if self._held is not None and self._held[0] == stamp_ns:
            self._release(message)
        elif stamp_ns > self._last_ns:
            self._waiting[stamp_ns] = message
            if len(self._waiting) > WAITING:
                del self._waiting[next(iter(self._waiting))]

    def frame(self, stamp_ns: int, item: Any, *, wait: bool) -> None:
        """Take a frame. Where stamps go back a source has started its clock again: what waits is of another run."""
        self._release(None)
        restarted = stamp_ns <= self._last_ns
        message = None if restarted else self._waiting.get(stamp_ns)
        self._waiting = {} if restarted else {at: kept for at, kept in self._waiting.items() if at > stamp_ns}
        self._last_ns, self._held = stamp_ns, (stamp_ns, item)
        if message is not None or not wait:
            self._release(message)

    def _release(self, message: Any | None) -> None:
        """Give the frame that waits, if one does."""
        if self._held is not None:
            (stamp_ns, item), self._held = self._held, None
            self._give(stamp_ns, item, message)
