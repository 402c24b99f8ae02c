"""What every kind of recording gives: instants in the order of time, whose pictures are decoded when asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from hoigen.sources.recording.calibration import Calibration
from hoigen.sources.recording.options import Damaged, RecordingError, RecordingOptions

NS = 1_000_000_000


@dataclass(frozen=True)
class Instant:
    """One picture and what belongs to it.

    picture: gives [H,W,3] uint8. depth_m: gives [H,W] float32 metres, NaN unknown; None without depth. segment: rises
    where frames are missing, or the clock begins anew: nothing spans it.
    """

    stamp_ns: int
    picture: Callable[[], np.ndarray]
    depth_m: Callable[[], np.ndarray] | None = None
    segment: int = 0


@dataclass(frozen=True)
class Span:
    """How many instants there are, how long they last and when they begin, as far as that is known at the start."""

    count: int | None
    seconds: float | None
    first_ns: int | None = None


class Faults:
    """What was wrong with a recording without ending it: sentences, and counts of what was left out."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._told: list[str] = []
        self._first = dict[str, str]()

    def left_out(self, error: RecordingError, what: str = '') -> None:
        """One more frame that is left out, as damaged or as not read, or one more of ``what``; the first is named."""
        frames = 'damaged frames left out' if isinstance(error, Damaged) else 'frames left out that are not read'
        what = what or frames
        first = self._first.setdefault(what, str(error).replace('{', '(').replace('}', ')'))
        self.count(f'{{}} {what}, the first: {first}')

    def tell(self, sentence: str) -> None:
        self._told.append(sentence)

    def count(self, sentence: str, number: int = 1) -> None:
        """Add to the number of which ``sentence`` tells in place of its {}."""
        self._counts[sentence] = self._counts.get(sentence, 0) + number

    @property
    def told(self) -> list[str]:
        return [*(sentence.format(number) for sentence, number in self._counts.items()), *self._told]


class Source(Protocol):
    """An opened recording, in the child process.

    says: a sentence about what it is and how it is read, complete once an instant was decoded. calibration: of its
    pictures, None where there is none. faults: grows while instants are read.
    """

    calibration: Calibration | None
    span: Span
    faults: Faults

    @property
    def says(self) -> str: ...

    def instants(self, start_s: float) -> Iterator[Instant]:
        """Instants with rising stamps in each segment.

        Those before ``start_s`` after the first may be left out, where that is fast. What ends a recording before its
        time is told in ``faults`` and ends the iteration.
        """


def chosen(
    instants: Iterator[Instant], first_ns: int | None, options: RecordingOptions, faults: Faults
) -> Iterator[Instant]:
    """The instants that the options ask for; times count from ``first_ns``, None for the first that comes."""
    part = _part(_timed(instants, first_ns, faults), options.start_s, options.duration_s)
    return (instant for _, instant in part) if options.rate_hz is None else _paced(part, NS / options.rate_hz)


def _timed(instants: Iterator[Instant], first_ns: int | None, faults: Faults) -> Iterator[tuple[int, Instant]]:
    """The instants whose stamps rise, with the time since the first; a clock that begins anew does not set it back."""
    last, begin, since, step = None, 0, 0, 0
    for instant in instants:
        if last is None:
            begin = instant.stamp_ns if first_ns is None else first_ns
        elif instant.stamp_ns <= last.stamp_ns:
            if instant.segment == last.segment:
                faults.count('{} frames left out, whose stamps are not later than the one before')
                continue
            begin = instant.stamp_ns - since - step
        step = instant.stamp_ns - begin - since
        last, since = instant, since + step
        yield since, instant


def _part(
    timed: Iterator[tuple[int, Instant]], start_s: float, duration_s: float | None
) -> Iterator[tuple[int, Instant]]:
    for since, instant in timed:
        after = since - round(start_s * NS)
        if duration_s is not None and after >= round(duration_s * NS):
            return
        if after >= 0:
            yield since, instant


def _paced(timed: Iterator[tuple[int, Instant]], period_ns: float) -> Iterator[Instant]:
    """Each instant that is the nearest to one of the times first + k * period; it waits for the one after it.

    The last stands for as much time after it as before it.
    """
    held, at, begin, wanted, until = None, 0, 0, 0, 0.0
    for since, instant in timed:
        if held is None:
            held, at, begin, until = instant, since, since, since
            continue
        half = (since - at) / 2
        if begin + wanted * period_ns <= at + half:
            yield held
            wanted = int((at + half - begin) // period_ns) + 1
        held, at, until = instant, since, since + half
    if held is not None and begin + wanted * period_ns <= until:
        yield held


def estimate(span: Span, options: RecordingOptions) -> int | None:
    """About how many instants the options take of ``span``; None where that cannot be told."""
    if span.seconds is None:
        return span.count if options == RecordingOptions(limits=options.limits, size=options.size) else None
    seconds = max(span.seconds - options.start_s, 0.0)
    if options.duration_s is not None:
        seconds = min(seconds, options.duration_s)
    own = None if span.count is None else max(1, round(span.count * seconds / span.seconds)) if span.seconds else 1
    if options.rate_hz is None:
        return own
    paced = int(seconds * options.rate_hz) + 1
    return paced if own is None else min(paced, own)
