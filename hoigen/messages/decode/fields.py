"""What messages share: stamps, poses, flat lists, and the error for a field that is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from hoigen.geometry.transforms import rigid

QUATERNION_TOLERANCE = 1e-3
"""How far from 1 a quaternion's norm may be; publishers round to float32 and more."""


class MessageError(ValueError):
    """A message does not hold what its definition says."""

    def __init__(self, field: str, expected: object, got: object) -> None:
        super().__init__(f'{field}: expected {expected}, got {got}')


def stamp_ns(header: Any) -> int:
    """The stamp of a std_msgs/Header."""
    return time_ns(header.stamp)


def time_ns(time: Any) -> int:
    """Nanoseconds of a builtin_interfaces/Time."""
    return int(time.sec) * 1_000_000_000 + int(time.nanosec)


def pose(message: Any, name: str = 'pose') -> np.ndarray:
    """``T`` [4,4] float64 of a geometry_msgs/Pose called ``name``: from the posed frame to the header's."""
    return poses({name: message})[name]


def poses(messages: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """``T`` [4,4] float64 of geometry_msgs/Poses, by the names that errors call them."""
    if not messages:
        return {}
    quaternions = np.array([[getattr(message.orientation, axis) for axis in 'xyzw'] for message in messages.values()])
    positions = np.array([[getattr(message.position, axis) for axis in 'xyz'] for message in messages.values()])
    for name, norm, position in zip(messages, np.linalg.norm(quaternions, axis=1), positions, strict=True):
        if not abs(norm - 1) < QUATERNION_TOLERANCE:
            raise MessageError(f'{name}.orientation', 'a quaternion of norm 1', f'norm {norm:.6g}')
        if not np.isfinite(position).all():
            raise MessageError(f'{name}.position', 'finite metres', position.tolist())
    rotations = Rotation.from_quat(quaternions).as_matrix()
    return dict(zip(messages, map(rigid, rotations, positions), strict=True))


def columns(values: Any, count: int, dtype: type[np.generic], name: str) -> np.ndarray:
    """[N,count] of a flat list, as x y z, x y z, ..."""
    flat = np.asarray(values, dtype)
    if flat.size % count:
        raise MessageError(name, f'a multiple of {count} values', flat.size)
    return flat.reshape(-1, count)


def once(names: Sequence[str], field: str) -> None:
    """Refuse names of which one comes twice."""
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise MessageError(field, 'each id once', f'more than once {twice}')
