"""Depth maps of a bag's messages: plain ones, and what compressed_depth_image_transport makes of them."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from hoigen.messages.decode import DEPTHS, EncodingError, MessageError, picture
from hoigen.sources.recording.options import Damaged, NotRead
from hoigen.sources.recording.stills import depth_values

_HEAD = struct.Struct('<iff')
"""What stands before the compressed values: a kind, and A and B of floats, which are kept as A / depth + B."""
_SIZE = struct.Struct('<ii')
_PNG = b'\x89PNG'


def depth_values_of(message: Any, topic: str, pixels: int) -> np.ndarray:
    """[H,W] uint16 or float of an Image or CompressedImage, in the unit that the camera writes; 0 or NaN unknown."""
    if not hasattr(message, 'format'):
        try:
            return picture(message, DEPTHS, topic)
        except EncodingError as error:
            raise NotRead(str(error)) from None
        except MessageError as error:
            raise Damaged(str(error)) from None
    data = bytes(message.data)
    if 'compressedDepth' not in message.format:
        return depth_values(data, topic, pixels)
    if len(data) < _HEAD.size + _SIZE.size:
        raise Damaged(f'{topic}: expected a compressed depth map, got {len(data)} bytes')
    _, a, b = _HEAD.unpack_from(data)
    encoding, body = message.format.split(';')[0].strip(), data[_HEAD.size :]
    if body.startswith(_PNG):
        values = depth_values(body, topic, pixels)
    elif 'rvl' in message.format:
        values = rvl_values(body, topic, pixels)
    else:
        raise NotRead(f'{topic}: expected compressed depth in PNG or RVL, got format {message.format!r}')
    if encoding not in DEPTHS or values.dtype != np.uint16:
        raise NotRead(
            f'{topic}: expected compressed depth of {sorted(DEPTHS)} in 16 bits, got format '
            f'{message.format!r} in {values.dtype}'
        )
    return values if encoding in ('16UC1', 'mono16') else _of_inverse(values, a, b, topic)


def _of_inverse(values: np.ndarray, a: float, b: float, topic: str) -> np.ndarray:
    """[H,W] float32 metres, NaN unknown, of values A / depth + B."""
    if not (np.isfinite([a, b]).all() and a > 0):
        raise Damaged(f'{topic}: expected A > 0 and B of inverse depth, got A = {a}, B = {b}')
    with np.errstate(divide='ignore'):
        metres = np.float32(a) / (values.astype(np.float32) - np.float32(b))
    return np.where(values == 0, np.float32(np.nan), metres)


def rvl_values(data: bytes, topic: str, pixels: int) -> np.ndarray:
    """[H,W] uint16 of a width, a height and RVL (Wilson 2017): runs of zeros, and of differences between the others."""
    width, height = _SIZE.unpack_from(data)
    if width < 1 or height < 1:
        raise Damaged(f'{topic}: expected positive sizes of a compressed depth map, got {width}x{height}')
    if width * height > pixels:
        raise NotRead(f'{topic}: expected at most {pixels} pixels, got {width}x{height}')
    numbers = _rvl_numbers(data[_SIZE.size :])
    depth, steps = np.zeros(width * height, np.uint16), list[np.ndarray]()
    known, pixel, at = np.zeros(width * height, bool), 0, 0
    while pixel < len(depth):
        zeros, count = (int(number) for number in numbers[at : at + 2]) if at + 2 <= len(numbers) else (-1, -1)
        pixel, at = pixel + zeros, at + 2
        steps.append(numbers[at : at + count])
        if zeros < 0 or pixel + count > len(depth) or len(steps[-1]) < count or zeros + count == 0:
            raise Damaged(f'{topic}: expected RVL of {width}x{height} values, got other runs after {pixel} of them')
        known[pixel : pixel + count] = True
        pixel, at = pixel + count, at + count
    signed = np.concatenate(steps)
    depth[known] = np.cumsum((signed >> 1) ^ -(signed & 1)).astype(np.uint16)
    return depth.reshape(height, width)


def _rvl_numbers(data: bytes) -> np.ndarray:
    """[N] int64: each number is written in groups of 3 bits, the lowest first, with a fourth bit where one follows."""
    words = np.frombuffer(data, '<u4', len(data) // 4)
    groups = ((words[:, None] >> np.arange(28, -1, -4, dtype=np.uint32)) & 15).ravel().astype(np.int64)
    ends = np.flatnonzero(groups < 8)
    if not len(ends):
        return np.zeros(0, np.int64)
    starts = np.concatenate([[0], ends[:-1] + 1])
    order = np.arange(ends[-1] + 1) - np.repeat(starts, ends - starts + 1)
    return np.add.reduceat((groups[: ends[-1] + 1] & 7) << np.minimum(3 * order, 60), starts)
