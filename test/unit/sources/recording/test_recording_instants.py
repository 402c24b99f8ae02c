"""Which instants are taken and which belong together, held against plain definitions."""

from __future__ import annotations

import numpy as np
import pytest

from hoigen.sources.recording import RecordingOptions
from hoigen.sources.recording.instants import NS, Faults, Instant, Span, chosen, estimate
from hoigen.sources.recording.pairing import LONGEST_WAIT, Pairing, nearest_pairs


def instants(stamps: np.ndarray) -> list[Instant]:
    return [Instant(int(stamp), lambda: np.zeros(0)) for stamp in stamps]


def taken(stamps: np.ndarray, **options: float) -> list[int]:
    asked = RecordingOptions(**options)  # type: ignore[arg-type]
    return [instant.stamp_ns for instant in chosen(iter(instants(stamps)), None, asked, Faults())]


@pytest.mark.parametrize('seed', range(8))
@pytest.mark.parametrize('rate_hz', [3.0, 10.0, 29.97, 200.0])
def test_pace_takes_the_nearest(seed: int, rate_hz: float) -> None:
    """For every time of the pace the nearest frame is among those taken, and no frame is there without such a time."""
    rng = np.random.default_rng(seed)
    stamps = np.cumsum(rng.integers(1, 90_000_000, 120)) + 10**9
    times = stamps[0] + np.arange(0, int((stamps[-1] - stamps[0]) * rate_hz / NS) + 1) * (NS / rate_hz)
    nearest = set(stamps[np.abs(stamps - times[:, None]).argmin(1)].tolist())
    got = taken(stamps, rate_hz=rate_hz)
    assert nearest <= set(got)
    assert set(got) - nearest <= {int(stamps[-1])}  # the last stands for some time after it
    assert sorted(set(got)) == got


def test_pace_of_rounded_stamps() -> None:
    """30 Hz in whole nanoseconds at 10 Hz is every third frame to the last."""
    stamps = np.round(np.arange(31) * NS / 30).astype(np.int64)
    assert taken(stamps, rate_hz=10.0) == stamps[::3].tolist()


def test_part() -> None:
    stamps = np.arange(10) * 100_000_000 + 5 * NS
    assert taken(stamps, start_s=0.3, duration_s=0.2) == [5_300_000_000, 5_400_000_000]


def test_stamps_that_do_not_rise_are_left_out() -> None:
    faults = Faults()
    got = [i.stamp_ns for i in chosen(iter(instants(np.array([1, 3, 3, 2, 4]))), None, RecordingOptions(), faults)]
    assert got == [1, 3, 4]
    assert faults.told == ['2 frames left out, whose stamps are not later than the one before']


@pytest.mark.parametrize(
    ('options', 'expected'),
    [
        ({}, 300),
        ({'rate_hz': 5.0}, 51),
        ({'duration_s': 2.0}, 60),
        ({'start_s': 9.0}, 30),
        ({'rate_hz': 100.0}, 300),
        ({'start_s': 4.0, 'duration_s': 3.0, 'rate_hz': 10.0}, 31),
    ],
)
def test_estimate(options: dict, expected: int) -> None:
    """Progress counts in frames that will come, as far as the recording's own count is right."""
    assert estimate(Span(300, 10.0), RecordingOptions(**options)) == expected
    assert estimate(Span(None, None), RecordingOptions(**options)) is None


@pytest.mark.parametrize('seed', range(20))
def test_pairs_are_each_others_nearest(seed: int) -> None:
    """Of two jittered streams exactly those are paired that are mutually nearest and near enough."""
    rng = np.random.default_rng(seed)
    first = np.sort(rng.choice(2000, 60, replace=False))
    second = np.sort(rng.choice(2000, 50, replace=False))
    apart = np.abs(first[:, None] - second)
    mutual = {
        (a, int(b))
        for a, b in enumerate(apart.argmin(1))
        if apart[a, b] <= 15
        and apart[:, b].argmin() == a
        and (apart[:, b] == apart[a, b]).sum() == 1
        and (apart[a] == apart[a, b]).sum() == 1
    }
    got = set(nearest_pairs(first.tolist(), second.tolist(), 15))
    assert mutual <= got
    assert all(apart[a, b] <= 15 for a, b in got)
    assert len({a for a, _ in got}) == len({b for _, b in got}) == len(got)


def test_a_stream_that_stops_does_not_fill_the_memory() -> None:
    """Pictures whose depth does not come any more are given up after a while and counted."""
    pairing: Pairing[int, int] = Pairing(5)
    found = [pair for n in range(1000) for pair in pairing.first(10 * n, n)]
    assert not found
    assert pairing.alone == 1000 - LONGEST_WAIT
    assert list(pairing.finish()) == []
    assert pairing.alone == 1000
