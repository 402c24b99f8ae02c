"""What the names of files say: when a frame was taken, which comes first, and which depth belongs to it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from itertools import combinations
from pathlib import Path

from hoigen.sources.recording.instants import NS
from hoigen.sources.recording.options import RecordingError

SECONDS = re.compile(r'(?<![\dv.])(\d+\.\d+)$', re.ASCII)
EPOCH_DIGITS = {13: 1_000_000, 16: 1_000, 19: 1}
"""Digits of a whole number that is a time since 1970, and its unit in ns."""
EPOCH_NS = 10**18, 4 * 10**18
"""From 2001 to 2096: a whole number outside is a number of frames."""
DATE = re.compile(r'(?<!\d)(?:19|20)\d\d[-_.]?[01]\d[-_.]?[0-3]\d(?!\d)', re.ASCII)
DATE_TIME = re.compile(
    r'(?<!\d)(20\d\d)[-_.]?([01]\d)[-_.]?([0-3]\d)(?:[ T_-]|[ _-]at[ _-])([0-2]\d)[-_.:h]?([0-5]\d)'
    r'[-_.:m]?([0-5]\d)([.,]?\d{3})?(?:[ \u202f]?([AP])M)?$',
    re.ASCII | re.IGNORECASE,
)
"""As cameras and screenshots are named: 20240506_101507, 2024-05-06 at 10.15.07 PM."""


@dataclass(frozen=True)
class Still:
    """A file of one instant; ``stamp_ns`` is 0 where names hold no time."""

    path: Path
    stamp_ns: int


def ordered(files: Sequence[Path]) -> tuple[list[Still], bool]:
    """Files in the order of time, if all names end in one, each in another; else in the order of the numbers in them.
    Which it was. RecordingError for names of several cameras."""
    _refuse_several_kinds(files)
    stamps = [_stamp_of(file.stem) for file in files]
    known = [stamp for stamp in stamps if stamp is not None]
    if len(set(known)) == len(files):
        return [Still(file, stamp) for stamp, file in sorted(zip(known, files, strict=True))], True
    return [Still(file, 0) for file in sorted(files, key=lambda file: _natural(file.stem))], False


def same_number(first: Sequence[Path], second: Sequence[Path]) -> list[tuple[int, int]]:
    """Indices of the pairs that have a number in common, of those in their names by which most are paired; where names
    have no such number, of the pairs with equal names."""
    keys = [(a, b) for a in _keys(first) for b in _keys(second)]
    if not keys:
        return _equal([file.stem for file in first], [file.stem for file in second])
    a, b = max(keys, key=lambda pair: len(set(pair[0]) & set(pair[1])))
    shifted = min(a) != min(b) and {n - min(a) for n in a} == {n - min(b) for n in b}
    if shifted and len(a) > 1:
        raise RecordingError(
            f'{second[0].parent.name}: expected the numbers of the images, which begin at {min(a)}, '
            f'got as many that begin at {min(b)}: rename one of them'
        )
    return _equal(a, b)


def _equal(a: Sequence[Hashable], b: Sequence[Hashable]) -> list[tuple[int, int]]:
    position = {key: number for number, key in enumerate(b)}
    return [(number, position[key]) for number, key in enumerate(a) if key in position]


def _keys(files: Sequence[Path]) -> list[list[int]]:
    """Numbers in the names, from the last to the first, as far as all have one and each another."""
    found = [[int(digits) for digits in reversed(re.findall(r'\d+', file.stem))] for file in files]
    return [list(column) for column in zip(*found, strict=False) if len(set(column)) == len(files)]


def _refuse_several_kinds(files: Sequence[Path]) -> None:
    kinds = defaultdict[str, set[str]](set)
    for file in files:
        kinds[re.sub(r'\d+', '#', file.name)].add(str(re.findall(r'\d+', file.stem)))
    for (kind, numbers), (other, others) in combinations([item for item in kinds.items() if len(item[1]) > 1], 2):
        if 2 * len(numbers & others) > min(len(numbers), len(others)):
            raise RecordingError(
                f'{files[0].parent.name}: expected the frames of one camera, got {kind} and {other} '
                'with the same numbers: give each a folder of its own'
            )


def _stamp_of(stem: str) -> int | None:
    """In ns; None for a name that does not clearly end in a time."""
    stamp = None
    if found := DATE_TIME.search(stem):
        stamp = _date_time_ns(*found.groups())
    elif (found := SECONDS.search(stem)) and not DATE.search(stem):
        stamp = int(Decimal(found[1]) * NS)
    elif (found := re.search(r'(?<!\d)\d+$', stem, re.ASCII)) and len(found[0]) in EPOCH_DIGITS:
        stamp = int(found[0]) * EPOCH_DIGITS[len(found[0])]
        stamp = stamp if EPOCH_NS[0] <= stamp <= EPOCH_NS[1] else None
    return stamp if stamp is not None and stamp < 2**63 else None


def _date_time_ns(
    year: str, month: str, day: str, hour: str, minute: str, second: str, thousandths: str | None, half: str | None
) -> int | None:
    hours = int(hour) if half is None else int(hour) % 12 + 12 * (half in 'Pp')
    try:
        when = datetime(int(year), int(month), int(day), hours, int(minute), int(second), tzinfo=UTC)
    except ValueError:
        return None
    return int(when.timestamp()) * NS + int((thousandths or '0').lstrip('.,')) * 1_000_000


def _natural(stem: str) -> list[tuple[int, str]]:
    """Sorts frame_2 before frame_10."""
    return [(int(part), '') if part.isdecimal() else (-1, part) for part in re.split(r'(\d+)', stem)]
