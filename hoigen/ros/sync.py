"""Puts together the messages of one instant: those whose header stamps are exactly equal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any


class ExactSync:
    """Collects one message per topic and stamp; calls ``on_set`` with each complete set.

    Topics deliver in order, so once a set is complete, sets that were begun before it can never be: they are
    reported to ``on_unmatched`` with the topics they lack, and so is the oldest set when more than ``depth`` are
    begun. Order is that of arrival, not of stamps: a source may start its clock again. Not thread-safe: all calls
    come from the executor's thread.
    """

    def __init__(self, topics: Sequence[str], on_set: Callable[[int, dict[str, Any]], None],
                 on_unmatched: Callable[[int, list[str]], None], depth: int = 128) -> None:
        self._topics, self._on_set, self._on_unmatched, self._depth = tuple(topics), on_set, on_unmatched, depth
        self._begun: dict[int, dict[str, Any]] = {}

    def add(self, topic: str, stamp_ns: int, message: Any) -> None:
        """Take a message of one of the topics; a second one of the same topic and stamp begins the set anew."""
        if topic in self._begun.get(stamp_ns, {}):
            self._give_up(stamp_ns)
        messages = self._begun.setdefault(stamp_ns, {})
        messages[topic] = message
        if len(messages) == len(self._topics):
            self._complete(stamp_ns)
        elif len(self._begun) > self._depth:
            self._give_up(next(iter(self._begun)))

    @property
    def empty(self) -> bool:
        """Whether no set is begun."""
        return not self._begun

    def clear(self) -> None:
        """Forget every set that is begun."""
        self._begun.clear()

    def _complete(self, stamp_ns: int) -> None:
        begun = list(self._begun)
        for earlier in begun[:begun.index(stamp_ns)]:
            self._give_up(earlier)
        self._on_set(stamp_ns, self._begun.pop(stamp_ns))

    def _give_up(self, stamp_ns: int) -> None:
        messages = self._begun.pop(stamp_ns)
        self._on_unmatched(stamp_ns, [topic for topic in self._topics if topic not in messages])
