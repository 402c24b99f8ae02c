"""Records refuse what does not hold what they say, in one error that names every wrong field."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from synthetic_scene import box, camera_at

from hoigen.conditioning import build_conditions
from hoigen.records import Action, Camera, Clip, Contacts, Hands, Joints, Labels, MeshAsset, Objects, RecordError


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


@pytest.mark.parametrize(
    ('table', 'says'),
    [
        (lambda: Contacts((('a', 'b'),) * 2, *np.zeros((2, 2, 3), np.float32), np.zeros(3, np.float32)), 'forces_n'),
        (lambda: Contacts((('a', 'b'),)), 'positions_m: expected finite values, got 3 NaN'),
        (lambda: Objects(('cup', 'cup')), r"ids: expected names, each once, got \['cup', 'cup'\]"),
        (lambda: Objects(('cup', '')), r'ids: expected names, each once'),
        (lambda: Objects(('cup',), np.diag([2.0, 2, 2, 1])[None]), r'T_world_object\[0\]: expected a rigid transform'),
        (lambda: Objects(('cup',), np.eye(4)[None], np.zeros(2, np.float32)), 'visibility: expected'),
        (lambda: Hands(('up',)), r"sides: expected of \['left', 'right'\], got \['up'\]"),
        (lambda: Hands(('left', 'left')), 'sides: expected names, each once'),
        (lambda: Joints(('hip',)), 'positions: expected finite values'),
        (lambda: Action(('hip',), (), np.zeros(1, np.float32)), 'units: expected 1, one for each name, got 0'),
        (lambda: Action(('hip',), ('deg',), np.zeros(1, np.float32)), r"units: expected of .*, got \['deg'\]"),
    ],
)
def test_wrong_tables_of_labels_are_refused(table: Callable[[], object], says: str) -> None:
    """Rows come once and in every column, poses are rigid, names are known; what must be known is not left out."""
    with pytest.raises(RecordError, match=says):
        table()


def test_an_object_is_put_after_the_others_and_hides_what_is_not_known() -> None:
    """The handled one stays the first; without others the new one is handled."""
    cup = Objects(('cup',), np.eye(4)[None], np.ones(1, np.float32)).with_more('lid', np.diag([-1.0, -1, 1, 1]), 0.5)
    assert cup.ids == ('cup', 'lid')
    np.testing.assert_array_equal(cup.visibility, np.array([np.nan, 0.5], np.float32))
    for objects, want in ((cup, np.eye(4)), (Objects().with_more('lid', np.eye(4), 0.5), np.eye(4)), (Objects(), None)):
        np.testing.assert_array_equal(Labels(episode=0, frame=0, last=True, objects=objects).T_world_object, want)


def test_tables_have_the_same_rows_in_every_frame(clip: Clip) -> None:
    """Else a column of an export would be of one object here and of another there."""
    other = replace(clip.labels[2], objects=Objects(('cup',)))
    labels = (*clip.labels[:2], other, *clip.labels[3:])
    with pytest.raises(
        RecordError, match=r"Clip: frame 2: labels.objects: expected the rows .*\['ball'\], got \['cup'\]"
    ):
        replace(clip, labels=labels)


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
