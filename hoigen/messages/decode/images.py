"""sensor_msgs/Image -> pixels."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import cv2
import numpy as np

from hoigen.conventions import ROLES
from hoigen.messages.decode.fields import MessageError
from hoigen.messages.layout import IMAGE_LAYOUTS

_TO_RGB = {
    'rgb8': None,
    'rgb16': None,
    'rgba8': cv2.COLOR_RGBA2RGB,
    'rgba16': cv2.COLOR_RGBA2RGB,
    'bgr8': cv2.COLOR_BGR2RGB,
    'bgr16': cv2.COLOR_BGR2RGB,
    '8UC3': cv2.COLOR_BGR2RGB,
    'bgra8': cv2.COLOR_BGRA2RGB,
    'bgra16': cv2.COLOR_BGRA2RGB,
    '8UC4': cv2.COLOR_BGRA2RGB,
    'yuv422': cv2.COLOR_YUV2RGB_UYVY,
    'uyvy': cv2.COLOR_YUV2RGB_UYVY,
    'yuv422_yuy2': cv2.COLOR_YUV2RGB_YUY2,
    'yuyv': cv2.COLOR_YUV2RGB_YUY2,
} | {
    f'bayer_{order}{bits}': code
    for bits in (8, 16)
    for order, code in (
        ('rggb', cv2.COLOR_BayerRGGB2RGB),
        ('bggr', cv2.COLOR_BayerBGGR2RGB),
        ('gbrg', cv2.COLOR_BayerGBRG2RGB),
        ('grbg', cv2.COLOR_BayerGRBG2RGB),
    )
}
"""OpenCV's conversion of each colour encoding; 8UC3 and 8UC4 are in OpenCV's own order, as rviz shows them."""

COLOURS, GREYS, DEPTHS = (
    frozenset(_TO_RGB),
    frozenset({'mono8', '8UC1', 'mono16'}),
    frozenset({'16UC1', 'mono16', '32FC1', '64FC1'}),
)
"""The encodings of colour images, grey images and depth maps; 16 bits of grey may be either."""


class EncodingError(MessageError):
    """An image is whole, but of an encoding that is not read as what was expected."""


def picture(message: Any, encodings: Collection[str], name: str = 'image') -> np.ndarray:
    """Pixels [H,W] or [H,W,C] of a sensor_msgs/Image in one of ``encodings``, in this machine's byte order."""
    if message.encoding not in encodings:
        raise EncodingError(f'{name}.encoding', f'one of {sorted(encodings)}', repr(message.encoding))
    kind, channels = IMAGE_LAYOUTS[message.encoding]
    dtype = np.dtype(kind).newbyteorder('>' if message.is_bigendian else '<')
    height, width, step, row = message.height, message.width, message.step, message.width * channels * dtype.itemsize
    data = np.asarray(message.data, np.uint8)
    if height < 1 or width < 1:
        raise MessageError(f'{name}.width, height', 'positive sizes', (width, height))
    if step < row or data.size != step * height:
        raise MessageError(
            f'{name}.data',
            f'{height} rows of {max(step, row)} bytes, each at least {row}',
            f'{data.size} bytes in rows of {step}',
        )
    pixels = np.ascontiguousarray(data.reshape(height, step)[:, :row]).view(dtype)
    shape = (height, width, channels) if channels > 1 else (height, width)
    return pixels.astype(dtype.newbyteorder('='), copy=False).reshape(shape)


def rgb(message: Any, name: str = 'image') -> np.ndarray:
    """[H,W,3] uint8 RGB of an image in one of COLOURS or GREYS; 16 bits are scaled to 8, alpha is left out."""
    pixels = picture(message, COLOURS | GREYS, name)
    code = _TO_RGB.get(message.encoding, cv2.COLOR_GRAY2RGB)
    if code is not None:
        try:
            pixels = cv2.cvtColor(pixels, code)
        except cv2.error:  # the colours of pixels that come in pairs or fours
            raise MessageError(
                f'{name}.width, height', f'a size that {message.encoding} can have', (message.width, message.height)
            ) from None
    return cv2.convertScaleAbs(pixels, alpha=255 / 65535) if pixels.dtype == np.uint16 else pixels


def depth(message: Any, name: str = 'depth', *, far: bool = False) -> np.ndarray:
    """[H,W] float32 metres, NaN unknown, of an image of floats (m; 0, NaN, +-Inf unknown) or 16 bits (mm; 0 unknown).

    far: +Inf says that nothing is there, and stays; of a camera it says that what is there is out of its reach.
    """
    pixels = picture(message, DEPTHS, name)
    if pixels.dtype == np.uint16:
        return np.where(pixels == 0, np.float32(np.nan), pixels.astype(np.float32) / np.float32(1000))
    pixels = pixels.astype(np.float32, copy=False)
    finite = np.isfinite(pixels)
    behind = int((pixels[finite] < 0).sum())
    if behind:
        raise MessageError(f'{name}.data', 'metres > 0, 0 or NaN where unknown', f'{behind} values < 0')
    known = (finite & (pixels > 0)) | (pixels == np.inf) if far else finite & (pixels > 0)
    return pixels if known.all() else np.where(known, pixels, np.float32(np.nan))


def mask(message: Any, name: str = 'mask') -> np.ndarray:
    """[H,W] uint8 role codes of a mono8 image."""
    codes = picture(message, ('mono8',), name)
    if codes.max() >= len(ROLES):
        raise MessageError(f'{name}.data', f'role codes 0 to {len(ROLES) - 1}', int(codes.max()))
    return codes
