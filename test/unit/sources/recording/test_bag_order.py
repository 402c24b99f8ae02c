"""The order of a bag's messages: what comes late is put back, and a clock that begins anew is not mixed with itself."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from recorded import SIZE, BagFile, picture, read_here

from hoigen.sources.recording import RecordingError, open_recording
from hoigen.sources.recording.bag_order import REORDER, Clock, Stream
from hoigen.sources.recording.pairing import SegmentPairing

K = np.array([[100.0, 0, 47.5], [0, 100, 31.5], [0, 0, 1]])


def segments(stamps: list[int], logs: list[int] | None = None) -> tuple[list[list[int]], int]:
    """The stamps of each segment, as they come out, and how often the clock began anew."""
    clock = Clock()
    stream, out = Stream('/t', clock), []
    for number, stamp in enumerate(stamps):
        out += stream.push(stamp, 1000 + 10 * number if logs is None else logs[number], b'%d' % number)
    out += stream.finish()
    found = [[item.stamp_ns for item in group] for _, group in itertools.groupby(out, key=lambda item: item.segment)]
    return found, clock.resets


@pytest.mark.parametrize(
    'order',
    [[0, 1, 2, 4, 3, 5, 6], [0, 1, 2, 3, 6, 4, 5, 7], [0, 1, 2, 5, 4, 3, 6], [1, 2, 3, 0, 4, 5], [0, 1, 2, 7, 8, 9, 5]],
)
def test_late_messages_fill_gaps(order: list[int]) -> None:
    assert segments([100 + 10 * n for n in order]) == ([[100 + 10 * n for n in sorted(order)]], 0)


@pytest.mark.parametrize('seed', range(30))
def test_a_jittered_stream_in_disorder(seed: int) -> None:
    """Messages with jitter that change places with neighbours are one segment."""
    rng = np.random.default_rng(seed)
    stamps = (np.arange(200) * 100 + rng.integers(-15, 16, 200) + 100).tolist()
    arrived = stamps[:8] + [stamps[8 + n] for n in np.argsort(np.arange(192) + rng.uniform(0, 1.9, 192))]
    assert segments(arrived) == ([stamps], 0)


@pytest.mark.parametrize(
    ('first', 'second'),
    [
        ([0, 1, 2, 3], range(12)),
        ([50, 51, 52], range(12)),
        (range(5, 9), range(5, 30)),
        (range(30), range(30)),
        (range(100), range(40, 60)),
        ([0, 1, 2, 5], range(3, 9)),
        ([7], range(9)),
    ],
)
@pytest.mark.parametrize('phase', [0, 1, 3, 5, 8])
@pytest.mark.parametrize('simulated', [False, True])
def test_a_clock_that_begins_anew(first: list[int], second: list[int], phase: int, simulated: bool) -> None:
    """Two runs come out one after the other, wherever the second begins, and whatever clock the recorder has."""
    runs = [[100 + 10 * n for n in first], [100 + phase + 10 * n for n in second]]
    stamps = runs[0] + runs[1]
    if runs[1][0] > runs[0][-1]:
        pytest.skip('the clock goes on')
    assert segments(stamps, stamps if simulated else None) == (runs, 1)


@pytest.mark.parametrize('seed', range(20))
def test_runs_of_any_length(seed: int) -> None:
    """A simulation that is reset again and again: each run is a segment."""
    rng = np.random.default_rng(seed)
    runs = [(np.arange(int(rng.integers(3, 40))) * 33 + rng.integers(1, 30)).tolist() for _ in range(8)]
    runs = [run for before, run in itertools.pairwise([[10**6], *runs]) if run[0] <= before[-1]]
    assert segments([stamp for run in runs for stamp in run]) == (runs, len(runs) - 1)


def test_stamps_that_come_twice() -> None:
    """The same message twice is one; two that differ are not told apart by their stamp, and end the segment."""
    clock = Clock()
    stream = Stream('/t', clock)
    out = [
        item
        for stamp, raw in ((10, b'a'), (20, b'b'), (20, b'b'), (30, b'c'), (30, b'd'))
        for item in stream.push(stamp, stamp, raw)
    ]
    assert [item.raw for item in (*out, *stream.finish())] == [b'a', b'b', b'c', b'd']
    assert (clock.segment, clock.resets) == (1, 1)


@pytest.mark.parametrize('count', [1, 3, REORDER + 3])
def test_stamps_that_are_not_set(count: int) -> None:
    """The first stamp of a simulation is 0; stamps that are all 0 are none."""
    with pytest.raises(RecordingError, match='/t: expected header stamps, got 0'):
        segments([0] * count)
    assert segments([0, 10, 20]) == ([[0, 10, 20]], 0)


def test_pairs_are_of_one_segment() -> None:
    """Equal stamps of two runs are not paired, also where one stream is behind."""
    pairing: SegmentPairing[str, str] = SegmentPairing(5)
    found = [
        *pairing.first(0, 10, 'a0'),
        *pairing.first(0, 20, 'a1'),
        *pairing.first(1, 10, 'b0'),
        *pairing.second(0, 20, 'A1'),
        *pairing.second(1, 10, 'B0'),
        *pairing.second(1, 20, 'B1'),
        *pairing.finish(),
    ]
    assert found == [(0, 20, 'a1', 'A1'), (1, 10, 'b0', 'B0')]
    assert pairing.alone == 1


@pytest.mark.parametrize('kind', ['mcap', 'sqlite3', 'ros1'])
@pytest.mark.parametrize('simulated', [False, True])
def test_a_recording_of_two_runs(tmp_path: Path, kind: str, simulated: bool) -> None:
    """Reset after 7 frames, within what may be out of order: no stretch has frames, or depth, of both runs."""
    path = tmp_path / ('x.bag' if kind == 'ros1' else 'x')
    with BagFile(path, kind) as file:
        log = 0
        for run, count in ((1, 7), (2, 12)):
            for n in range(count):
                log += 40
                for add in (0, 1, 2):
                    at = 40 * n + add if simulated else log + add
                    if add == 0:
                        file.info('/c/camera_info', K, SIZE, 40 * n, log_ms=at)
                    elif add == 1:
                        file.image('/c/image', picture(run), 'rgb8', 40 * n, log_ms=at)
                    else:
                        file.image('/c/depth', np.full(SIZE[::-1], 1000 * run, np.uint16), '16UC1', 40 * n, log_ms=at)
    with open_recording(path) as recording:
        stretches = list(recording.stretches(100))
        (fault,) = (fault for fault in recording.faults if 'clock' in fault)
    assert 'goes back 1 times, the first in /c/image: from 240000000 to 0 ns' in fault
    assert [len(stretch.rgb) for stretch in stretches if len(stretch.rgb) > 1] in ([7, 11], [7, 12])
    for run, stretch in zip((1, 2), stretches, strict=True):
        assert (stretch.rgb == picture(run)).all()
        assert stretch.depth_m is not None
        assert (stretch.depth_m == run).all()


def test_parts_of_a_recording_of_two_runs(tmp_path: Path) -> None:
    """A start and a pace count on where the clock begins anew."""
    with BagFile(tmp_path / 'x', 'mcap') as file:
        for number in range(40):
            file.image('/image', picture(number), 'rgb8', 1000 + 100 * (number % 20), log_ms=100 * number)
    read = read_here(tmp_path / 'x', start_s=1.0, duration_s=2.0, rate_hz=5.0)
    assert read.stamps_ms == [2000.0, 2200, 2400, 2600, 2800, 1000, 1200, 1400, 1600, 1800]
    assert read.segments == [0] * 5 + [1] * 5
