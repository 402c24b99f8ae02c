"""sensor_msgs/Image -> pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hoigen.conventions import ROLES
from hoigen.decode.fields import MessageError

__all__ = ['depth', 'mask', 'picture', 'rgb']

_ENCODINGS = {'rgb8': ('u1', 3), 'bgr8': ('u1', 3), 'mono8': ('u1', 1), '32FC1': ('f4', 1), '16UC1': ('u2', 1)}


def picture(message: Any, encodings: Sequence[str], name: str = 'image') -> np.ndarray:
    """Pixels [H,W] or [H,W,C] of a sensor_msgs/Image in one of ``encodings``, in this machine's byte order."""
    if message.encoding not in encodings:
        raise MessageError(f'{name}.encoding', f'one of {list(encodings)}', repr(message.encoding))
    kind, channels = _ENCODINGS[message.encoding]
    dtype = np.dtype(kind).newbyteorder('>' if message.is_bigendian else '<')
    height, width, step, row = message.height, message.width, message.step, message.width * channels * dtype.itemsize
    data = np.asarray(message.data, np.uint8)
    if height < 1 or width < 1:
        raise MessageError(f'{name}.width, height', 'positive sizes', (width, height))
    if step < row or data.size != step * height:
        raise MessageError(f'{name}.data', f'{height} rows of {max(step, row)} bytes, each at least {row}',
                           f'{data.size} bytes in rows of {step}')
    pixels = np.ascontiguousarray(data.reshape(height, step)[:, :row]).view(dtype)
    shape = (height, width, channels) if channels > 1 else (height, width)
    return pixels.astype(dtype.newbyteorder('='), copy=False).reshape(shape)


def rgb(message: Any, name: str = 'image') -> np.ndarray:
    """[H,W,3] uint8 RGB of an rgb8 or bgr8 image."""
    pixels = picture(message, ('rgb8', 'bgr8'), name)
    return np.ascontiguousarray(pixels[..., ::-1]) if message.encoding == 'bgr8' else pixels


def depth(message: Any, name: str = 'depth', *, far: bool = False) -> np.ndarray:
    """[H,W] float32 metres, NaN unknown, of a 32FC1 image (m; NaN, +-Inf unknown) or 16UC1 (mm; 0 unknown).

    far: +Inf says that nothing is there, and stays; of a camera it says that what is there is out of its reach.
    """
    pixels = picture(message, ('32FC1', '16UC1'), name)
    if message.encoding == '16UC1':
        return np.where(pixels == 0, np.float32(np.nan), pixels.astype(np.float32) / np.float32(1000))
    finite = np.isfinite(pixels)
    behind = int((pixels[finite] <= 0).sum())
    if behind:
        raise MessageError(f'{name}.data', 'metres > 0, NaN where unknown', f'{behind} values <= 0')
    known = finite | (pixels == np.inf) if far else finite
    return pixels if known.all() else np.where(known, pixels, np.float32(np.nan))


def mask(message: Any, name: str = 'mask') -> np.ndarray:
    """[H,W] uint8 role codes of a mono8 image."""
    codes = picture(message, ('mono8',), name)
    if codes.max() >= len(ROLES):
        raise MessageError(f'{name}.data', f'role codes 0 to {len(ROLES) - 1}', int(codes.max()))
    return codes
