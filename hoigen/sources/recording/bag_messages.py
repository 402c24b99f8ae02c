"""A bag's messages in the order of their header stamps, and their pictures."""

from __future__ import annotations

import heapq
import itertools
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np

from hoigen.decode import EncodingError, MessageError, rgb
from hoigen.sources.recording.options import Damaged, NotRead, RecordingError
from hoigen.sources.recording.stills import read_picture

__all__ = ['Sorter', 'header_ns', 'rgb_of']

REORDER = 16
"""Messages of a topic among which header stamps may be out of order."""


def header_ns(raw: bytes, *, cdr: bool) -> int:
    """The header stamp of a serialized message that begins with a std_msgs/Header."""
    big = cdr and raw[1] & 1 == 0  # four bytes of encapsulation come first; in ROS 1 the header's sequence number
    seconds, nanoseconds = struct.unpack_from('>iI' if big else '<iI', raw, 4)
    return seconds * 1_000_000_000 + nanoseconds


class Sorter:
    """Puts a topic's messages into the order of their stamps, holding back :data:`REORDER` of them."""

    def __init__(self, topic: str) -> None:
        self._topic, self._last = topic, 0
        self._held: list[tuple[int, int, bytes]] = []
        self._serial = itertools.count()

    def push(self, stamp_ns: int, raw: bytes) -> Iterator[tuple[int, bytes]]:
        if stamp_ns <= 0:
            raise RecordingError(f'{self._topic}: expected header stamps, got {stamp_ns}: none is set')
        heapq.heappush(self._held, (stamp_ns, next(self._serial), raw))
        if len(self._held) > REORDER:
            yield self._pop()

    def finish(self) -> Iterator[tuple[int, bytes]]:
        while self._held:
            yield self._pop()

    def _pop(self) -> tuple[int, bytes]:
        stamp_ns, _, raw = heapq.heappop(self._held)
        if stamp_ns < self._last:
            raise RecordingError(f'{self._topic}: expected header stamps in order to within {REORDER} messages, got '
                                 f'{stamp_ns} ns after {self._last} ns')
        self._last = stamp_ns
        return stamp_ns, raw


def rgb_of(message: Any, topic: str, pixels: int) -> np.ndarray:
    """[H,W,3] uint8 of an Image in one of the encodings of ``hoigen.decode``, or of a CompressedImage (JPEG, PNG)."""
    if hasattr(message, 'format'):
        return read_picture(bytes(message.data), topic, pixels)
    try:
        return rgb(message, topic)
    except EncodingError as error:
        raise NotRead(str(error)) from None
    except MessageError as error:
        raise Damaged(str(error)) from None
