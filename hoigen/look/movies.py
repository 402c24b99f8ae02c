"""H.264 movies whose frames are shown at their own times."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import av
import numpy as np

from hoigen.whole_files import whole_file

TICKS = 90_000
"""Time steps of a second."""


class Movie:
    """Writes an MP4 file (H.264, yuv420p), which appears whole or not at all, and not without a frame.

    The first frame decides the size, cut to even numbers. quality: the codec's constant rate factor, lower is better.
    Frames are in order (no B-frames), so that movies can be joined.
    """

    def __init__(self, path: Path, quality: int = 16) -> None:
        self._path, self._options = path, {'crf': str(quality), 'preset': 'veryfast', 'bf': '0'}
        self._open = ExitStack()
        self._stream: Any = None

    def __enter__(self) -> Movie:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._open.__exit__(kind, error, trace)
            return
        with self._open:  # closed also where the last frames cannot be written
            if self._stream is not None:
                self._file.mux(self._stream.encode())

    def put(self, image: np.ndarray, seconds: float) -> None:
        """Show [H,W,3] uint8 from a time on, which is after the last one's."""
        if self._stream is None:
            self._begin(image.shape[0] // 2 * 2, image.shape[1] // 2 * 2)
        image = np.ascontiguousarray(image[: self._stream.height, : self._stream.width])
        frame = av.VideoFrame.from_ndarray(image, format='rgb24')
        frame.pts, frame.time_base = round(seconds * TICKS), Fraction(1, TICKS)
        self._file.mux(self._stream.encode(frame))

    def _begin(self, height: int, width: int) -> None:
        whole = self._open.enter_context(whole_file(self._path))
        self._file = self._open.enter_context(av.open(str(whole), 'w', options={'movflags': '+faststart'}))
        self._stream = self._file.add_stream('libx264', rate=Fraction(TICKS, 1), options=self._options)
        self._stream.height, self._stream.width = height, width
        self._stream.pix_fmt, self._stream.time_base = 'yuv420p', Fraction(1, TICKS)


def write_movie(path: Path, frames: np.ndarray, stamps_ns: np.ndarray) -> None:
    """A movie of [T,H,W,3] uint8, each frame shown at its own stamp."""
    with Movie(path) as movie:
        for image, stamp in zip(frames, stamps_ns.tolist(), strict=True):
            movie.put(image, (stamp - int(stamps_ns[0])) * 1e-9)


def join_movies(path: Path, parts: Iterable[Path], hold_s: float) -> None:
    """One movie of several of one size that :class:`Movie` wrote, as they are; the last frame of each is held."""
    begin, hold, stream = 0, round(hold_s * TICKS), None
    with whole_file(path) as whole, av.open(str(whole), 'w', options={'movflags': '+faststart'}) as joined:
        for part in parts:
            with av.open(str(part)) as file:
                stream = stream or joined.add_stream_from_template(file.streams.video[0])
                packets = [packet for packet in file.demux(video=0) if packet.size]
                packets[-1].duration = hold
                for packet in packets:
                    shown_at = begin + (packet.pts or 0)
                    packet.pts = packet.dts = shown_at
                    packet.stream = stream
                    joined.mux(packet)
                begin = shown_at + hold
