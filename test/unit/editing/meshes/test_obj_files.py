"""OBJ, PLY and their looks: every way to write the same shape gives the same, a look that cannot be read is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from gltf_builder import png

from hoigen.editing.meshes.files import read

RED, BLUE = (200, 30, 30), (30, 40, 210)
SQUARE = 'v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\n'
PLACES = 'vt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\n'
TEXTURED = 'mtllib a.mtl\nusemtl m\n' + SQUARE + PLACES


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / 'sub').mkdir()
    (tmp_path / 'sub' / '1 two.png').write_bytes(png([[RED, BLUE]]))
    (tmp_path / 'a.mtl').write_text('newmtl m\nKd 0.1 0.1 0.1\nmap_Kd sub/1 two.png\n')
    return tmp_path


def made(folder: Path, text: str, name: str = 'made.obj') -> dict[str, np.ndarray]:
    (folder / name).write_text(text)
    return read(folder / name)


def area(found: dict[str, np.ndarray]) -> float:
    a, b, c = found['vertices'][found['triangles']].swapaxes(0, 1)
    return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2)


@pytest.mark.parametrize(
    'faces',
    [
        'f 1 2 3 4',
        'f -4 -3 -2 -1',
        'f 1 2 3\nf 1 3 4',
        'f 1/1 2/2 3/3 4/4',
        'f 1//1 2//1 3//1 4//1',
        'f 1 2 \\\n3 4',
        'f\t1\t2\t3\t4 # all',
        'vn 0 0 1\nf 1/1/1 2/2/1 3/3/1\nf 1//1 3//1 4//1',
    ],
)
def test_faces_are_read_however_they_are_written(faces: str, folder: Path) -> None:
    """Of any size, with or without places and normals."""
    found = made(folder, SQUARE + PLACES + faces.replace(' # all', ''))
    assert area(found) == pytest.approx(1)
    assert set(found) == {'vertices', 'triangles'}


def test_negative_indices_count_back_from_their_own_line(folder: Path) -> None:
    """Two squares, each followed by its face: the second is not the first again."""
    found = made(
        folder,
        ''.join(SQUARE.replace('v 0', f'v {x}').replace('v 1', f'v {x + 1}') + 'f -4 -3 -2 -1\n' for x in (0, 2)),
    )
    np.testing.assert_allclose(np.ptp(found['vertices'], axis=0), [3, 1, 0])
    assert area(found) == pytest.approx(2)


@pytest.mark.parametrize('face', ['f 0 1 2', 'f -9 1 2', 'f 1 2 5', 'f 1/9 2/9 3/9'])
def test_an_index_of_nothing_is_refused(face: str, folder: Path) -> None:
    """With what there is."""
    with pytest.raises(ValueError, match=r'expected triangles of (vertices|vt)'):
        made(folder, SQUARE + face)


@pytest.mark.parametrize(
    ('name', 'uv'),
    [
        ('sub/1 two.png', (1, 1)),
        ('sub\\1 two.png', (1, 1)),
        ('C:\\mine\\sub\\..\\two.png', None),
        ('-s 2 3 1 sub/1 two.png', (2, 3)),
        ('-o 0.5 -bm 1 sub/1 two.png', (1.5, 1)),
        ('-clamp off sub/1 two.png', (1, 1)),
    ],
)
def test_a_texture_is_found_and_put_where_its_options_say(name: str, uv: tuple | None, folder: Path) -> None:
    """Separators of Windows, options, names with spaces; the colour beside a texture is not multiplied."""
    (folder / 'a.mtl').write_text(f'newmtl m\nKd 0.1 0.1 0.1\nmap_Kd {name}\n')
    if uv is None:
        (folder / 'two.png').write_bytes((folder / 'sub' / '1 two.png').read_bytes())
    found = made(folder, TEXTURED + 'f 1/1 2/2 3/3 4/4')
    np.testing.assert_array_equal(found['texture'], [[RED, BLUE]])
    np.testing.assert_allclose(found['uv'].max(0), uv or (1, 1))


def test_a_texture_that_cannot_be_read_is_refused(folder: Path) -> None:
    """Never shown without it: garbage, what is not there, and an option that changes its colours."""
    (folder / 'no.png').write_bytes(b'garbage' * 9)
    for name, told in (
        ('no.png', 'no.png: expected a whole texture'),
        ('away.png', "the file 'away.png'"),
        ('-mm 0.5 2 no.png', 'the option -mm is not read'),
        ('-clamp on no.png', 'the option -clamp'),
    ):
        (folder / 'a.mtl').write_text(f'newmtl m\nmap_Kd {name}\n')
        with pytest.raises(ValueError, match=told):
            made(folder, TEXTURED + 'f 1/1 2/2 3/3 4/4')


def test_uv_alone_are_no_look(folder: Path) -> None:
    """As without them: nothing is invented."""
    assert set(made(folder, SQUARE + PLACES + 'f 1/1 2/2 3/3 4/4')) == {'vertices', 'triangles'}


def test_parts_without_places_have_the_colour_of_their_material(folder: Path) -> None:
    """In several material files, beside a part with a texture."""
    (folder / 'b.mtl').write_text('newmtl n\nKd 1 0 0.5\n')
    found = made(folder, TEXTURED.replace('a.mtl', 'a.mtl b.mtl') + 'f 1/1 2/2 3/3\nusemtl n\nf 1 3 4')
    assert {tuple(colour) for colour in found['texture'].reshape(-1, 3).tolist()} >= {RED, BLUE, (255, 0, 128)}


def ply(kind: str, colours: list, faces: str = 'element face 1\nproperty list uchar int vertex_indices\n') -> str:
    colour = ''.join(f'property {kind} {name}\n' for name in ('red', 'green', 'blue'))
    rows = '\n'.join(f'{x} {y} 0 ' + ' '.join(map(str, colours)) for x, y in ((0, 0), (1, 0), (1, 1)))
    return (
        f'ply\nformat ascii 1.0\nelement vertex 3\nproperty float x\nproperty float y\nproperty float z\n{colour}'
        f'{faces}end_header\n{rows}\n' + ('3 0 1 2\n' if faces else '')
    )


@pytest.mark.parametrize(
    'text',
    [
        ply('uchar', [255, 124, 64]),
        ply('ushort', [65535, 31868, 16448]),
        ply('float', [1, 0.4863, 0.251]),
        ply('float', [255, 124, 64]),
        ply('int', [255, 124, 64]),
        'v 0 0 0 1 0.4863 0.251\nv 1 0 0 1 0.4863 0.251\nv 1 1 0 1 0.4863 0.251\nf 1 2 3',
    ],
    ids=['uchar', 'ushort', 'float', 'float of 255', 'int', 'OBJ'],
)
def test_colours_of_vertices_are_read_in_every_type(text: str, folder: Path) -> None:
    """Not the low bytes of wider ones."""
    found = made(folder, text, 'made.obj' if text.startswith('v') else 'made.ply')
    np.testing.assert_array_equal(found['texture'].max((0, 1)), [255, 124, 64])


def test_a_gaussian_splat_is_called_so(folder: Path) -> None:
    """A PLY of points is no mesh; what it is, is said."""
    with pytest.raises(ValueError, match='expected a mesh with triangles, got a Gaussian splat, which has no surface'):
        made(folder, ply('float', [0, 0, 0], '').replace('red', 'f_dc_0'), 'splat.ply')
