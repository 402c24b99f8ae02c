"""Which messages of different topics are of one frame: equal stamps, and publications that belong together."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple, TypeVar

import numpy as np

from hoigen.ros import topics

__all__ = ['Origin', 'Pairing', 'link_of', 'name_labels', 'origin_of']

REMEMBERED = 4096
"""Publications whose stamps are remembered: more than two queues of a stream hold on their way."""
FAR_APART = 1024
"""Topics whose publication numbers differ by more are not published together, whatever is still on its way."""
_CONDITIONS = frozenset(topic.name for topic in topics.CONDITIONS)
"""Topics that are made from labels that another node may publish; condition/tracks names them."""

_Process = tuple[bytes, bool]
"""A process, and whether of what it publishes the conditions are meant or the scene."""

K, V = TypeVar('K'), TypeVar('V')


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


def link_of(tracks: Any) -> Origin | None:
    """The labels that a PointTracks message was made from; None for those that were published together with it."""
    return Origin(bytes(tracks.labels_publisher), tracks.labels_number) if tracks.labels_number else None


def name_labels(tracks: Any, labels: Origin) -> None:
    """Write into a PointTracks message from which labels it was made."""
    tracks.labels_publisher = np.frombuffer(labels.publisher.ljust(16, b'\0'), np.uint8)
    tracks.labels_number = labels.number


class Pairing:
    """Decides for the topics of a scene and its conditions which messages are of one frame.

    Equal stamps are not enough: a source may start its clock again. A process that publishes one message on each topic
    for each frame numbers them alike, so of its publications those of one number are one frame, whatever is lost on the
    way. Conditions are of the frame of the labels that condition/tracks names. Where topics are not published together
    (by two processes, or with gaps of their own) the stamps alone decide, and only while they rise on every topic.
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
            self.clock_fault = (f'{topic} went from {before_ns} to {stamp_ns} ns: expected stamps that rise over '
                                'episodes, or a source that publishes one message on every topic for each frame')
        if origin is not None:
            self._compare(topic, stamp_ns, origin)
        return True

    def link(self, origin: Origin | None, labels: Origin | None) -> None:
        """Conditions of that publication are of the frame of these ``labels`` (None: published together with them)."""
        if origin is not None:
            _remember(self._links, origin.key, (labels or origin).key)

    def same(self, topic: str, origin: Origin | None, other_topic: str, other: Origin | None) -> bool:
        """Whether two messages with one stamp are of one frame, as far as is known by now."""
        if origin is None or other is None:
            return not self.clock_fault
        if other_topic in self._made and topic not in self._made:
            return self.same(other_topic, other, topic, origin)
        one, two = origin.key, other.key
        apart = {(one[0], topic in self._made), (two[0], other_topic in self._made)} & self._apart
        if topic in self._made and other_topic not in self._made and not apart:
            if one not in self._links:
                return False
            topic, one = topics.LABELS.name, self._links[one]
        if one == two or self.clock_fault:
            return one == two and not (apart and self.clock_fault)
        return bool(apart) if one[0] == two[0] else not self._processes[topic] & self._processes[other_topic]

    def passed(self, topic: str, origin: Origin | None, labels_topic: str, labels: Origin | None) -> bool:
        """Whether the labels of a message cannot come any more, since ``labels`` that follow them have."""
        if origin is None or labels is None or (labels.key[0], False) in self._apart:
            return False
        key = self._links.get(origin.key) if topic in self._made else origin.key
        return key is not None and key[0] == labels.key[0] and key[1] < labels.number

    def _compare(self, topic: str, stamp_ns: int, origin: Origin) -> None:
        """Find out whether the process publishes its topics together."""
        key, number = origin.key
        process = key, topic in self._made
        self._processes[topic].add(key)
        before = self._numbers.get((process, topic), origin)
        self._numbers[process, topic] = origin
        numbers = [seen.number for (of, _), seen in self._numbers.items() if of == process]
        together = (self._stamps.get((process, number), stamp_ns) == stamp_ns and before.publisher == origin.publisher
                    and max(numbers) - min(numbers) <= FAR_APART)
        _remember(self._stamps, (process, number), stamp_ns)
        if not together and process not in self._apart:
            self._apart.add(process)
            self.changes += 1


def _remember(known: OrderedDict[K, V], key: K, value: V) -> None:
    known[key] = value
    if len(known) > REMEMBERED:
        known.popitem(last=False)
