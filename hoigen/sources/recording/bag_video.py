"""Video in a bag's messages, H.264 and H.265: each holds one frame, most of which lean on those before them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import av
import numpy as np

from hoigen.sources.recording.options import Damaged, RecordingError
from hoigen.sources.recording.video_av import Display

_CODECS = {'h264': re.compile('264|avc', re.IGNORECASE), 'hevc': re.compile('265|hevc', re.IGNORECASE)}
_START = re.compile(b'\x00\x00\x01')
SLICE, KEY_SLICE, PARAMETERS = 1, 5, 7
"""Kinds of H.264's units that say which frame comes."""
HEAD = 64
"""Bytes of a unit in which its head is."""
CHROMA_PROFILES = (100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135)


def codec_of(message: Any) -> str:
    """The video codec of a message with ``format`` or ``encoding``; '' for still images."""
    return next((codec for codec, names in _CODECS.items() if names.search(_told(message))), '')


def _told(message: Any) -> str:
    return str(getattr(message, 'format', '') or getattr(message, 'encoding', ''))


class PacketDecoder:
    """Decodes a topic's messages in their order; a frame whose predecessors are missing is Damaged, not guessed."""

    def __init__(self, topic: str, pixels: int) -> None:
        self._topic, self._pixels, self._display = topic, pixels, Display()
        self._context: av.VideoCodecContext | None = None
        self._segment = -1

    def frame(self, message: Any, segment: int) -> Callable[[], np.ndarray]:
        """Gives [H,W,3] uint8 of this message's frame when called, or raises Damaged.

        Raises RecordingError for another codec, and for frames in another order than that of the messages.
        """
        context = self._context
        if context is None or segment != self._segment:
            context = self._context = self._open(message)
            self._segment, self._waiting, self._numbers = segment, True, FrameNumbers()
        data = bytes(message.data)
        if context.name == 'h264' and self._numbers.jump(data):
            self._waiting = True
        try:
            frames = context.decode(av.Packet(data))
        except MemoryError:
            raise
        except av.error.FFmpegError as error:
            if not self._waiting:
                context.flush_buffers()
                self._waiting = True
            return self._failing(f'expected a frame of {context.name}, got: {error.strerror}')
        if (
            context.has_b_frames
            or len(frames) > 1
            or any(frame.pict_type == av.video.frame.PictureType.B for frame in frames)
        ):
            raise RecordingError(
                f'{self._topic}: expected one frame in each message, in their order, got video with '
                'B-frames, whose stamps are not known: record it without'
            )
        if not frames:
            return self._failing('expected a frame, got none')
        self._waiting = frames[0].is_corrupt or (self._waiting and not frames[0].key_frame)
        if self._waiting:
            return self._failing('expected the frames that this one leans on, got none up to the next key frame')
        return partial(self._display.rgb, frames[0])

    def _open(self, message: Any) -> av.VideoCodecContext:
        codec = codec_of(message)
        if not codec:
            raise RecordingError(f'{self._topic}: expected video in H.264 or H.265, got {_told(message)!r}')
        context = av.CodecContext.create(codec, 'r')
        assert isinstance(context, av.VideoCodecContext)
        context.thread_type, context.thread_count = 'SLICE', 1
        context.options = {'err_detect': 'explode', 'max_pixels': str(self._pixels)}
        return context

    def _failing(self, why: str) -> Callable[[], np.ndarray]:
        def fail() -> np.ndarray:
            raise Damaged(f'{self._topic}: {why}')

        return fail


class FrameNumbers:
    """The numbers of H.264's frames that others lean on: for one that is missing, FFmpeg takes an older one."""

    def __init__(self) -> None:
        self._bits: int | None = None
        self._last: int | None = None

    def jump(self, data: bytes) -> bool:
        """Whether a frame is missing before this one."""
        for unit in _units(data):
            kind = unit[0] & 31
            if kind == PARAMETERS:
                self._bits = _number_bits(_Bits(unit[1:]))
            if kind in (SLICE, KEY_SLICE) and self._bits is not None:
                number = self._number(_Bits(unit[1:]), self._bits)
                missing = (
                    kind == SLICE
                    and self._last is not None
                    and (number not in (self._last, (self._last + 1) % (1 << self._bits)))
                )
                if unit[0] & 0x60:
                    self._last = number
                return missing
        return False

    @staticmethod
    def _number(bits: _Bits, count: int) -> int:
        for _ in ('first macroblock', 'type', 'parameters'):
            bits.exponential()
        return bits.read(count)


def _number_bits(bits: _Bits) -> int | None:
    """How many bits a frame's number has, of a set of parameters; None where it has scaling lists."""
    profile, _ = bits.read(8), bits.read(16)
    bits.exponential()
    if profile in CHROMA_PROFILES:
        if bits.exponential() == 3 and bits.read(1):
            return None  # planes of their own
        bits.exponential()
        bits.exponential()
        if bits.read(2) & 1:
            return None
    return bits.exponential() + 4


def _units(data: bytes) -> Iterator[bytes]:
    """The beginnings of a message's units, without the bytes that keep start codes out of them."""
    for start in _START.finditer(data):
        unit = data[start.end() : start.end() + HEAD].replace(b'\0\0\3', b'\0\0')
        if unit:
            yield unit


class _Bits:
    """Reads bits from the front; beyond the end they are 0."""

    def __init__(self, data: bytes) -> None:
        self._value, self._left = int.from_bytes(data, 'big'), 8 * len(data)

    def read(self, count: int) -> int:
        self._left -= count
        return (self._value >> self._left if self._left >= 0 else self._value << -self._left) & ((1 << count) - 1)

    def exponential(self) -> int:
        """A number in Exp-Golomb code."""
        zeros = 0
        while self._left > 0 and not self.read(1):
            zeros += 1
        return (1 << zeros) - 1 + self.read(zeros)
