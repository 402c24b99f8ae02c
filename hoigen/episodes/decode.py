"""Messages, as rosbags deserializes them, to arrays and records; quaternions are x, y, z, w, as in messages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hoigen.conventions import ROLES
from hoigen.geometry.transforms import rigid
from hoigen.records import Camera, Contacts, Fidelity, Labels, MeshAsset

__all__ = ['asset', 'camera', 'cloud', 'fidelity', 'image', 'labels', 'pose', 'stamp_ns', 'tracks']

_ENCODINGS = {'rgb8': ('u1', 3), 'bgr8': ('u1', 3), 'mono8': ('u1', 1), '8UC1': ('u1', 1), '32FC1': ('f4', 1),
              '16UC1': ('u2', 1)}
_POINT_TYPES = {1: 'i1', 2: 'u1', 3: 'i2', 4: 'u2', 5: 'i4', 6: 'u4', 7: 'f4', 8: 'f8'}


def stamp_ns(message: Any) -> int:
    """The header's stamp."""
    return message.header.stamp.sec * 1_000_000_000 + message.header.stamp.nanosec


def image(message: Any) -> np.ndarray:
    """Picture of a sensor_msgs/Image: [H,W,3] uint8 RGB, [H,W] uint8, or [H,W] float32 metres (NaN unknown)."""
    if message.encoding not in _ENCODINGS:
        raise ValueError(f'encoding: expected one of {sorted(_ENCODINGS)}, got {message.encoding!r}')
    kind, channels = _ENCODINGS[message.encoding]
    dtype = np.dtype(kind).newbyteorder('>' if message.is_bigendian else '<')
    row = message.width * channels * dtype.itemsize
    if message.step < row or message.data.size != message.step * message.height:
        raise ValueError(f'data: expected {message.height} rows of at least {row} bytes, '
                         f'got {message.data.size} bytes in rows of {message.step}')
    rows = np.ascontiguousarray(message.data.reshape(message.height, message.step)[:, :row]).view(dtype)
    picture = rows.reshape(message.height, message.width, channels) if channels > 1 else rows
    if message.encoding == 'bgr8':
        picture = picture[..., ::-1]
    if message.encoding == '16UC1':
        return np.where(picture == 0, np.float32(np.nan), picture.astype(np.float32) / 1000)
    return picture.astype(dtype.newbyteorder('='), copy=False)


def pose(message: Any) -> np.ndarray:
    """[4,4] float64 ``T_header_body`` of a geometry_msgs/Pose."""
    q, p = message.orientation, message.position
    x, y, z, w = q.x, q.y, q.z, q.w
    rotation = np.array([[1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
                         [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
                         [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)]])
    return rigid(rotation, np.array([p.x, p.y, p.z]))


def camera(info: Any, stamped_pose: Any) -> Camera:
    """Camera of a sensor_msgs/CameraInfo and the geometry_msgs/PoseStamped of its optical frame."""
    return Camera(np.asarray(info.k, np.float64).reshape(3, 3), info.width, info.height, pose(stamped_pose.pose))


def labels(message: Any) -> Labels:
    """Record of a hoigen/Labels; in bags of hoigen's first version every object pose is known."""
    contacts = Contacts(
        np.array([[c.position.x, c.position.y, c.position.z] for c in message.contacts], np.float32).reshape(-1, 3),
        np.array([[c.normal.x, c.normal.y, c.normal.z] for c in message.contacts], np.float32).reshape(-1, 3),
        np.array([c.force for c in message.contacts], np.float32))
    return Labels(tuple(message.joint_names), np.asarray(message.joint_positions), np.asarray(message.action),
                  pose(message.object_pose) if getattr(message, 'object_pose_known', True) else None, contacts,
                  message.task, message.episode, message.frame, message.last)


def fidelity(messages: Sequence[Any]) -> Fidelity:
    """Record of T hoigen/Fidelity; bags of hoigen's first version have the value alone."""
    return Fidelity(*(np.array([getattr(message, name, np.nan) for message in messages], np.float32)
                      for name in ('value', 'mask', 'motion')))


def asset(message: Any) -> MeshAsset:
    """Record of a hoigen/MeshAsset."""
    return MeshAsset(message.id, ROLES[message.role], np.asarray(message.vertices).reshape(-1, 3),
                     np.asarray(message.triangles).astype(np.int32).reshape(-1, 3))


def cloud(message: Any) -> np.ndarray:
    """Rows [N] of a sensor_msgs/PointCloud2 as a structured array with the message's fields; ``rgb`` is 0xRRGGBB."""
    names = [field.name for field in message.fields]
    kinds = ['u4' if field.name == 'rgb' else _POINT_TYPES[field.datatype] for field in message.fields]
    order = '>' if message.is_bigendian else '<'
    layout = np.dtype({'names': names, 'formats': [order + kind for kind in kinds],
                       'offsets': [field.offset for field in message.fields], 'itemsize': message.point_step})
    return np.frombuffer(message.data, layout, message.width * message.height)


def tracks(message: Any) -> tuple[np.ndarray, np.ndarray]:
    """World points [M,3] float32 and visible [M] bool of a hoigen/PointTracks."""
    return np.asarray(message.points).reshape(-1, 3), np.asarray(message.visible, bool)
