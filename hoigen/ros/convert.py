"""Records -> rclpy's messages: :mod:`hoigen.messages.encode` with ROS's own classes.

Arrays go in through ``array.array``: a message's setter takes it as it is, and looks at every element of a NumPy array
(50 times slower for an image).
"""

from __future__ import annotations

import array
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np

from hoigen.messages.encode import Encoder

_TYPECODES = {'uint8': 'B', 'uint32': 'I', 'float32': 'f'}
"""Of the fields that are long; the few values of others are told one by one."""


@cache
def message_class(name: str) -> type[Any]:
    """The class of a message type, as in ``sensor_msgs/msg/Image``."""
    package, _, kind = name.split('/')
    return getattr(import_module(f'{package}.msg'), kind)


def _make(name: str, /, **fields: Any) -> Any:
    return message_class(name)(
        **{key: _packed(value) if isinstance(value, np.ndarray) else value for key, value in fields.items()}
    )


def _packed(values: np.ndarray) -> array.array[Any] | list[Any]:
    typecode = _TYPECODES.get(str(values.dtype))
    if typecode is None:
        return values.tolist()
    packed = array.array(typecode)
    if values.size:
        packed.frombytes(np.ascontiguousarray(values).data.cast('B'))
    return packed


ENCODER = Encoder(_make)
