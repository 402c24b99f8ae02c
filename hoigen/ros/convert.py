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

from hoigen.messages.encode import OPTICAL, WORLD, Encoder, FrameNames, frame_names
from hoigen.provenance import provenance_to_json
from hoigen.records import Provenance

__all__ = [
    'OPTICAL',
    'WORLD',
    'FrameNames',
    'assets_to_msg',
    'camera_info_to_msg',
    'camera_pose_to_msg',
    'clock_to_msg',
    'conditions_to_msgs',
    'frame_names',
    'frame_to_msgs',
    'generated_to_msgs',
    'header',
    'image_to_msg',
    'labels_to_msg',
    'mesh_frame_to_msg',
    'message_class',
    'points_to_msg',
    'pose_to_msg',
    'provenance_to_msg',
    'recorded_to_msgs',
    'tracks_to_msg',
]

_TYPECODES = {'uint8': 'B', 'uint32': 'I', 'float32': 'f'}
"""Of the fields that are long; the few values of others are told one by one."""


def _make(name: str, /, **fields: Any) -> Any:
    return message_class(name)(
        **{key: _packed(value) if isinstance(value, np.ndarray) else value for key, value in fields.items()}
    )


@cache
def message_class(name: str) -> type[Any]:
    """The class of a message type, as in ``sensor_msgs/msg/Image``."""
    package, _, kind = name.split('/')
    return getattr(import_module(f'{package}.msg'), kind)


def _packed(values: np.ndarray) -> array.array[Any] | list[Any]:
    typecode = _TYPECODES.get(str(values.dtype))
    if typecode is None:
        return values.tolist()
    packed = array.array(typecode)
    if values.size:
        packed.frombytes(np.ascontiguousarray(values).data.cast('B'))
    return packed


_ENCODER = Encoder(_make)
header = _ENCODER.header
clock_to_msg = _ENCODER.clock
image_to_msg = _ENCODER.image
pose_to_msg = _ENCODER.pose
camera_info_to_msg = _ENCODER.camera_info
camera_pose_to_msg = _ENCODER.camera_pose
assets_to_msg = _ENCODER.assets
mesh_frame_to_msg = _ENCODER.mesh_frame
labels_to_msg = _ENCODER.labels
frame_to_msgs = _ENCODER.frame
recorded_to_msgs = _ENCODER.recorded
points_to_msg = _ENCODER.points
tracks_to_msg = _ENCODER.tracks
conditions_to_msgs = _ENCODER.conditions
generated_to_msgs = _ENCODER.generated


def provenance_to_msg(provenance: Provenance) -> Any:
    """How a clip was made, as JSON."""
    return _ENCODER.text(provenance_to_json(provenance))
