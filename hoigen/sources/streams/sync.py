"""Puts together the messages of one frame."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from hoigen.messages import topics
from hoigen.sources.streams.order import Refused
from hoigen.sources.streams.pairing import Origin, Pairing, source_of


@dataclass(eq=False)
class _Begun:
    stamp_ns: int
    parts: dict[str, tuple[Origin | None, Any]] = field(default_factory=dict)


class ExactSync:
    """Collects one message per topic and frame; calls ``on_set`` with each complete set.

    Topics deliver in order, so once a set is complete, sets that were begun before it can never be: they are
    reported to ``on_refused`` with the topics they lack, and so is the oldest set when more than ``depth`` are
    begun. Order is that of arrival, not of stamps: a source may start its clock again (:class:`Pairing`). Not
    thread-safe: all calls come from the executor's thread.
    """

    def __init__(
        self,
        names: Sequence[str],
        on_set: Callable[[int, dict[str, Any], dict[str, Origin | None]], None],
        on_refused: Callable[[Refused], None],
        depth: int = 128,
    ) -> None:
        self._topics, self._on_set, self._on_refused, self._depth = tuple(names), on_set, on_refused, depth
        self._pairing = Pairing(names)
        self._begun: list[_Begun] = []

    def add(self, topic: str, stamp_ns: int, message: Any, origin: Origin | None = None) -> None:
        """Take a message of one of the topics; one that came before is left out."""
        changes = self._pairing.changes
        if not self._pairing.see(topic, stamp_ns, origin):
            return
        self._place(stamp_ns, topic, origin, message)
        if topic == topics.TRACKS.name:
            self._pairing.link(origin, source_of(message))
            self._sort_again(stamp_ns)
        if self._pairing.changes != changes:
            self._sort_again()
        if len(self._begun) > self._depth:
            self._give_up(self._begun[0])

    @property
    def empty(self) -> bool:
        """Whether no set is begun."""
        return not self._begun

    def clear(self) -> None:
        """Forget every set that is begun."""
        self._begun.clear()

    def _place(self, stamp_ns: int, topic: str, origin: Origin | None, message: Any) -> None:
        begun = next(
            (begun for begun in self._begun if begun.stamp_ns == stamp_ns and self._fits(begun, topic, origin)), None
        )
        if begun is None:
            begun = _Begun(stamp_ns)
            self._begun.append(begun)
        begun.parts[topic] = origin, message
        if len(begun.parts) == len(self._topics):
            self._complete(begun)

    def _fits(self, begun: _Begun, topic: str, origin: Origin | None) -> bool:
        return topic not in begun.parts and all(
            self._pairing.same(topic, origin, other, its) for other, (its, _) in begun.parts.items()
        )

    def _sort_again(self, stamp_ns: int | None = None) -> None:
        """Put the messages of a stamp, or all of them, into sets once more."""
        begun, self._begun = self._begun, []
        for one in begun:
            if stamp_ns not in (None, one.stamp_ns):
                self._begun.append(one)
                continue
            for topic, (origin, message) in one.parts.items():
                self._place(one.stamp_ns, topic, origin, message)

    def _complete(self, begun: _Begun) -> None:
        while self._begun[0] is not begun:
            self._give_up(self._begun[0])
        self._begun.remove(begun)
        self._on_set(
            begun.stamp_ns,
            {topic: message for topic, (_, message) in begun.parts.items()},
            {topic: origin for topic, (origin, _) in begun.parts.items()},
        )

    def _give_up(self, begun: _Begun) -> None:
        self._begun.remove(begun)
        missing = [topic for topic in self._topics if topic not in begun.parts]
        cause = f'; {self._pairing.clock_fault}' if self._pairing.clock_fault else ''
        self._on_refused(
            Refused(
                'unmatched stamp',
                f'{begun.stamp_ns} ns: expected all of {list(self._topics)}, got none of {missing}{cause}',
            )
        )
