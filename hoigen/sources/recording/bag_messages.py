"""The images of a bag's messages."""

from __future__ import annotations

from typing import Any

import numpy as np

from hoigen.messages.decode import EncodingError, MessageError, rgb
from hoigen.sources.recording.options import Damaged, NotRead
from hoigen.sources.recording.stills import read_picture

__all__ = ['rgb_of']


def rgb_of(message: Any, topic: str, pixels: int) -> np.ndarray:
    """[H,W,3] uint8 of an Image in an encoding of ``hoigen.messages``, or of a CompressedImage (JPEG, PNG)."""
    if hasattr(message, 'format'):
        return read_picture(bytes(message.data), topic, pixels)
    try:
        return rgb(message, topic)
    except EncodingError as error:
        raise NotRead(str(error)) from None
    except MessageError as error:
        raise Damaged(str(error)) from None
