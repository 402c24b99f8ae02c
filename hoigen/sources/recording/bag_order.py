"""The order of a bag's messages by their header stamps, and where a clock that begins anew cuts them into segments.

A message that comes late fills a gap that was left for it. One that goes back to where messages were already is of
another run of the clock: a simulation that was reset. What lies before and after is never brought together.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from hoigen.sources.recording.options import RecordingError

REORDER = 16
"""Messages of a topic among which header stamps may be out of order."""
STEPS = 32
"""Messages of a topic from which its period is known."""
APART = 0.6
"""Of the period: what comes late is at least so far from its neighbours, what belongs to another run is not."""
BEFORE = 2.0
"""Periods by which a late message may come before the first."""


class Ordered(NamedTuple):
    """One message; it sorts by segment and header stamp."""

    segment: int
    stamp_ns: int
    serial: int
    raw: bytes


class Clock:
    """Counts the segments of a recording: the time between two places at which a topic's stamps go back.

    resets: how often the clock began anew; a reset of it is seen in each topic. first: what the first of them was.
    """

    def __init__(self) -> None:
        self.segment = self.resets = 0
        self.first = ''
        self._seen_in: set[str] = set()

    def hole(self) -> None:
        """Something is missing here: no segment goes on after it."""
        self.segment += 1
        self._seen_in.clear()

    def back(self, topic: str, newest_ns: int, stamp_ns: int) -> None:
        """A topic's stamps went back."""
        self.segment += 1
        if not self._seen_in or topic in self._seen_in:
            self._seen_in, self.resets = set(), self.resets + 1
            self.first = self.first or f'{topic}: from {newest_ns} to {stamp_ns} ns'
        self._seen_in.add(topic)


class Stream:
    """Puts a topic's messages into the order of their stamps, holding back :data:`REORDER` of them."""

    def __init__(self, topic: str, clock: Clock) -> None:
        self._topic, self._clock = topic, clock
        self._held: list[Ordered] = []
        self._serial = self._given = 0
        self._steps: deque[int] = deque(maxlen=STEPS)
        self.hole()
        self._unset = 0

    def hole(self) -> None:
        """What comes now need not fit what came before."""
        self._newest = self._newest_log = self._previous = self._floor = -1
        self._run, self._late_from = self._serial, -1

    def push(self, stamp_ns: int, log_ns: int, raw: bytes) -> Iterator[Ordered]:
        """Add a message; gives those that are in order now. Raises RecordingError where no stamps are set."""
        self._check(stamp_ns)
        if stamp_ns <= self._newest:
            if any(held.stamp_ns == stamp_ns and held.raw == raw for held in self._held):
                return  # the same message twice
            self._late_from = self._serial if self._late_from < 0 else self._late_from
        if self._late_from >= 0:
            if not self._fills_gap(stamp_ns, log_ns):
                self._begin_anew(stamp_ns)
            elif stamp_ns > self._newest:
                self._late_from = -1
        if 0 <= self._previous < stamp_ns:
            self._steps.append(stamp_ns - self._previous)
        self._previous, self._newest, self._newest_log = (
            stamp_ns,
            max(self._newest, stamp_ns),
            max(self._newest_log, log_ns),
        )
        heapq.heappush(self._held, Ordered(self._clock.segment, stamp_ns, self._serial, raw))
        self._serial += 1
        if len(self._held) > REORDER:
            yield self._pop()

    def finish(self) -> Iterator[Ordered]:
        if self._unset and self._unset == self._serial:
            raise RecordingError(f'{self._topic}: expected header stamps, got 0: none is set')
        while self._held:
            yield self._pop()

    def _pop(self) -> Ordered:
        item = heapq.heappop(self._held)
        if item.serial >= self._run:
            self._floor = max(self._floor, item.stamp_ns)
        return item

    def _check(self, stamp_ns: int) -> None:
        self._unset += stamp_ns == 0 and self._unset == self._serial
        if stamp_ns < 0 or self._unset > REORDER:
            raise RecordingError(f'{self._topic}: expected header stamps, got {stamp_ns}: none is set')

    def _fills_gap(self, stamp_ns: int, log_ns: int) -> bool:
        """Whether a message is late, or follows one: away from its neighbours as messages of one run are."""
        if not self._steps or (
            stamp_ns <= self._newest and log_ns < self._newest_log - (self._newest - stamp_ns) / 2
        ):  # its log time went back too
            return False
        period = sorted(self._steps)[len(self._steps) // 4]
        held = [item.stamp_ns for item in self._held if item.serial >= self._run]
        before = max((stamp for stamp in held if stamp <= stamp_ns), default=self._floor)
        after = min((stamp for stamp in held if stamp > stamp_ns), default=None)
        if before < 0:
            return after is not None and APART * period <= after - stamp_ns <= BEFORE * period
        return stamp_ns - before >= APART * period and (after is None or after - stamp_ns >= APART * period)

    def _begin_anew(self, stamp_ns: int) -> None:
        """Another run of the clock, from the first message on that came late."""
        first = self._late_from
        late = [item for item in self._held if item.serial >= first]
        self._clock.back(self._topic, self._newest, min([stamp_ns, *(item.stamp_ns for item in late)]))
        self._held = [
            item if item.serial < first else item._replace(segment=self._clock.segment) for item in self._held
        ]
        heapq.heapify(self._held)
        self._run, self._late_from, self._floor = first, -1, -1
        self._newest = max((item.stamp_ns for item in late), default=-1)
        self._newest_log = self._previous = -1
