"""Poses by numbers, files and movements: every degree of freedom does what its help says, mistakes are told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from hoigen.geometry.camera import project
from hoigen.geometry.orientation import apparent
from hoigen.geometry.trajectory import (
    MoveOptions,
    PoseOptions,
    Trajectory,
    TrajectoryError,
    moved,
    poses_of,
    read_trajectory,
)
from hoigen.geometry.transforms import angle_between, look_at, rigid
from hoigen.records import Camera

CAMERA = Camera(
    np.array([[200.0, 0, 79.5], [0, 200, 59.5], [0, 0, 1]]),
    160,
    120,
    look_at(np.array([0.5, -0.3, 0.4]), np.array([0.0, 0, 0.05])),
)
STAMPS = np.array([7_000_000_000, 7_250_000_000, 7_500_000_000, 8_000_000_000])


def test_a_place_is_in_the_frame_that_is_named() -> None:
    world = poses_of(PoseOptions(position=(0.1, 0.2, 0.3), frame='world'), CAMERA, STAMPS)
    assert world.shape == (4, 4, 4)
    np.testing.assert_allclose(world[3], rigid(np.eye(3), np.array([0.1, 0.2, 0.3])))
    seen = poses_of(PoseOptions(position=(0.0, 0.0, 0.5)), CAMERA, STAMPS)
    pixels, depth = project(CAMERA, seen[0, :3, 3])
    np.testing.assert_allclose([*pixels, depth], [79.5, 59.5, 0.5], atol=1e-9)


@given(
    azimuth=st.floats(-179, 179),
    elevation=st.floats(-85, 85),
    in_plane=st.floats(-179, 179),
    x=st.floats(-0.3, 0.3),
    y=st.floats(-0.2, 0.2),
)
@settings(max_examples=40, deadline=None)
def test_the_camera_sees_the_look_that_was_asked_for(
    azimuth: float, elevation: float, in_plane: float, x: float, y: float
) -> None:
    """Wherever in the picture the object is, and whichever way the camera looks."""
    pose = poses_of(PoseOptions(position=(x, y, 0.6), view_angles=(azimuth, elevation, in_plane)), CAMERA, STAMPS)[0]
    got = apparent(CAMERA, pose)
    wanted = np.radians([azimuth, elevation, in_plane])
    apart = (np.array([got.azimuth, got.elevation, got.in_plane]) - wanted + np.pi) % (2 * np.pi) - np.pi
    np.testing.assert_allclose(apart, 0, atol=1e-6)


def test_a_turn_is_about_the_axes_of_the_frame() -> None:
    """Yaw of 90 degrees in the world brings the object's front from +x to +y and leaves its up."""
    pose = poses_of(PoseOptions(position=(0, 0, 0), rotation_ypr=(90, 0, 0), frame='world'), CAMERA, STAMPS)[0]
    np.testing.assert_allclose(pose[:3, 0], [0, 1, 0], atol=1e-12)
    np.testing.assert_allclose(pose[:3, 2], [0, 0, 1], atol=1e-12)
    roll = poses_of(PoseOptions(position=(0, 0, 0), rotation_ypr=(0, 0, 90), frame='world'), CAMERA, STAMPS)[0]
    np.testing.assert_allclose(roll[:3, 0], [1, 0, 0], atol=1e-12)


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_both_kinds_of_file_say_the_same(tmp_path: Path) -> None:
    """TUM's text puts the scalar of a quaternion last, the CSV names its columns."""
    w, x, y, z = Rotation.from_euler('z', 60, degrees=True).as_quat(scalar_first=True)
    tum = write(tmp_path / 'a.txt', f'# a remark\n5 0 0 0 0 0 0 1\n6 0.1 0.2 0.3 {x} {y} {z} {w}\n')
    named = write(tmp_path / 'a.csv', f'x,y,z,t,qw,qx,qy,qz\n0,0,0,0,1,0,0,0\n0.1,0.2,0.3,1,{w},{x},{y},{z}\n')
    a, b = read_trajectory(tum), read_trajectory(named)
    np.testing.assert_array_equal(a.times_s, [0, 1])
    np.testing.assert_array_equal(a.times_s, b.times_s)
    np.testing.assert_allclose(a.poses, b.poses)
    np.testing.assert_allclose(a.poses[1, :3, 0], [0.5, np.sqrt(0.75), 0], atol=1e-12)


def test_poses_between_those_of_a_file(tmp_path: Path) -> None:
    """Half the way and half the turn at half the time; the file's first line is the clip's first frame."""
    w, x, y, z = Rotation.from_euler('z', 60, degrees=True).as_quat(scalar_first=True)
    path = write(tmp_path / 'a.txt', f'100 0 0 0 0 0 0 1\n101 0.2 0 0 {x} {y} {z} {w}\n')
    poses = poses_of(PoseOptions(trajectory=path, frame='world'), CAMERA, STAMPS)
    np.testing.assert_allclose(poses[:, 0, 3], [0, 0.05, 0.1, 0.2], atol=1e-12)
    assert np.degrees(angle_between(poses[0, :3, :3], poses[2, :3, :3])) == pytest.approx(30)
    in_camera = poses_of(PoseOptions(trajectory=path), CAMERA, STAMPS)
    np.testing.assert_allclose(in_camera, CAMERA.T_world_cam @ poses, atol=1e-12)


def test_a_movement_keeps_what_it_does_not_name() -> None:
    """Three centimetres to the left are so in the picture; a turn leaves the origin where it is."""
    before = np.stack(
        [rigid(Rotation.random(random_state=k).as_matrix(), np.array([0.01 * k, 0, 0.05])) for k in range(4)]
    )
    left = moved(MoveOptions(by=(-0.03, 0, 0)), CAMERA, STAMPS, before)
    np.testing.assert_allclose(left[:, :3, :3], before[:, :3, :3], atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(left[:, :3, 3] - before[:, :3, 3], axis=1), 0.03)
    (was, far), (now, still) = (project(CAMERA, poses[:, :3, 3]) for poses in (before, left))
    np.testing.assert_allclose(now[:, 1], was[:, 1], atol=1e-9)
    np.testing.assert_allclose(far, still)
    assert (now[:, 0] < was[:, 0] - 5).all()
    turned = moved(MoveOptions(rotation_ypr=(90, 0, 0), frame='world'), CAMERA, STAMPS, before)
    np.testing.assert_allclose(turned[:, :3, 3], before[:, :3, 3])
    np.testing.assert_allclose(
        turned[0, :3, 0], np.cross([0, 0, 1], before[0, :3, 0]) + before[0, 2, 0] * np.array([0, 0, 1]), atol=1e-12
    )


@pytest.mark.parametrize(
    ('text', 'says'),
    [
        ('0 0 0 0 0 0 0 1\n0 0 0 0 0 0 0 1\n', 'line 2: expected rising times'),
        ('0 0 0 0 0 0 0 2\n', 'line 1: expected a quaternion of length 1, got one of 2'),
        ('# none\n', 'at least one pose'),
        ('0 0 0 0\n', 'line 1: expected 8 finite numbers'),
        ('0 0 0 nan 0 0 0 1\n', 'line 1: expected 8 finite numbers'),
        ('t,x,y,z\n0,0,0,0\n', 'got no qw, qx, qy, qz'),
        ('0 350 0 0 0 0 0 1\n', 'may be millimetres'),
        ('t,x,y,z,qw,qx,qy,qz\n', 'at least one pose'),
    ],
)
def test_bad_files_are_refused_by_line(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(TrajectoryError, match=says):
        read_trajectory(write(tmp_path / 'bad.csv', text))


def test_a_file_that_is_too_short_or_is_none_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / 'short.txt', '0 0 0 0 0 0 0 1\n0.5 0 0 0 0 0 0 1\n')
    with pytest.raises(TrajectoryError, match=r'short.txt: .*the 1 s of the clip, got 2 over 0.5 s'):
        poses_of(PoseOptions(trajectory=path), CAMERA, STAMPS)
    with pytest.raises(TrajectoryError, match='cannot be read'):
        read_trajectory(tmp_path / 'none.csv')
    (tmp_path / 'picture.csv').write_bytes(b'\x89PNG\xff\xfe')
    with pytest.raises(TrajectoryError, match='cannot be read'):
        read_trajectory(tmp_path / 'picture.csv')


def test_one_pose_is_for_one_instant() -> None:
    alone = Trajectory(np.zeros(1), np.eye(4)[None])
    np.testing.assert_array_equal(alone.at(np.zeros(1)), np.eye(4)[None])
    with pytest.raises(TrajectoryError, match='got 1 over 0 s'):
        alone.at(np.array([0, 1.0]))


@pytest.mark.parametrize(
    ('wrong', 'says'),
    [
        ({}, 'got none'),
        ({'position': (0, 0, 1), 'trajectory': Path('a.csv')}, 'got position and trajectory'),
        ({'position': (0, 0, 1), 'rotation_ypr': (0, 0, 0), 'view_angles': (0, 0, 0)}, 'got both'),
        ({'position': (0, 0, np.nan)}, 'finite'),
        ({'position': (0, 0, 600)}, 'millimetres'),
    ],
)
def test_contradictions_of_a_pose_are_refused(wrong: dict, says: str) -> None:
    with pytest.raises(TrajectoryError, match=says):
        PoseOptions(**wrong)


def test_contradictions_of_a_movement_are_refused() -> None:
    with pytest.raises(TrajectoryError, match='got none'):
        MoveOptions()
    with pytest.raises(TrajectoryError, match='got both'):
        replace(MoveOptions(by=(0.1, 0, 0)), trajectory=Path('a.csv'))
    with pytest.raises(TrajectoryError, match='millimetres'):
        MoveOptions(by=(300, 0, 0))
