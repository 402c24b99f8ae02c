"""Rigid transforms as [4,4] float64 matrices ``T_to_from``."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

GRID = 2.0**44
"""Steps of a quaternion's components from 0 to 1: rounding moves a rotation by less than 1e-13 rad."""


def rigid(rotation: np.ndarray, translation: np.ndarray) -> np.ndarray:
    """``T`` [4,4] float64 from a [3,3] rotation and a [3] translation in metres."""
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = rotation, translation
    return T


def invert(T_a_b: np.ndarray) -> np.ndarray:
    """``T_b_a`` of a rigid [4,4] ``T_a_b``."""
    rotation = T_a_b[:3, :3].T
    return rigid(rotation, -rotation @ T_a_b[:3, 3])


def apply(T_a_b: np.ndarray, points_b: np.ndarray) -> np.ndarray:
    """Points [...,3] of frame b as float64 points of frame a."""
    return points_b @ T_a_b[:3, :3].T + T_a_b[:3, 3]


def angle_between(R_a: np.ndarray, R_b: np.ndarray) -> np.ndarray:
    """[...] radians of the rotation between rotations [...,3,3]."""
    return Rotation.from_matrix(R_a.swapaxes(-1, -2) @ R_b).magnitude()


def quaternions(rotations: np.ndarray) -> np.ndarray:
    """Unit quaternions [N,4] float64 (x, y, z, w), w >= 0, of rotations [N,3,3], less than 1e-13 rad from them.

    Of the matrix of such a quaternion this is the same quaternion, bit for bit: what was written and read once is
    written the same again. Three components are rounded, the first large one follows from them.
    """
    exact = Rotation.from_matrix(rotations).as_quat(canonical=True)
    rounded = np.rint(exact * GRID) / GRID
    row, lead = np.arange(len(exact)), (np.abs(exact) > 0.49).argmax(1)
    rounded[row, lead] = 0
    rounded[row, lead] = np.copysign(np.sqrt(1 - (rounded**2).sum(1)), exact[row, lead])
    ordered = rounded[:, [3, 0, 1, 2]]
    return rounded * np.sign(ordered[row, (ordered != 0).argmax(1)])[:, None]


def as_carried(T: np.ndarray) -> np.ndarray:
    """A rigid [4,4] as it is read back from a message: its rotation is that of its quaternion."""
    return rigid(Rotation.from_quat(quaternions(T[None, :3, :3])[0]).as_matrix(), T[:3, 3])


def look_at(eye: np.ndarray, target: np.ndarray, up: tuple[float, float, float] = (0.0, 0.0, 1.0)) -> np.ndarray:
    """``T_world_cam`` of an optical frame at ``eye`` (world, m) that looks at ``target`` with ``up`` upwards."""
    forward = np.asarray(target, float) - eye
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, up)
    right /= np.linalg.norm(right)
    return rigid(np.stack([right, np.cross(forward, right), forward], axis=1), np.asarray(eye, float))
