"""Poses of an object as people give them: numbers, a trajectory file, or a movement from where it was."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from hoigen.geometry.orientation import Orientation, rotation_of
from hoigen.geometry.transforms import apply, look_at, rigid
from hoigen.records import Camera

COLUMNS = ('t', 'x', 'y', 'z', 'qw', 'qx', 'qy', 'qz')
"""The columns of a CSV trajectory: seconds, metres, a quaternion."""
TUM = ('t', 'x', 'y', 'z', 'qx', 'qy', 'qz', 'qw')
"""The columns of a TUM trajectory, a text file without a heading."""
LONGEST = 50_000_000
"""Bytes of a trajectory file; a longer one is something else."""
UNIT = 0.01
"""A quaternion is as long as 1 to this much."""
FAR_M = 100.0
"""Nobody handles an object so far away: its place is in another unit."""

Frame = Literal['world', 'camera']


class TrajectoryError(ValueError):
    """Poses cannot be read or do not fit; the text says which, what was expected and what came."""


@dataclass(frozen=True)
class PoseOptions:
    """Where an object is put: by numbers, still, or along a trajectory. Object frame: front +x, up +z."""

    position: tuple[float, float, float] | None = None
    """Position of the object's origin, metres in FRAME."""
    rotation_ypr: tuple[float, float, float] | None = None
    """Degrees about the z, then the rotated y, then the rotated x axis of FRAME (yaw, pitch, roll)."""
    view_angles: tuple[float, float, float] | None = None
    """In place of ROTATION_YPR, how the camera sees the object: degrees of azimuth (0 before its front), elevation
    (above its horizon) and clockwise rotation in the image."""
    frame: Frame = 'camera'
    """World, or the first camera's optical frame: x right, y down, z forward."""
    trajectory: Path | None = None
    """In place of numbers, poses in FRAME at times, between which they are interpolated: a CSV file with the columns
    t x y z qw qx qy qz, or TUM's text (t x y z qx qy qz qw). Its first line is the first frame of the clip."""

    def __post_init__(self) -> None:
        given = [name for name in ('position', 'rotation_ypr', 'view_angles') if getattr(self, name) is not None]
        if (self.position is None) == (self.trajectory is None) or (self.trajectory is not None and given):
            raise TrajectoryError(
                'pose: expected either a position or a trajectory, got '
                + (' and '.join([*given, *['trajectory'] * (self.trajectory is not None)]) or 'none')
            )
        if self.rotation_ypr is not None and self.view_angles is not None:
            raise TrajectoryError('pose: expected one of rotation_ypr and view_angles, got both')
        _refuse_numbers(position=self.position, rotation_ypr=self.rotation_ypr, view_angles=self.view_angles)


@dataclass(frozen=True)
class MoveOptions:
    """How an object is moved from where it was recorded, the same in every frame; or where it goes instead."""

    by: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Metres along the axes of FRAME; 3 cm to the left in the picture: -0.03 0 0."""
    rotation_ypr: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Degrees about the z, y and x axes of FRAME through the object's origin (yaw, pitch, roll)."""
    frame: Frame = 'camera'
    """World, or the first camera's optical frame: x right, y down, z forward."""
    trajectory: Path | None = None
    """In place of BY and ROTATION_YPR, the object's own poses in FRAME; see `hoigen edit insert`."""

    def __post_init__(self) -> None:
        shifted = any(self.by) or any(self.rotation_ypr)
        if shifted == (self.trajectory is not None):
            raise TrajectoryError(
                'move: expected either a movement (by, rotation_ypr) or a trajectory, got '
                + ('both' if shifted else 'none')
            )
        _refuse_numbers(by=self.by, rotation_ypr=self.rotation_ypr)


@dataclass(frozen=True, eq=False)
class Trajectory:
    """times_s: [K] float64, rising, the first one 0. poses: [K,4,4] float64 ``T_frame_object``."""

    times_s: np.ndarray
    poses: np.ndarray

    def at(self, times_s: np.ndarray) -> np.ndarray:
        """Poses [T,4,4] at times [T], between its own: places in lines, orientations by the shortest turn."""
        last = float(self.times_s[-1])
        if times_s.min() < 0 or times_s.max() > last + 1e-6:
            raise TrajectoryError(
                f'trajectory: expected poses for the {times_s.max():.6g} s of the clip, '
                f'got {len(self.times_s)} over {last:.6g} s'
            )
        times_s = np.minimum(times_s, last)
        if len(self.times_s) == 1:
            return np.repeat(self.poses, len(times_s), 0)
        turns = Slerp(self.times_s, Rotation.from_matrix(self.poses[:, :3, :3]))(times_s).as_matrix()
        places = np.stack([np.interp(times_s, self.times_s, self.poses[:, axis, 3]) for axis in range(3)], 1)
        return np.stack([rigid(turn, place) for turn, place in zip(turns, places, strict=True)])


def poses_of(config: PoseOptions, camera: Camera, stamps_ns: np.ndarray) -> np.ndarray:
    """``T_world_object`` [T,4,4] float64 at the stamps [T]; ``camera`` is the first one."""
    T_world_frame = _frame(config.frame, camera)
    if config.trajectory is not None:
        return T_world_frame @ _trajectory_at(config.trajectory, stamps_ns)
    assert config.position is not None
    place = apply(T_world_frame, np.array(config.position, float))
    if config.view_angles is not None:
        aimed = look_at(camera.T_world_cam[:3, 3], place, tuple(-camera.T_world_cam[:3, 1]))
        azimuth, elevation, in_plane = np.radians(config.view_angles)
        R = aimed[:3, :3] @ rotation_of(Orientation(float(azimuth), float(elevation), float(in_plane)))
    else:
        R = T_world_frame[:3, :3] @ _rotation(config.rotation_ypr or (0.0, 0.0, 0.0))
    return np.repeat(rigid(R, place)[None], len(stamps_ns), 0)


def moved(config: MoveOptions, camera: Camera, stamps_ns: np.ndarray, T_world_object: np.ndarray) -> np.ndarray:
    """The new ``T_world_object`` [T,4,4] of an object recorded at [T,4,4]; ``camera`` is the first one."""
    T_world_frame = _frame(config.frame, camera)
    if config.trajectory is not None:
        return T_world_frame @ _trajectory_at(config.trajectory, stamps_ns)
    R_world_frame = T_world_frame[:3, :3]
    turn = R_world_frame @ _rotation(config.rotation_ypr) @ R_world_frame.T
    return np.stack([rigid(turn @ T[:3, :3], T[:3, 3] + R_world_frame @ np.array(config.by)) for T in T_world_object])


def read_trajectory(path: Path) -> Trajectory:
    """The poses in a CSV file with a heading (t, x, y, z, qw, qx, qy, qz in any order) or in TUM's text format."""
    try:
        if (size := path.stat().st_size) > LONGEST:
            raise TrajectoryError(f'{path}: expected a trajectory of at most {LONGEST} bytes, got {size}')
        lines = [line.strip() for line in path.read_text().splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise TrajectoryError(f'{path}: expected a trajectory, got a file that cannot be read: {error}') from None
    rows = [(number, line) for number, line in enumerate(lines, 1) if line and not line.startswith('#')]
    columns: tuple[str, ...] = TUM
    if rows and not _is_number(rows[0][1].replace(',', ' ').split()[0]):
        columns, rows = tuple(name.strip().lower() for name in rows[0][1].split(',')), rows[1:]
    if missing := [name for name in COLUMNS if name not in columns]:
        raise TrajectoryError(f'{path}: expected the columns {", ".join(COLUMNS)}, got no {", ".join(missing)}')
    if not rows:
        raise TrajectoryError(f'{path}: expected at least one pose, got none')
    table = np.array([_numbers(path, number, line, len(columns)) for number, line in rows])
    values = table[:, [columns.index(name) for name in COLUMNS]]
    steps = [(rows[k + 1][0], b - a) for k, (a, b) in enumerate(pairwise(values[:, 0].tolist())) if b <= a]
    if steps:
        raise TrajectoryError(f'{path}: line {steps[0][0]}: expected rising times, got a step of {steps[0][1]:g} s')
    return Trajectory(values[:, 0] - values[0, 0], _as_poses(path, [number for number, _ in rows], values))


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _numbers(path: Path, number: int, line: str, count: int) -> list[float]:
    words = line.replace(',', ' ').split()
    if len(words) != count or not all(_is_number(word) and np.isfinite(float(word)) for word in words):
        raise TrajectoryError(f'{path}: line {number}: expected {count} finite numbers, got {line[:60]!r}')
    return [float(word) for word in words]


def _as_poses(path: Path, lines: list[int], values: np.ndarray) -> np.ndarray:
    """Poses [K,4,4] of rows [K,8] in the order of COLUMNS, which stand in ``lines``."""
    length, far = np.linalg.norm(values[:, 4:], axis=1), np.abs(values[:, 1:4]).max(1)
    for line, long, place in zip(lines, length, far, strict=True):
        if abs(long - 1) > UNIT:
            raise TrajectoryError(f'{path}: line {line}: expected a quaternion of length 1, got one of {long:.4g}')
        if place > FAR_M:
            raise TrajectoryError(
                f'{path}: line {line}: expected metres within {FAR_M:g}, got {place:.6g}; they may be millimetres'
            )
    turns = Rotation.from_quat(values[:, 4:], scalar_first=True).as_matrix()
    return np.stack([rigid(turn, place) for turn, place in zip(turns, values[:, 1:4], strict=True)])


def _trajectory_at(path: Path, stamps_ns: np.ndarray) -> np.ndarray:
    try:
        return read_trajectory(path).at((stamps_ns - stamps_ns[0]) / 1e9)
    except TrajectoryError as error:
        raise error if str(path) in str(error) else TrajectoryError(f'{path}: {error}') from None


def _frame(frame: Frame, camera: Camera) -> np.ndarray:
    return camera.T_world_cam if frame == 'camera' else np.eye(4)


def _rotation(turn: tuple[float, float, float]) -> np.ndarray:
    return Rotation.from_euler('ZYX', turn, degrees=True).as_matrix()


def _refuse_numbers(**given: tuple[float, float, float] | None) -> None:
    for name, values in given.items():
        if values is not None and not np.isfinite(values).all():
            raise TrajectoryError(f'{name}: expected finite numbers, got {values}')
        if name in ('position', 'by') and values is not None and np.abs(values).max() > FAR_M:
            raise TrajectoryError(f'{name}: expected metres within {FAR_M:g}, got {values}; they may be millimetres')
