"""Which picture and which depth belong together, by their stamps."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Generic, TypeVar

A = TypeVar('A')
B = TypeVar('B')
LONGEST_WAIT = 60
"""Items that wait for their partner; when more come, the first waits in vain."""


class Pairing(Generic[A, B]):
    """Two streams with rising stamps, of which those are paired that are each other's nearest within ``tolerance``.

    alone: items of the first stream so far that have no partner.
    """

    def __init__(self, tolerance: int) -> None:
        self._tolerance, self.alone = tolerance, 0
        self._first: deque[tuple[int, A]] = deque()
        self._second: deque[tuple[int, B]] = deque()

    def first(self, stamp: int, item: A) -> Iterator[tuple[int, A, B]]:
        """Add to the first stream; gives what is paired now, with the stamp of the first."""
        self._first.append((stamp, item))
        if len(self._first) > LONGEST_WAIT:
            self._leave()
        yield from self._pairs(False)

    def second(self, stamp: int, item: B) -> Iterator[tuple[int, A, B]]:
        self._second.append((stamp, item))
        if len(self._second) > LONGEST_WAIT:
            self._second.popleft()
        yield from self._pairs(False)

    def finish(self) -> Iterator[tuple[int, A, B]]:
        yield from self._pairs(True)
        self.alone += len(self._first)

    def _leave(self) -> None:
        self._first.popleft()
        self.alone += 1

    def _pairs(self, complete: bool) -> Iterator[tuple[int, A, B]]:
        while self._first and self._second:
            (a, item), (b, partner) = self._first[0], self._second[0]
            if b < a - self._tolerance or self._next_is_nearer(self._second, a):
                self._second.popleft()
            elif a < b - self._tolerance or self._next_is_nearer(self._first, b):
                self._leave()
            elif not complete and a != b and len(self._second if b < a else self._first) == 1:
                return  # the next one may be nearer
            else:
                self._first.popleft()
                self._second.popleft()
                yield a, item, partner

    @staticmethod
    def _next_is_nearer(queue: deque, stamp: int) -> bool:
        return len(queue) > 1 and abs(queue[1][0] - stamp) < abs(queue[0][0] - stamp)


class SegmentPairing(Generic[A, B]):
    """A :class:`Pairing` within each segment of two streams, whose segments rise; of two nothing is paired."""

    def __init__(self, tolerance: int) -> None:
        self._tolerance, self._left = tolerance, 0
        self._open: dict[int, Pairing[A, B]] = {}
        self._first = self._second = -1

    @property
    def alone(self) -> int:
        """Items of the first stream so far that have no partner."""
        return self._left + sum(pairing.alone for pairing in self._open.values())

    def first(self, segment: int, stamp: int, item: A) -> Iterator[tuple[int, int, A, B]]:
        """Add to the first stream; gives what is paired now, with the segment, and the stamp of the first."""
        self._first = segment
        yield from self._close(min(self._first, self._second))
        yield from ((segment, *pair) for pair in self._of(segment).first(stamp, item))

    def second(self, segment: int, stamp: int, item: B) -> Iterator[tuple[int, int, A, B]]:
        self._second = segment
        yield from self._close(min(self._first, self._second))
        yield from ((segment, *pair) for pair in self._of(segment).second(stamp, item))

    def finish(self) -> Iterator[tuple[int, int, A, B]]:
        yield from self._close(max(self._open, default=0) + 1)

    def _of(self, segment: int) -> Pairing[A, B]:
        return self._open.setdefault(segment, Pairing(self._tolerance))

    def _close(self, until: int) -> Iterator[tuple[int, int, A, B]]:
        for segment in sorted(segment for segment in self._open if segment < until):
            pairing = self._open.pop(segment)
            yield from ((segment, *pair) for pair in pairing.finish())
            self._left += pairing.alone


def nearest_pairs(first: Sequence[int], second: Sequence[int], tolerance: int) -> list[tuple[int, int]]:
    """Indices of the pairs of two rising sequences of stamps."""
    pairing: Pairing[int, int] = Pairing(tolerance)
    found = []
    for stamp, place, which in sorted(
        [(s, i, 0) for i, s in enumerate(first)] + [(s, i, 1) for i, s in enumerate(second)]
    ):
        found += list((pairing.second if which else pairing.first)(stamp, place))
    return [(a, b) for _, a, b in (*found, *pairing.finish())]
