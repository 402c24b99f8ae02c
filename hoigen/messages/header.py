"""The header of a message that is still serialized."""

from __future__ import annotations

import struct


def header_of(cdr: bytes | memoryview) -> tuple[int, str]:
    """Stamp in ns and frame_id of a serialized message that begins with a std_msgs/Header."""
    if len(cdr) < 16:
        raise ValueError(f'{len(cdr)} bytes, too few for a header')
    order = '<' if cdr[1] & 1 else '>'
    seconds, nanoseconds, length = struct.unpack_from(f'{order}iII', cdr, 4)
    return seconds * 1_000_000_000 + nanoseconds, bytes(cdr[16 : 16 + length]).rstrip(b'\0').decode()
