"""Subjects: meshes from files with every fault told, and objects cut out of frames with their own look."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from synthetic_scene import ball, box

from hoigen.editing.placement import PlacementError, place
from hoigen.editing.subjects import from_files
from hoigen.editing.subjects.from_files import VIEWS, load_mesh, mesh_subject
from hoigen.editing.subjects.from_frames import picture_subject
from hoigen.geometry.orientation import apparent
from hoigen.geometry.shading import draw
from hoigen.geometry.transforms import apply, look_at, rigid
from hoigen.records import Camera, MeshAsset

CAMERA = Camera(
    np.array([[220.0, 0, 79.5], [0, 220, 59.5], [0, 0, 1]]),
    160,
    120,
    look_at(np.array([0.35, 0.25, 0.25]), np.zeros(3)),
)
POSE = rigid(np.eye(3), np.array([0.01, 0.02, 0.0]))
BOARD = 'v 0 0 0\nv 0.1 0 0\nv 0.1 0.1 0\nv 0 0.1 0\nf 1 2 3 4\n'
"""A square of 10 cm."""


def spotted(rings: int = 24) -> MeshAsset:
    """A ball with a texture of soft spots."""
    shape = ball('ball', 'object', 0.08, rings)
    directions = shape.vertices / 0.08
    uv = np.stack([directions[:, 0] / 2 + 0.5, directions[:, 2] / 2 + 0.5], 1).astype(np.float32)
    rows, columns = np.indices((64, 64)) / 64 * 2 * np.pi
    spots = 120 + 80 * np.sin(2 * rows), 120 + 80 * np.cos(3 * columns), 90 + 30 * np.sin(rows + columns)
    return replace(shape, uv=uv, texture=np.stack(spots, -1).astype(np.uint8))


@pytest.fixture
def frame() -> tuple[np.ndarray, np.ndarray]:
    """A picture of the ball before a green wall, a grey post before a part of it; and the ball's visible mask."""
    view = draw(spotted(), POSE, CAMERA)
    rgb = np.where(view.mask[..., None], view.rgb, np.uint8([10, 250, 10]))
    rgb[:, 85:95] = 128
    mask = view.mask.copy()
    mask[:, 85:95] = False
    return rgb, mask


def test_a_file_becomes_a_mesh_in_metres(tmp_path: Path) -> None:
    """Through the child, with its scale, called as the file is."""
    (tmp_path / 'tile.obj').write_text(BOARD.replace('0.1', '100'))
    mesh = load_mesh(tmp_path / 'tile.obj', 0.001)
    assert (mesh.id, mesh.role) == ('tile', 'object')
    np.testing.assert_allclose(np.ptp(mesh.vertices, axis=0), [0.1, 0.1, 0], atol=1e-7)
    assert mesh.triangles.shape == (2, 3)


def test_what_the_child_finds_wrong_is_told_with_the_path(tmp_path: Path) -> None:
    """As one sentence, without a traceback."""
    (tmp_path / 'cloud.obj').write_text('v 0 0 0\nv 1 0 0\nv 0 1 0\n')
    with pytest.raises(PlacementError, match=r'cloud.obj: expected'):
        load_mesh(tmp_path / 'cloud.obj')


def test_a_mug_of_300_m_is_refused_with_its_likely_unit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The value, the unit and what to give are told."""
    (tmp_path / 'mug.stl').write_bytes(b'read elsewhere')
    shape = ball('mug', 'object', 86.6)
    monkeypatch.setattr(from_files, '_read', lambda path: {'vertices': shape.vertices, 'triangles': shape.triangles})
    with pytest.raises(PlacementError, match=r"'mug': .* got 299.991 m; it may be in millimetres \(0.3 m\): give"):
        load_mesh(tmp_path / 'mug.stl')
    assert np.ptp(load_mesh(tmp_path / 'mug.stl', 0.001).vertices, axis=0)[2] == pytest.approx(0.1732)


@pytest.mark.parametrize(
    ('name', 'scale', 'told'),
    [
        ('mug.fbx', 1.0, r"\(.glb, .gltf, .obj, .ply, .stl\), got '.fbx'"),
        ('mug', 1.0, "got 'no ending'"),
        ('away.obj', 1.0, 'got nothing there'),
        ('folder.obj', 1.0, 'got a folder'),
        ('tile.obj', 0.0, 'scale: expected metres > 0 for one unit of tile.obj, got 0.0'),
        ('tile.obj', float('nan'), 'got nan'),
        ('tile.obj', -1.0, 'got -1.0'),
    ],
)
def test_what_cannot_be_read_is_refused_before(name: str, scale: float, told: str, tmp_path: Path) -> None:
    """Wrong endings, paths and scales."""
    (tmp_path / 'tile.obj').write_text(BOARD)
    (tmp_path / 'folder.obj').mkdir()
    with pytest.raises(PlacementError, match=told):
        load_mesh(tmp_path / name, scale)


def test_a_huge_file_is_refused_unread(tmp_path: Path) -> None:
    """Its size and the most that is read are told."""
    with (tmp_path / 'huge.stl').open('wb') as stream:
        stream.truncate(from_files.LARGEST_FILE + (1 << 20))
    with pytest.raises(PlacementError, match='at most 512 MB, got 513 MB'):
        load_mesh(tmp_path / 'huge.stl')


def test_a_mesh_subject_has_twenty_views_of_a_seed() -> None:
    """The same for the same seed; each says its orientation; a mesh in another unit is refused."""
    mesh = spotted(8)
    first, again, other = (mesh_subject(mesh, 'a ball', seed) for seed in (1, 1, 2))
    assert len(first.references) == VIEWS
    assert first.exact
    np.testing.assert_array_equal(first.references[7].rgb, again.references[7].rgb)
    assert first.references[7].orientation == again.references[7].orientation != other.references[7].orientation
    with pytest.raises(PlacementError, match='millimetres'):
        mesh_subject(replace(mesh, vertices=mesh.vertices * 1000), 'a ball')


def test_a_cut_out_object_is_alone_on_white(frame) -> None:
    """In a square, with the orientation that the frame shows; neither wall nor post is in it."""
    rgb, mask = frame
    subject = picture_subject(rgb, mask, CAMERA, POSE, spotted(), 'a ball')
    (reference,) = subject.references
    assert reference.rgb.shape[0] == reference.rgb.shape[1]
    assert reference.orientation == apparent(CAMERA, POSE)
    colours = reference.rgb.reshape(-1, 3)
    shown = (colours != 255).any(-1)
    assert shown.sum() == mask.sum()
    assert not (colours == (10, 250, 10)).all(-1).any()
    assert subject.mesh.texture is not None
    np.testing.assert_array_equal(subject.mesh.texture, spotted().texture)


def test_a_mesh_takes_the_look_of_the_frame(frame) -> None:
    """Drawn there again it looks as it did, also through the post's place; it is the same surface."""
    rgb, mask = frame
    plain = replace(spotted(), uv=None, texture=None)
    mesh = picture_subject(rgb, mask, CAMERA, POSE, plain, 'a ball').mesh
    truth, again = draw(spotted(), POSE, CAMERA), draw(mesh, POSE, CAMERA)
    difference = np.abs(again.rgb.astype(float) - truth.rgb)[mask & (again.share == 1)]
    assert np.median(difference) <= 3
    assert np.quantile(difference, 0.9) <= 12
    behind = truth.mask & ~mask
    assert (np.ptp(again.rgb[behind].astype(int), axis=-1) > 10).mean() > 0.8  # not the post's grey
    np.testing.assert_array_equal(place(mesh, POSE, CAMERA).mask, truth.mask)


def test_large_triangles_follow_the_perspective() -> None:
    """Of a box of twelve triangles near the camera, marks on a side are where they were."""
    plain = box('box', 'object', (0.16, 0.16, 0.16))
    near = Camera(CAMERA.K, 160, 120, look_at(np.array([0.22, 0.17, 0.12]), np.zeros(3)))
    view = draw(plain, np.eye(4), near)
    marks = ((np.nan_to_num(view.points) * 50).astype(int).sum(-1) % 2 * 160 + 40).astype(np.uint8)
    rgb = np.where(view.mask, marks, 255)[..., None].repeat(3, -1).astype(np.uint8)
    mesh = picture_subject(rgb, view.mask, near, np.eye(4), plain, 'a box').mesh
    again = draw(mesh, np.eye(4), near)
    inside = view.mask & (again.share == 1)
    assert np.corrcoef(again.rgb[inside, 0], rgb[inside, 0])[0, 1] > 0.9
    np.testing.assert_allclose(apply(POSE, mesh.vertices).max(0), apply(POSE, plain.vertices).max(0), atol=1e-6)


def test_without_a_pose_nothing_is_claimed(frame) -> None:
    """The reference's orientation is unknown, and the mesh gets no look."""
    plain = replace(spotted(), uv=None, texture=None)
    subject = picture_subject(*frame, CAMERA, None, plain, 'a ball')
    assert subject.references[0].orientation is None
    assert subject.mesh.texture is None


def test_what_cannot_be_cut_out_is_refused(frame) -> None:
    """A mask of another size, one with too little in it, and one that is not where the mesh is."""
    rgb, mask = frame
    plain = replace(spotted(), uv=None, texture=None)
    with pytest.raises(PlacementError, match='160x120, got picture 160x120 and mask 80x120'):
        picture_subject(rgb, mask[:, ::2], CAMERA, POSE, plain, '')
    with pytest.raises(PlacementError, match='64 pixels of the object at least, got 0'):
        picture_subject(rgb, np.zeros_like(mask), CAMERA, POSE, plain, '')
    with pytest.raises(PlacementError, match='on the mesh at its pose, got 0 pixels'):
        picture_subject(rgb, np.pad(np.ones((20, 20), bool), ((0, 100), (0, 140))), CAMERA, POSE, plain, '')
    with pytest.raises(PlacementError, match='before the camera'):
        picture_subject(rgb, mask, CAMERA, rigid(np.eye(3), np.array([0.35, 0.25, 0.25])), plain, '')
