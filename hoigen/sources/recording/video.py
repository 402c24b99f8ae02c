"""Video files: stamps from PyAV, which keeps them exactly; pictures from decord, which is fast, or from PyAV.

decord is old, tells stamps as float32 and gives the frame nearby where it cannot decode one. It is used where the
container has an index and its count and stamps agree with PyAV's; from its first error on, PyAV takes over.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path

import av
import numpy as np

from hoigen.sources.recording.calibration import read_calibration
from hoigen.sources.recording.instants import NS, Faults, Instant, Span
from hoigen.sources.recording.options import RecordingError, RecordingOptions
from hoigen.sources.recording.video_av import AvPictures, scan
from hoigen.sources.recording.video_decord import DecordFailed, DecordPictures

__all__ = ['VideoSource', 'open_video']

INDEXED = ('mp4', 'matroska')
"""Parts of the names of containers whose frames decord counts and finds truly."""
KNOWN = ('h264', 'hevc', 'vp8', 'vp9', 'mpeg4')
"""Codecs that decord's FFmpeg 4.1 decodes."""


def open_video(path: Path, options: RecordingOptions) -> VideoSource:
    """Open the first video stream of a file."""
    try:
        return VideoSource(path, options)
    except av.error.FFmpegError as error:
        raise RecordingError(f'expected a video, a folder or a bag, got a file that cannot be read as one: '
                             f'{error.strerror}') from None


class VideoSource:
    """A :class:`~hoigen.sources.recording.instants.Source` of a video file."""

    def __init__(self, path: Path, options: RecordingOptions) -> None:
        self.faults = Faults()
        self._scanned = found = scan(path, options.limits.pixels, self.faults)
        self._late = AvPictures(path, found, options.limits.pixels)
        self._early = self._decord(path)
        stamps = found.stamps_ns
        self.span = Span(len(stamps), _seconds(stamps), stamps[0])
        self.calibration = None if options.calibration is None else read_calibration(options.calibration)
        steps = sorted(b - a for a, b in pairwise(stamps))
        pace = f'{NS / steps[len(steps) // 2]:.3g} Hz' if steps else 'one frame'
        varying = ', varying' if steps and steps[-1] > steps[0] + NS // 500 else ''
        self.says = f'{found.codec} video, {pace}{varying}, decoded by {"decord" if self._early else "PyAV"}'

    def instants(self, start_s: float) -> Iterator[Instant]:
        stamps = self._scanned.stamps_ns
        begin = stamps[0] + round(start_s * NS)
        for index, stamp in enumerate(stamps):
            if stamp >= begin:
                yield Instant(stamp, partial(self._picture, index))

    def _picture(self, index: int) -> np.ndarray:
        if self._early is not None:
            try:
                return self._early.picture(index)
            except DecordFailed:
                self._early = None
        return self._late.picture(index)

    def _decord(self, path: Path) -> DecordPictures | None:
        found = self._scanned
        if found.codec not in KNOWN or not any(name in found.container for name in INDEXED):
            return None
        try:
            return DecordPictures(path, found)
        except DecordFailed:
            return None


def _seconds(stamps_ns: list[int]) -> float:
    """From the first frame to the end of the last, which lasts as long as the one before it."""
    return (2 * stamps_ns[-1] - stamps_ns[-2] - stamps_ns[0]) / NS if len(stamps_ns) > 1 else 0.0
