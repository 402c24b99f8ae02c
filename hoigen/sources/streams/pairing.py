"""Which messages of different topics are of one frame: equal stamps, and publications that belong together."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple, TypeVar

import numpy as np

from hoigen.messages import topics

REMEMBERED = 4096
"""Publications whose stamps are remembered: more than two queues of a stream hold on their way."""
FAR_APART = 1024
"""Topics whose publication numbers differ by more are not published together, whatever is still on its way."""
_CONDITIONS = frozenset(topic.name for topic in topics.CONDITIONS)
"""Topics that are made from labels that another node may publish; condition/tracks names them."""

_Process = tuple[bytes, bool]
"""A process, and whether of what it publishes the conditions are meant or the scene."""

K = TypeVar('K')
V = TypeVar('V')


class Origin(NamedTuple):
    """A publication: its publisher's DDS id (16 bytes, the first 12 name the process) and its number there, from 1."""

    publisher: bytes
    number: int

    @property
    def key(self) -> tuple[bytes, int]:
        """The same for all topics on which a process publishes together."""
        return self.publisher[:12], self.number


def origin_of(info: Mapping[str, Any]) -> Origin | None:
    """From rclpy's message info; None where the middleware does not number publications."""
    number, publisher = info.get('publication_sequence_number'), info.get('publisher_gid')
    return Origin(bytes(publisher['data'])[:16], number) if number and publisher else None


def source_of(tracks: Any) -> Origin | None:
    """What a PointTracks message was made from; None for what was published together with it."""
    return Origin(bytes(tracks.source_publisher), tracks.source_number) if tracks.source_number else None


def name_source(tracks: Any, source: Origin | None) -> None:
    """Write into a PointTracks message from which labels it was made, or in which image it was seen."""
    if source is not None:
        tracks.source_publisher = np.frombuffer(source.publisher.ljust(16, b'\0'), np.uint8)
        tracks.source_number = source.number


class Pairing:
    """Decides for the topics of a scene and its conditions which messages are of one frame.

    Equal stamps are not enough: a source may start its clock again. A process that publishes one message on each topic
    for each frame numbers them alike, so of its publications those of one number are one frame, whatever is lost on the
    way. Conditions are of the frame that condition/tracks names, and so are labels that are published together with
    conditions of another process's image. Where topics are not published together (by two processes, or with gaps of
    their own) the stamps alone decide, and only while they rise on every topic.
    ``names``: the topics; without condition/tracks, conditions are a topic like any other.
    """

    def __init__(self, names: Collection[str]) -> None:
        self._made = _CONDITIONS if topics.TRACKS.name in names else frozenset()
        self.clock_fault = ''
        """Where a stamp went back, and what to do so that such frames can be told apart; '' while stamps rise."""
        self.changes = 0
        """Grows when topics turn out not to be published together: what came before may be of one frame now."""
        self._stamps: OrderedDict[tuple[_Process, int], int] = OrderedDict()
        self._links: OrderedDict[tuple[bytes, int], tuple[bytes, int]] = OrderedDict()
        self._linking: set[bytes] = set()
        self._apart: set[_Process] = set()
        self._last: dict[str, tuple[int, Origin | None]] = {}
        self._numbers: dict[tuple[_Process, str], Origin] = {}
        self._processes: dict[str, set[bytes]] = defaultdict(set)

    def see(self, topic: str, stamp_ns: int, origin: Origin | None) -> bool:
        """Take note of a message that has come; False for a publication that came before."""
        before_ns, before = self._last.get(topic, (-1, None))
        if origin and before and origin.publisher == before.publisher and origin.number <= before.number:
            return False
        self._last[topic] = stamp_ns, origin
        if stamp_ns <= before_ns and not self.clock_fault:
            self.clock_fault = (
                f'{topic} went from {before_ns} to {stamp_ns} ns: expected stamps that rise over '
                'episodes, or a source that publishes one message on every topic for each frame'
            )
        if origin is not None:
            self._compare(topic, stamp_ns, origin)
        return True

    def link(self, origin: Origin | None, source: Origin | None) -> None:
        """What is published under ``origin`` is of the frame of ``source`` (None: published together with it)."""
        if origin is not None:
            frame = (source or origin).key
            _remember(self._links, origin.key, frame)
            if frame[0] != origin.key[0]:
                self._linking.add(origin.key[0])

    def same(self, topic: str, origin: Origin | None, other_topic: str, other: Origin | None) -> bool:
        """Whether two messages with one stamp are of one frame, as far as is known by now."""
        if origin is None or other is None:
            return not self.clock_fault
        one, two = origin.key, other.key
        families = {(one[0], topic in self._made), (two[0], other_topic in self._made)}
        apart = bool(families & self._apart)
        if len(families) > 1 and not apart:
            one_of, two_of = self._frame(topic, origin), self._frame(other_topic, other)
            if one_of is None or two_of is None:
                return False
            one, two = one_of, two_of
        if one == two or self.clock_fault:
            return one == two and not (apart and self.clock_fault)
        if one[0] == two[0]:
            return apart
        return not self._processes[self._named(topic)] & self._processes[self._named(other_topic)]

    def passed(self, topic: str, origin: Origin | None, labels_topic: str, labels: Origin | None) -> bool:
        """Whether the labels of a message cannot come any more, since ``labels`` that follow them have."""
        if origin is None or labels is None:
            return False
        one, two = self._frame(topic, origin), self._frame(labels_topic, labels)
        if one is None or two is None or (two[0], False) in self._apart:
            return False
        return one[0] == two[0] and one[1] < two[1]

    def _frame(self, topic: str, origin: Origin) -> tuple[bytes, int] | None:
        """The publication that names the frame; None while that is not known."""
        if topic in self._made or origin.key[0] in self._linking:
            return self._links.get(origin.key)
        return origin.key

    def _named(self, topic: str) -> str:
        """Conditions are followed back to the labels that they were made from."""
        return topics.LABELS.name if topic in self._made else topic

    def _compare(self, topic: str, stamp_ns: int, origin: Origin) -> None:
        """Find out whether the process publishes its topics together."""
        key, number = origin.key
        process = key, topic in self._made
        self._processes[topic].add(key)
        before = self._numbers.get((process, topic), origin)
        self._numbers[process, topic] = origin
        numbers = [seen.number for (of, _), seen in self._numbers.items() if of == process]
        together = (
            self._stamps.get((process, number), stamp_ns) == stamp_ns
            and before.publisher == origin.publisher
            and max(numbers) - min(numbers) <= FAR_APART
        )
        _remember(self._stamps, (process, number), stamp_ns)
        if not together and process not in self._apart:
            self._apart.add(process)
            self.changes += 1


def _remember(known: OrderedDict[K, V], key: K, value: V) -> None:
    known[key] = value
    if len(known) > REMEMBERED:
        known.popitem(last=False)
