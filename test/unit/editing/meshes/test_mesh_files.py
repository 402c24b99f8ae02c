"""Meshes of files: shape, axes and look are what the file says, and a file that is not what it says is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image
from trimesh.visual import ColorVisuals, TextureVisuals
from trimesh.visual.material import PBRMaterial, SimpleMaterial

from hoigen.conventions import OBJECT
from hoigen.editing.meshes.files import read
from hoigen.editing.views import view_of
from hoigen.geometry.orientation import Orientation
from hoigen.geometry.shading import AMBIENT, DIFFUSE
from hoigen.records import MeshAsset

RED, GREEN, BLUE = (200, 40, 40), (40, 180, 60), (50, 60, 220)
FILES = Path(__file__).parents[5] / 'shared' / 'data'


def mesh_of(path: Path) -> MeshAsset:
    found = read(path)
    return MeshAsset('mesh', OBJECT, found['vertices'], found['triangles'], found.get('uv'), found.get('texture'))


def block(extents: tuple[float, float, float] = (0.1, 0.2, 0.3)) -> trimesh.Trimesh:
    return trimesh.creation.box(extents=extents)


def tinted(colour: tuple[int, int, int], **where: float) -> trimesh.Trimesh:
    """A board [y, z] at x, with one colour as its texture."""
    mesh = block((0.02, 0.1, 0.1))
    mesh.visual = TextureVisuals(
        np.full((len(mesh.vertices), 2), 0.5), PBRMaterial(baseColorTexture=Image.new('RGB', (4, 4), colour))
    )
    mesh.apply_translation([where.get('x', 0.0), where.get('y', 0.0), where.get('z', 0.0)])
    return mesh


def seen(mesh: MeshAsset, azimuth: float) -> np.ndarray:
    """[3]: the colour in the middle of a view, without the light's strength."""
    middle = view_of(mesh, Orientation(azimuth, 0.0, 0.0), 64).rgb[31, 31].astype(float)
    return middle / middle.max()


@pytest.mark.parametrize('kind', ['glb', 'obj', 'ply', 'stl'])
def test_every_kind_gives_the_same_shape(kind: str, tmp_path: Path) -> None:
    """Of GLB, whose up is +y and front +z, our x is its z, our y its x, our z its y; others are taken as they are."""
    block().export(tmp_path / f'block.{kind}')
    found = read(tmp_path / f'block.{kind}')
    extents = np.ptp(found['vertices'], axis=0)
    np.testing.assert_allclose(extents, (0.3, 0.1, 0.2) if kind == 'glb' else (0.1, 0.2, 0.3), atol=1e-6)
    assert found['triangles'].shape == (12, 3)
    assert len(found['vertices']) == (8 if 'uv' not in found else len(found['vertices']))
    corners = found['vertices'][found['triangles']]
    assert (np.einsum('fx,fx->f', corners[:, 0], np.cross(corners[:, 1], corners[:, 2]))).sum() > 0


def test_a_mesh_that_is_inside_out_is_turned() -> None:
    """Triangles are counter-clockwise from outside, whatever the file thought."""
    mesh = block()
    mesh.faces = mesh.faces[:, ::-1]
    from hoigen.editing.meshes.files import _indexed

    found = _indexed(mesh.vertices[mesh.faces])
    corners = found['vertices'][found['triangles']]
    assert np.einsum('fx,fx->f', corners[:, 0], np.cross(corners[:, 1], corners[:, 2])).sum() > 0


def test_a_textured_mesh_keeps_its_texture(tmp_path: Path) -> None:
    """The picture that the file names, where its uv say."""
    mesh = tinted(GREEN)
    mesh.visual.material = SimpleMaterial(image=Image.new('RGB', (4, 4), GREEN))
    mesh.export(tmp_path / 'board.obj')
    found = mesh_of(tmp_path / 'board.obj')
    np.testing.assert_array_equal(found.texture[0, 0], GREEN)
    np.testing.assert_allclose(seen(found, 0.0), np.array(GREEN) / max(GREEN), atol=0.02)


def test_parts_of_a_scene_keep_their_looks_and_places(tmp_path: Path) -> None:
    """Three boards with a texture each, as one mesh: each is seen from its own side in its own colour."""
    scene = trimesh.Scene([tinted(RED), tinted(GREEN, z=-0.3), tinted(BLUE, z=0.3)])
    scene.add_geometry(tinted(RED), transform=trimesh.transformations.translation_matrix([0, 0.4, 0]))
    scene.export(tmp_path / 'boards.glb')
    found = mesh_of(tmp_path / 'boards.glb')
    np.testing.assert_allclose(np.ptp(found.vertices, axis=0), [0.7, 0.02, 0.5], atol=1e-6)  # z, x, y of the file
    for azimuth, colour in ((0.0, BLUE), (np.pi, GREEN)):
        view = view_of(found, Orientation(azimuth, 0.0, 0.0), 200)
        low = (view.share == 1) & view.mask & (view.points[..., 2] < 0.045)
        assert low.sum() > 20
        shown = np.median(view.rgb[low], axis=0)
        np.testing.assert_allclose(shown / shown.max(), np.array(colour) / max(colour), atol=0.03)


def test_a_repeated_texture_repeats_also_beside_others(tmp_path: Path) -> None:
    """uv from 0 to 3 show the picture three times, in a mesh with a second material too."""
    stripes = np.zeros((32, 32, 3), np.uint8)
    stripes[:, :16] = 255
    corners = np.array([[0, -1, -1], [0, 1, -1], [0, 1, 1], [0, -1, 1]]) * 0.1
    board = trimesh.Trimesh(corners, [[0, 1, 2], [0, 2, 3]], process=False)
    uv = np.array([[0, 0], [3, 0], [3, 1], [0, 1]], float)
    board.visual = TextureVisuals(uv, PBRMaterial(baseColorTexture=Image.fromarray(stripes)))
    other = tinted(RED, x=-0.1)
    found = []
    for name, parts in (('one', [board]), ('two', [board, other])):
        scene = trimesh.Scene(parts)
        scene.apply_transform(np.array([[0, 1, 0, 0], [0, 0, 1, 0], [1, 0, 0, 0], [0, 0, 0, 1.0]]))  # to glTF's axes
        scene.export(tmp_path / f'{name}.glb')
        view = view_of(mesh_of(tmp_path / f'{name}.glb'), Orientation(0.0, 0.0, 0.0), 200)
        row = view.rgb[100, view.mask[100] & (view.points[100, :, 0] > -0.01)].max(-1).astype(float)
        found.append(int((np.abs(np.diff(row > row.max() / 2)) > 0).sum()))
    assert found == [5, 5]


@pytest.mark.parametrize('kind', ['ply', 'glb'])
def test_colours_at_corners_are_seen_and_run_into_each_other(kind: str, tmp_path: Path) -> None:
    """Linear between the corners of a triangle; in glTF colours are of linear light."""
    corners = np.array([[0, -1, -1], [0, 1, -1], [0, 1, 1], [0, -1, 1]]) * 0.1
    if kind == 'glb':
        corners = corners[:, [1, 2, 0]]
    board = trimesh.Trimesh(corners, [[0, 1, 2], [0, 2, 3]], process=False)
    board.visual = ColorVisuals(
        board, vertex_colors=[[0, 0, 0, 255], [128, 0, 0, 255], [128, 0, 0, 255], [0, 0, 0, 255]]
    )
    board.export(tmp_path / f'board.{kind}')
    view = view_of(mesh_of(tmp_path / f'board.{kind}'), Orientation(0.0, 0.0, 0.0), 101)
    inside = view.share[50] == 1
    row, along = view.rgb[50, inside].astype(float), view.points[50, inside, 1] / 0.2 + 0.5
    most = 188 if kind == 'glb' else 128
    light = row[-1, 0] / along[-1] / most
    assert AMBIENT <= light <= AMBIENT + DIFFUSE
    np.testing.assert_allclose(row[:, 0], along * most * light, atol=0.04 * most)
    assert row[:, 1:].max() == 0


def test_what_has_no_look_says_so(tmp_path: Path) -> None:
    """No texture is invented for an STL, nor for an OBJ of shape alone."""
    for name in ('block.stl', 'block.obj'):
        mesh = block()
        mesh.visual = ColorVisuals(mesh)
        mesh.export(tmp_path / name)
        assert set(read(tmp_path / name)) == {'vertices', 'triangles'}


def test_a_material_of_one_colour_is_that_colour(tmp_path: Path) -> None:
    """glTF's factor, of linear light."""
    mesh = block()
    mesh.visual = TextureVisuals(None, PBRMaterial(baseColorFactor=[255, 55, 55, 255]))
    mesh.export(tmp_path / 'block.glb')
    np.testing.assert_array_equal(read(tmp_path / 'block.glb')['texture'][0, 0], [255, 128, 128])


@pytest.mark.parametrize(
    ('name', 'text', 'told'),
    [
        (
            'points.ply',
            'ply\nformat ascii 1.0\nelement vertex 3\nproperty float x\nproperty float y\nproperty float z\n'
            'end_header\n0 0 0\n1 0 0\n0 1 0\n',
            'got no faces',
        ),
        ('line.obj', 'v 0 0 0\nv 1 0 0\nl 1 2\n', 'got no faces|whole OBJ'),
        ('nan.obj', 'v 0 0 0\nv nan 0 0\nv 0 1 0\nv inf 0 0\nf 1 2 3\nf 1 3 4\n', 'got 2 NaN or infinite of 6'),
        ('flat.obj', 'v 0 0 0\nv 1 0 0\nv 2 0 0\nf 1 2 3\n', 'expected triangles with an area, got 1 without'),
        ('wrong.obj', 'v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 9\n', 'triangles of vertices 1 to 3, got 9'),
        ('empty.glb', '', 'whole GLB file'),
        ('empty.stl', '', 'whole STL file|no faces'),
        ('words.glb', 'glTF' + 40 * 'x', 'whole GLB file'),
        ('words.ply', 'ply\nformat', 'whole PLY file'),
        (
            'alone.obj',
            'mtllib away.mtl\nusemtl a\nv 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n',
            "'away.mtl'.*beside it, got none",
        ),
        ('out.obj', 'mtllib ../../etc/passwd\nv 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n', 'beside it, got none'),
    ],
)
def test_a_file_that_is_no_mesh_is_refused(name: str, text: str, told: str, tmp_path: Path) -> None:
    """The error says what was expected and what came; nothing outside the mesh's folder is opened."""
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=told):
        read(tmp_path / name)


@pytest.mark.parametrize('kind', ['glb', 'ply', 'stl'])
def test_a_file_that_was_cut_short_is_refused(kind: str, tmp_path: Path) -> None:
    """Never read in part."""
    trimesh.creation.icosphere(radius=0.1).export(tmp_path / f'ball.{kind}')
    whole = (tmp_path / f'ball.{kind}').read_bytes()
    (tmp_path / f'ball.{kind}').write_bytes(whole[: len(whole) * 2 // 3])
    with pytest.raises(ValueError, match=rf'whole {kind.upper()} file|cut short'):
        read(tmp_path / f'ball.{kind}')


def test_a_damaged_texture_is_refused(tmp_path: Path) -> None:
    """A picture that is cut short is not filled in."""
    mesh = tinted(RED)
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
    mesh.visual.material = SimpleMaterial(image=noise)
    mesh.export(tmp_path / 'board.obj')
    picture = next(path for path in tmp_path.iterdir() if path.suffix in ('.png', '.jpg', '.jpeg'))
    picture.write_bytes(picture.read_bytes()[:2000])
    with pytest.raises(ValueError, match='truncated'):
        read(tmp_path / 'board.obj')


def test_real_meshes_are_read() -> None:
    """A textured bottle and a rigged hand, as others made them."""
    if not FILES.is_dir():
        pytest.skip('the real meshes are not beside this checkout')
    bottle, hand = read(FILES / 'object_mesh' / 'fuze.obj'), read(FILES / 'hand_mesh' / 'left.glb')
    assert np.ptp(bottle['vertices'], axis=0)[2] == pytest.approx(0.215, abs=0.001)
    assert bottle['texture'].shape == (1024, 1024, 3)
    assert bottle['triangles'].shape == (1000, 3)
    assert np.ptp(hand['vertices'], axis=0).max() == pytest.approx(0.212, abs=0.001)
