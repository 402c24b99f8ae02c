"""What messages share: stamps, poses, flat lists, and the error for a field that is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hoigen.geometry.transforms import rigid

__all__ = ['MessageError', 'once', 'pose', 'stamp_ns', 'triples']

QUATERNION_TOLERANCE = 1e-3
"""How far from 1 a quaternion's norm may be; publishers round to float32 and more."""


class MessageError(ValueError):
    """A message does not hold what its definition says."""

    def __init__(self, field: str, expected: object, got: object) -> None:
        super().__init__(f'{field}: expected {expected}, got {got}')


def stamp_ns(header: Any) -> int:
    """The stamp of a std_msgs/Header."""
    return int(header.stamp.sec) * 1_000_000_000 + int(header.stamp.nanosec)


def pose(message: Any, name: str = 'pose') -> np.ndarray:
    """``T`` [4,4] float64 of a geometry_msgs/Pose called ``name``: from the posed frame to the header's."""
    q, p = message.orientation, message.position
    quat_wxyz = np.array([q.w, q.x, q.y, q.z])
    norm = float(np.linalg.norm(quat_wxyz))
    if not abs(norm - 1) < QUATERNION_TOLERANCE:
        raise MessageError(f'{name}.orientation', 'a quaternion of norm 1', f'norm {norm:.6g}')
    w, x, y, z = quat_wxyz / norm
    rotation = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
    position = np.array([p.x, p.y, p.z])
    if not np.isfinite(position).all():
        raise MessageError(f'{name}.position', 'finite metres', position.tolist())
    return rigid(rotation, position)


def triples(values: Any, dtype: type[np.generic], name: str) -> np.ndarray:
    """[N,3] of a flat list x y z, x y z, ..."""
    flat = np.asarray(values, dtype)
    if flat.size % 3:
        raise MessageError(name, 'a multiple of 3 values', flat.size)
    return flat.reshape(-1, 3)


def once(names: Sequence[str], field: str) -> None:
    """Refuse names of which one comes twice."""
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise MessageError(field, 'each id once', f'more than once {twice}')
