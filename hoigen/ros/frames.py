"""Finds the episode of each message of one family of topics, by the labels that are published together with it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from rclpy.serialization import deserialize_message

from hoigen.ros import topics
from hoigen.ros.topics import Topic
from hoigen.sources.streams.order import Refused
from hoigen.sources.streams.pairing import Origin, Pairing, source_of

REMEMBERED = 16384
"""Labels that are remembered for what comes after them: more than the frames of all open episodes."""


class Found(NamedTuple):
    """A message and its episode; None where its labels were refused."""

    episode: int | None
    topic: Topic
    stamp_ns: int
    cdr: bytes


class _Waiting(NamedTuple):
    topic: Topic
    stamp_ns: int
    origin: Origin | None
    cdr: bytes


class Frames:
    """The messages of a scene and its conditions, or those of what one node makes of them.

    labels: the topic of the family that names episodes. waiting: frames that may wait for their labels; beyond it the
    oldest messages are refused, and so is each message whose labels cannot come any more.
    """

    def __init__(self, labels: Topic, on_refused: Callable[[Refused], None], waiting: int) -> None:
        made = (topics.GENERATED, topics.REJECTED, topics.EDITED)
        scene = tuple(
            topic
            for topic in topics.read_by(topics.RECORDER)
            if not topic.latched and not any(topic in family for family in made)
        )
        self.topics = next((family for family in made if labels in family), scene)
        self._name, self._on_refused, self._limit = labels.name, on_refused, waiting * len(self.topics)
        self._pairing = Pairing([topic.name for topic in self.topics])
        self._labels: dict[int, list[tuple[Origin | None, int | None]]] = {}
        self._stamps: deque[int] = deque()
        self._waiting: list[_Waiting] = []

    @property
    def waiting(self) -> int:
        """How many messages wait for their labels."""
        return len(self._waiting)

    def see(self, topic: Topic, stamp_ns: int, origin: Origin | None) -> bool:
        """Take note of a message that has come; False for a publication that came before."""
        return self._pairing.see(topic.name, stamp_ns, origin)

    def label(self, stamp_ns: int, origin: Origin | None, episode: int | None) -> list[Found]:
        """Labels have come, of an episode or refused (None): the messages that waited for them."""
        self._labels.setdefault(stamp_ns, []).append((origin, episode))
        self._stamps.append(stamp_ns)
        if len(self._stamps) > REMEMBERED:
            oldest = self._stamps.popleft()
            self._labels[oldest].pop(0)
            if not self._labels[oldest]:
                del self._labels[oldest]
        found = self._search()
        for one in [
            one for one in self._waiting if self._pairing.passed(one.topic.name, one.origin, self._name, origin)
        ]:
            self._give_up(one)
        return found

    def add(self, topic: Topic, stamp_ns: int, origin: Origin | None, cdr: bytes) -> list[Found]:
        """A message of another topic has come: it, and what waited for it, where the labels are there."""
        if topic is topics.TRACKS:
            self._pairing.link(origin, source_of(deserialize_message(cdr, topic.type)))
        if origin is None:
            for one in [one for one in self._waiting if (one.topic, one.stamp_ns) == (topic, stamp_ns)]:
                self._give_up(one)
        self._waiting.append(_Waiting(topic, stamp_ns, origin, cdr))
        found = self._search()
        if len(self._waiting) > self._limit:
            self._give_up(self._waiting[0])
        return found

    def drop(self, first_ns: int, last_ns: int) -> None:
        """Forget what waits with a stamp between these two: it is of no episode."""
        self._waiting = [one for one in self._waiting if not first_ns <= one.stamp_ns <= last_ns]

    def _search(self) -> list[Found]:
        """Take what has its labels by now out of what waits."""
        found, still = [], []
        for one in self._waiting:
            episodes = [
                episode
                for origin, episode in self._labels.get(one.stamp_ns, ())
                if self._pairing.same(one.topic.name, one.origin, self._name, origin)
            ]
            if episodes:
                found.append(Found(episodes[-1], one.topic, one.stamp_ns, one.cdr))
            else:
                still.append(one)
        self._waiting = still
        return found

    def _give_up(self, one: _Waiting) -> None:
        self._waiting.remove(one)
        cause = f'; {self._pairing.clock_fault}' if self._pairing.clock_fault else ''
        self._on_refused(
            Refused(
                'frame without labels',
                f'{one.topic.name} at {one.stamp_ns} ns: expected {self._name} of its frame{cause}',
            )
        )
