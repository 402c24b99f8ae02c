"""Video files: stamps from PyAV, which keeps them exactly; pictures from decord, which is fast, or from PyAV.

decord is old, tells stamps as float32, gives the frame nearby where it cannot decode one, and decodes ahead of what is
asked for without an end. It is used for clips that fit into memory, where the container has an index and its count and
stamps agree with PyAV's; from its first error on, PyAV takes over.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import av
import numpy as np

from hoigen.sources.recording.calibration import read_calibration
from hoigen.sources.recording.content import foreign
from hoigen.sources.recording.instants import NS, Faults, Instant, Span
from hoigen.sources.recording.options import RecordingError, RecordingOptions
from hoigen.sources.recording.video_av import AvPictures, scan
from hoigen.sources.recording.video_decord import DecordFailed, DecordPictures

MEMORY_PART = 1 / 4
"""The part of the memory limit that all of a video's pictures may fill for decord to be used."""
SAME_STEP_NS = 2_000_000
"""Steps between frames that differ by more are a varying rate; those of a constant one are rounded."""
INDEXED = ('mp4', 'matroska')
"""Parts of the names of containers whose frames decord counts and finds truly."""
KNOWN = ('h264', 'hevc', 'vp8', 'vp9', 'mpeg4')
"""Codecs that decord's FFmpeg 4.1 decodes."""


def open_video(path: Path, options: RecordingOptions) -> VideoSource:
    """Open the first video stream of a file."""
    try:
        return VideoSource(path, options)
    except MemoryError:
        raise
    except av.error.FFmpegError as error:
        what = foreign(path) or f'a file that cannot be read as one: {error.strerror}'
        raise RecordingError(f'expected a video, a folder or a bag, got {what}') from None


class VideoSource:
    """A :class:`~hoigen.sources.recording.instants.Source` of a video file."""

    def __init__(self, path: Path, options: RecordingOptions) -> None:
        self.faults = Faults()
        self._scanned = found = scan(path, options.limits.pixels, self.faults)
        self._late = AvPictures(path, found, options.limits.pixels)
        self._early = self._decord(path, options)
        stamps = found.stamps_ns
        steps = np.diff(stamps)
        last = int(steps[-1]) if len(steps) else 0  # the last frame lasts as long as the one before it
        self.span = Span(len(stamps), (int(stamps[-1] - stamps[0]) + last) / NS, int(stamps[0]))
        self.calibration = None if options.calibration is None else read_calibration(options.calibration)
        pace = f'{NS / np.median(steps):.3g} Hz' if len(steps) else 'one frame'
        varying = ', varying' if len(steps) and np.ptp(steps) > SAME_STEP_NS else ''
        self.says = f'{found.codec} video, {pace}{varying}, decoded by {"decord" if self._early else "PyAV"}'

    def instants(self, start_s: float) -> Iterator[Instant]:
        stamps = self._scanned.stamps_ns
        begin = int(stamps[0]) + round(start_s * NS)
        for index in range(int(np.searchsorted(stamps, begin)), len(stamps)):
            yield Instant(int(stamps[index]), partial(self._picture, index))

    def _picture(self, index: int) -> np.ndarray:
        if self._early is not None:
            try:
                return self._early.picture(index)
            except DecordFailed:
                self._early = None
        return self._late.picture(index)

    def _decord(self, path: Path, options: RecordingOptions) -> DecordPictures | None:
        found = self._scanned
        short = len(found.pts) * found.picture_bytes <= options.limits.memory_mb * 2**20 * MEMORY_PART
        known = found.codec in KNOWN and any(name in found.container for name in INDEXED)
        if options.decoder != 'auto' or not (short and known):
            return None
        try:
            return DecordPictures(path, found)
        except DecordFailed:
            return None
