"""Records refuse what does not hold what they say, in one error that names every wrong field."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from synthetic_scene import box, camera_at

from hoigen.conditioning import build_conditions
from hoigen.records import Camera, Clip, Contacts, MeshAsset, RecordError


def test_all_faults_in_one_error() -> None:
    """A user fixes everything at once: the error names each wrong field with expected and got."""
    with pytest.raises(RecordError) as caught:
        MeshAsset('cup', 'tool', np.zeros((3, 2), np.float32), np.zeros((1, 3), np.int64))
    for part in ("'cup'", 'role', "'tool'", 'vertices', 'float32 [3, 2]', 'triangles', 'int64'):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ('vertices', 'triangles', 'named'),
    [
        (np.zeros((0, 3)), np.zeros((0, 3)), 'at least one triangle'),
        (np.full((3, 3), np.nan), [[0, 1, 2]], '9 NaN or infinite'),
        (np.zeros((3, 3)), [[0, 1, 3]], 'indices in [0, 2], got [0, 3]'),
        (np.zeros((3, 3)), [[0, 1, -1]], 'indices in [0, 2], got [-1, 1]'),
    ],
)
def test_bad_meshes(vertices: np.ndarray, triangles: list, named: str) -> None:
    """An empty mesh, a NaN vertex and a triangle without its vertices are refused."""
    with pytest.raises(RecordError, match='cup') as caught:
        MeshAsset('cup', 'object', np.asarray(vertices, np.float32), np.asarray(triangles, np.int32).reshape(-1, 3))
    assert named in str(caught.value)


@pytest.mark.parametrize(
    'change',
    [
        {'T_world_cam': np.diag([1.0, 1, -1, 1])},
        {'T_world_cam': np.diag([2.0, 2, 2, 1])},
        {'K': np.array([[0, 0, 5.0], [0, 9, 5], [0, 0, 1]])},
        {'K': np.array([[9, 0, 500.0], [0, 9, 5], [0, 0, 1]])},
        {'width': 0},
    ],
)
def test_bad_cameras(change: dict) -> None:
    """A mirrored or scaled pose, an uncalibrated K and a principal point outside the picture are refused."""
    with pytest.raises(RecordError, match='Camera'):
        replace(camera_at((1.0, 0.0, 1.0)), **change)


def test_contacts_have_one_length() -> None:
    """Positions, normals and forces of contacts are rows of one table."""
    with pytest.raises(RecordError, match='forces_n'):
        Contacts(np.zeros((2, 3), np.float32), np.zeros((2, 3), np.float32), np.zeros(3, np.float32))


def test_frame_knows_its_camera_size(scene: tuple) -> None:
    """A picture of another size than its camera is refused, and so is an asset with both a pose and vertices."""
    frame = scene[1][0]
    with pytest.raises(RecordError, match=r'rgb: expected uint8 \[120, 180, 3\]'):
        replace(frame, rgb=frame.rgb[:60])
    with pytest.raises(RecordError, match=r"\['ball'\] in both"):
        replace(frame, vertices={'ball': np.zeros((3, 3), np.float32)})


def test_nan_vertices_in_a_frame(scene: tuple) -> None:
    """A NaN vertex of a deforming asset is refused where it enters, and the asset is named."""
    frame = scene[1][0]
    poses = {name: pose for name, pose in frame.poses.items() if name != 'ball'}
    with pytest.raises(RecordError, match=r"vertices of 'ball'.*1 NaN"):
        replace(frame, poses=poses, vertices={'ball': np.array([[0, 0, np.nan]], np.float32)})


def test_clip_rows_are_instants(clip: Clip) -> None:
    """Arrays of another length than the stamps, and stamps that do not rise, are refused."""
    with pytest.raises(RecordError, match=r"points.*'T': 5"):
        replace(clip, points=clip.points[:4])
    with pytest.raises(RecordError, match='rising stamps'):
        replace(clip, stamps_ns=clip.stamps_ns[::-1].copy())


def test_conditions_refuse_no_scale(clip: Clip) -> None:
    """A cloud without extent cannot be normalised, and the record says so."""
    made = build_conditions(clip, width=48, height=32)
    with pytest.raises(RecordError, match='scale_m: expected > 0'):
        replace(made, scale_m=0.0)


def test_good_records_pass() -> None:
    """The checks let through what is right."""
    camera = camera_at((1.0, 0.2, 0.5))
    assert isinstance(camera, Camera)
    assert box('crate', 'object', (0.1, 0.1, 0.1)).vertices.shape == (8, 3)
