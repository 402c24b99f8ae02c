"""PyAV: the stamps of a file's frames, and its pictures with every damage found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np

from hoigen.sources.recording.instants import NS, Faults
from hoigen.sources.recording.options import Damaged, RecordingError

FORMATS = 'mov,mp4,matroska,webm,avi,mpegts,mpeg,flv,ogg,asf,ivf,mxf,mjpeg,gif'
"""Containers that are opened; playlists are not among them: they make FFmpeg open whatever they name."""
CUT_S = 1.0
"""A file whose pictures end so much before the time that it tells is cut short."""


@dataclass(frozen=True)
class Scan:
    """What a file's packets tell without being decoded.

    picture_bytes: of one picture at its own size, in RGB. pts, stamps_ns: [N] int64 rising, each frame's time in the
    container's units and in ns.
    """

    container: str
    codec: str
    picture_bytes: int
    pts: np.ndarray
    stamps_ns: np.ndarray


def open_file(path: Path) -> av.container.InputContainer:
    """The file as a container that keeps to itself."""
    return av.open(str(path), options={'fflags': '+genpts', 'protocol_whitelist': 'file', 'format_whitelist': FORMATS})


def scan(path: Path, pixels: int, faults: Faults) -> Scan:
    """The frames of the file's first video stream, in the order of showing."""
    with open_file(path) as container:
        if not container.streams.video:
            raise RecordingError('expected a video, got a file without a video stream')
        stream = container.streams.video[0]
        context, aspect = stream.codec_context, stream.sample_aspect_ratio
        if context is None:
            raise RecordingError('expected a video in a codec that is read, got one in an unknown codec')
        if context.width * context.height > pixels:
            raise RecordingError(f'expected pictures of at most {pixels} pixels, got {context.width}x{context.height}')
        if aspect not in (None, 0, 1):
            raise RecordingError(f'expected square pixels, got pixels of aspect {aspect}: scale the video first')
        packets = list(_packets(container, stream, faults))
        pts = np.unique(np.array([pts for pts, shown, _ in packets if shown], np.int64))
        if not len(pts):
            raise RecordingError('expected at least one frame, got a video stream with none')
        assert stream.time_base is not None
        stamps = np.array([round(int(p) * stream.time_base * NS) for p in pts], np.int64)
        last_s = float(max(packets)[2] * stream.time_base)
        _tell_of_cut(container, stream, len(packets), stamps, last_s, faults)
        stamps -= min(0, stamps[0])  # pictures before the file's own zero: stamps are never negative
        size = context.width * context.height * 3
        return Scan(container.format.name, context.codec.canonical_name, size, pts, stamps)


def _tell_of_cut(
    container: av.container.InputContainer,
    stream: av.VideoStream,
    packets: int,
    stamps_ns: np.ndarray,
    last_s: float,
    faults: Faults,
) -> None:
    """packets: that are there, also those that an edit list does not show. last_s: how long the last frame lasts."""
    told_s = (container.duration or 0) / av.time_base if len(container.streams) == 1 else 0.0
    steps = np.diff(stamps_ns)
    last_s = max(last_s, float(steps[-1]) / NS if len(steps) else 0.0)
    true_s = float(stamps_ns[-1] - min(0, stamps_ns[0])) / NS + last_s  # a file's time may begin before its images do
    if stream.frames > packets:
        faults.tell(f'cut short: the file says {stream.frames} frames, {packets} are there')
    elif not stream.frames and told_s - true_s > CUT_S:
        faults.tell(f'cut short: the file says {told_s:.1f} s, its images last {true_s:.1f} s')


def _packets(
    container: av.container.InputContainer, stream: av.VideoStream, faults: Faults
) -> Iterator[tuple[int, bool, int]]:
    """Time of each frame, whether it is shown, and how long, 0 if unknown; times in the stream's units."""
    try:
        for packet in container.demux(stream):
            if packet.size:
                if packet.pts is None:
                    raise RecordingError(
                        'expected frames with time stamps, got some without: '
                        'put the video into an mp4 or mkv file first'
                    )
                yield packet.pts, not packet.is_discard, packet.duration or 0
    except av.error.FFmpegError as error:
        faults.tell(f'the file ends before its time: {error.strerror}')


class AvPictures:
    """Pictures by number, asked for in rising order; opened with the first."""

    def __init__(self, path: Path, found: Scan, pixels: int) -> None:
        self._path, self._pts, self._pixels, self._display = path, found.pts, pixels, Display()
        self._frames: Iterator[av.VideoFrame] | None = None
        self._frame: av.VideoFrame | None = None

    def picture(self, index: int) -> np.ndarray:
        """[H,W,3] uint8 as it is to be looked at; Damaged if it cannot be decoded as it was recorded."""
        wanted = int(self._pts[index])
        if self._frames is None:
            self._frames = self._open(wanted if index else None)
            self._frame = next(self._frames, None)
        while self._frame is not None and (self._frame.pts is None or self._frame.pts < wanted):
            self._frame = next(self._frames, None)
        if self._frame is None or self._frame.pts != wanted:
            raise Damaged(f'frame {index}')
        return self._display.rgb(self._frame)

    def _open(self, pts: int | None) -> Iterator[av.VideoFrame]:
        with open_file(self._path) as container:
            stream = container.streams.video[0]
            stream.thread_type = 'SLICE'  # a thread for each frame would tell of damage too late
            stream.codec_context.thread_count = 1
            stream.codec_context.options = {'err_detect': 'explode', 'max_pixels': str(self._pixels)}
            if pts is not None:
                container.seek(pts, stream=stream)
            yield from _whole_frames(container, stream)


def _whole_frames(container: av.container.InputContainer, stream: av.VideoStream) -> Iterator[av.VideoFrame]:
    """Frames of which nothing is guessed: after damage none until the next key frame, which needs no other."""
    context, waiting = stream.codec_context, False
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except av.error.FFmpegError:
            packet = None  # scan has told of it
        if packet is None:
            return
        if waiting and packet.size and not packet.is_keyframe:
            continue
        waiting = False
        try:
            frames = stream.decode(packet)
        except MemoryError:
            raise
        except av.error.FFmpegError:
            frames, waiting = _drained(context), True
        for frame in frames:
            if frame.is_corrupt:  # others that were decoded since may lean on it
                context.flush_buffers()
                waiting = True
                break
            yield frame


def _drained(context: av.VideoCodecContext) -> list[av.VideoFrame]:
    """What a decoder still holds of the time before an error; it starts anew afterwards."""
    try:
        return context.decode(None)
    except av.error.FFmpegError:
        return []
    finally:
        context.flush_buffers()


class Display:
    """Frames of one file as players show them.

    The display matrix is read where a frame's rotation changes: a frame whose side data are read is freed late.
    """

    def __init__(self) -> None:
        self._rotation: float | None = None
        self._matrix = np.eye(2)

    def rgb(self, frame: av.VideoFrame) -> np.ndarray:
        """[H,W,3] uint8, rotated and mirrored as the file says."""
        picture = frame.to_ndarray(format='rgb24')
        (right_x, right_y), (down_x, down_y) = self._shown(frame)
        if abs(right_y) + abs(down_x) > abs(right_x) + abs(down_y):  # what was right is up or down
            picture, right_x, down_y = picture.transpose(1, 0, 2), down_x, right_y
        return np.ascontiguousarray(picture[:: -1 if down_y < 0 else 1, :: -1 if right_x < 0 else 1])

    def mirrors(self, frame: av.VideoFrame) -> bool:
        return bool(np.linalg.det(self._shown(frame)) < 0)

    def _shown(self, frame: av.VideoFrame) -> np.ndarray:
        """[2,2]: in which direction (right, down) the stored image's right and down are shown."""
        if frame.rotation != self._rotation:
            held: Any = frame.side_data.get('DISPLAYMATRIX')
            self._rotation = frame.rotation
            matrix = np.eye(3) if held is None else np.frombuffer(held, np.int32)[:9].reshape(3, 3)
            self._matrix = matrix[:2, :2].astype(float)
        return self._matrix
