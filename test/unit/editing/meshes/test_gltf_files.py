"""glTF by its specification: each way to write the same square gives the same square, or is refused by its name."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gltf_builder import QUAD, QUAD_UV, ROWS, Builder, png

from hoigen.editing.meshes.files import read

RED, BLUE, ORANGE = (200, 30, 30), (30, 40, 210), (255, 124, 64)
TWO = png([[RED, BLUE]])
"""Left half red, right half blue."""


def written(builder: Builder, path: Path) -> dict[str, np.ndarray]:
    (path / 'made.glb').write_bytes(builder.glb())
    return read(path / 'made.glb')


def corner_of(found: dict[str, np.ndarray], at: tuple[float, float]) -> np.ndarray:
    """[2] where the corner at glTF's x and y, our y and z, is in the texture, texels from its upper left corner."""
    row = int(np.argmin(np.abs(found['vertices'][:, 1:] - at).sum(1)))
    assert np.abs(found['vertices'][row, 1:] - at).max() < 1e-6
    height, width = found['texture'].shape[:2]
    return np.array([found['uv'][row, 0] * width, (1 - found['uv'][row, 1]) * height])


def colour_at(found: dict[str, np.ndarray], at: tuple[float, float]) -> list[int]:
    x, y = corner_of(found, at)
    height, width = found['texture'].shape[:2]
    return found['texture'][min(int(y), height - 1), min(int(x), width - 1)].tolist()


def as_square(found: dict[str, np.ndarray]) -> bool:
    """Whether it is the square of one metre, of two triangles that do not overlap."""
    corners = found['vertices'][found['triangles']]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1).sum() / 2
    return bool(
        np.isclose(area, 1)
        and np.allclose(found['vertices'].min(0), 0)
        and np.allclose(found['vertices'].max(0), [0, 1, 1])
    )


def plain(b: Builder) -> None:
    b.primitive()


def strided(b: Builder) -> None:
    wide = np.concatenate([QUAD, np.full((4, 2), 9, np.float32)], 1)
    made = b.primitive()
    b.json['accessors'][made['attributes']['POSITION']]['bufferView'] = b.view(wide.tobytes(), byteStride=20)


def quantised(b: Builder) -> None:
    b.require('KHR_mesh_quantization')
    made = b.primitive()
    made['attributes']['POSITION'] = b.accessor((QUAD * 32767).astype(np.int16), normalized=True)


def whole_numbers(b: Builder) -> None:
    b.require('KHR_mesh_quantization')
    made = b.primitive()
    made['attributes']['POSITION'] = b.accessor((QUAD * 100).astype(np.uint8))
    b.json['nodes'][0]['scale'] = [0.01] * 3


def sparse(b: Builder) -> None:
    moved = QUAD.copy()
    moved[1] = 5
    made = b.primitive(moved)
    b.json['accessors'][made['attributes']['POSITION']]['sparse'] = {
        'count': 1,
        'indices': {'bufferView': b.view(np.array([1], np.uint16).tobytes()), 'componentType': 5123},
        'values': {'bufferView': b.view(QUAD[1].tobytes())},
    }


def sparse_alone(b: Builder) -> None:
    made = b.primitive()
    accessor = b.json['accessors'][made['attributes']['POSITION']]
    del accessor['bufferView']
    accessor['sparse'] = {
        'count': 4,
        'indices': {'bufferView': b.view(np.arange(4, dtype=np.uint8).tobytes()), 'componentType': 5121},
        'values': {'bufferView': b.view(QUAD.tobytes())},
    }


def strip(b: Builder) -> None:
    b.primitive(rows=np.array([0, 1, 3, 2], np.uint8), mode=5)


def fan(b: Builder) -> None:
    b.primitive(rows=np.array([0, 1, 2, 3], np.uint32), mode=6)


def unindexed(b: Builder) -> None:
    b.primitive(QUAD[ROWS], rows=None)


def nested(b: Builder) -> None:
    b.primitive(QUAD - np.float32([3, 0, 0]))
    b.json['nodes'] = [
        {'children': [1], 'translation': [2, 0, 0]},
        {'mesh': 0, 'matrix': [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 1, 0, 0, 1]},
    ]


def turned(b: Builder) -> None:
    b.primitive(np.stack([QUAD[:, 1], -QUAD[:, 0], QUAD[:, 2]], 1))
    b.json['nodes'][0]['rotation'] = [0, 0, np.sqrt(0.5), np.sqrt(0.5)]


def unshown(b: Builder) -> None:
    b.primitive()
    b.json['nodes'].append({'mesh': 0, 'translation': [7, 0, 0]})  # in no scene


def without_scenes(b: Builder) -> None:
    b.primitive()
    del b.json['scene'], b.json['scenes']


def morphed(b: Builder) -> None:
    made = b.primitive(QUAD - np.float32([0, 0.5, 0]))
    made['targets'] = [{'POSITION': b.accessor(np.tile(np.float32([0, 1, 0]), (4, 1)))}]
    b.json['meshes'][0]['weights'] = [0.5]


def skinned(b: Builder) -> None:
    made = b.primitive(QUAD + np.float32([0, 4, 0]))
    made['attributes'] |= {
        'JOINTS_0': b.accessor(np.tile(np.uint8([0, 1, 0, 0]), (4, 1))),
        'WEIGHTS_0': b.accessor(np.tile(np.float32([0.5, 0.5, 0, 0]), (4, 1))),
    }
    back = np.eye(4, dtype=np.float32)
    back[1, 3] = -4
    b.json['skins'] = [{'joints': [1, 2], 'inverseBindMatrices': b.accessor(np.stack([back.T.ravel()] * 2))}]
    b.json['nodes'] = [
        {'mesh': 0, 'skin': 0, 'translation': [9, 9, 9]},  # the joints place it, not its node
        {'translation': [1, 0, 0]},
        {'translation': [-1, 0, 0]},
    ]
    b.json['scenes'][0]['nodes'] = [0, 1, 2]


def beside_lines(b: Builder) -> None:
    b.primitive()
    b.primitive(QUAD * 8, mode=1)


@pytest.mark.parametrize(
    'make',
    [
        plain,
        strided,
        quantised,
        whole_numbers,
        sparse,
        sparse_alone,
        strip,
        fan,
        unindexed,
        nested,
        turned,
        unshown,
        without_scenes,
        morphed,
        skinned,
        beside_lines,
    ],
    ids=lambda make: make.__name__,
)
def test_every_way_to_write_a_square_is_the_square(make: Callable[[Builder], None], tmp_path: Path) -> None:
    """Accessors, primitives and nodes as the specification has them."""
    builder = Builder()
    make(builder)
    assert as_square(written(builder, tmp_path))


@pytest.mark.parametrize(
    ('values', 'normalised'),
    [
        (np.float32([1, 0.2, 0.05]), False),
        (np.uint16([65535, 13107, 3277]), True),
        (np.uint8([255, 51, 13]), True),
        (np.float32([1, 0.2, 0.05, 0.5]), False),
    ],
    ids=['float', 'ushort', 'ubyte', 'with opacity'],
)
def test_colours_of_vertices_are_linear_light_in_every_type(
    values: np.ndarray, normalised: bool, tmp_path: Path
) -> None:
    """Orange, also beside a material, whose factor multiplies them."""
    for factor, expected in ((None, ORANGE), ((1, 1, 1, 1), ORANGE), ((1, 0.5, 1, 1), (255, 89, 64))):
        builder = Builder()
        made = builder.primitive(COLOR_0=builder.accessor(np.tile(values, (4, 1)), normalized=normalised))
        if factor is not None:
            made['material'] = builder.material(factor=factor)
        found = written(builder, tmp_path)
        np.testing.assert_allclose(colour_at(found, (0, 0)), expected, atol=1)


def test_a_factor_multiplies_a_texture_in_linear_light(tmp_path: Path) -> None:
    """Also one colour of all vertices; of a material with neither, white; colours that vary over a texture are not
    read."""
    builder = Builder()
    places = builder.accessor(QUAD_UV)
    made = builder.primitive(TEXCOORD_0=places, COLOR_0=builder.accessor(np.full((4, 3), 0.5, np.float32)))
    made['material'] = builder.material(png([[(255, 128, 0)]]), factor=(1, 0.5, 1, 1))
    np.testing.assert_allclose(written(builder, tmp_path)['texture'][0, 0], [188, 66, 0], atol=1)
    made['attributes']['COLOR_0'] = builder.accessor(np.linspace(0, 1, 12).reshape(4, 3).astype(np.float32))
    with pytest.raises(ValueError, match='COLOR_0 that varies over a texture is not read: bake it'):
        written(builder, tmp_path)
    white = Builder()
    white.primitive()['material'] = white.material()
    np.testing.assert_array_equal(written(white, tmp_path)['texture'][0, 0], 255)


@pytest.mark.parametrize(
    ('places', 'normalised'),
    [(QUAD_UV, False), ((QUAD_UV * 65535).astype(np.uint16), True), ((QUAD_UV * 255).astype(np.uint8), True)],
    ids=['float', 'ushort', 'ubyte'],
)
def test_places_in_a_texture_are_read_in_every_type(places: np.ndarray, normalised: bool, tmp_path: Path) -> None:
    """The corner at the upper right shows the image's."""
    builder = Builder()
    made = builder.primitive(TEXCOORD_0=builder.accessor(places, normalized=normalised))
    made['material'] = builder.material(TWO)
    found = written(builder, tmp_path)
    np.testing.assert_allclose(corner_of(found, (1, 1)), [2, 0], atol=1e-6)
    assert colour_at(found, (0, 0)) == list(RED)
    assert colour_at(found, (1, 0)) == list(BLUE)


def test_the_places_are_those_that_the_texture_names(tmp_path: Path) -> None:
    """texCoord 1, and that of KHR_texture_transform in its place."""
    for named in ({'texCoord': 1}, {'extensions': {'KHR_texture_transform': {'texCoord': 1}}}):
        builder = Builder()
        made = builder.primitive(
            TEXCOORD_0=builder.accessor(QUAD_UV),
            TEXCOORD_1=builder.accessor(QUAD_UV * np.float32([0.5, 1]) + np.float32([0.5, 0])),
        )
        made['material'] = builder.material(TWO, **named)
        np.testing.assert_allclose(corner_of(written(builder, tmp_path), (0, 0)), [1, 1], atol=1e-6)
    del made['attributes']['TEXCOORD_1']
    with pytest.raises(ValueError, match='expected TEXCOORD_1, by which'):
        written(builder, tmp_path)


def test_a_transform_moves_scales_and_turns_the_places(tmp_path: Path) -> None:
    """Scaled, then turned counter-clockwise as the image is seen (v goes down), then moved."""
    builder = Builder()
    made = builder.primitive(TEXCOORD_0=builder.accessor(QUAD_UV))
    made['material'] = builder.material(
        TWO, extensions={'KHR_texture_transform': {'offset': [0.5, 0.25], 'rotation': np.pi / 2, 'scale': [0.25, 0.5]}}
    )
    found = written(builder, tmp_path)
    np.testing.assert_allclose(corner_of(found, (0, 1)), np.array([0.5, 0.25]) * [2, 1], atol=1e-6)  # uv 0, 0
    np.testing.assert_allclose(corner_of(found, (1, 1)), np.array([0.5, 0.0]) * [2, 1], atol=1e-6)  # uv 1, 0: up
    np.testing.assert_allclose(corner_of(found, (0, 0)), np.array([1.0, 0.25]) * [2, 1], atol=1e-6)  # uv 0, 1: right


@pytest.mark.parametrize(
    ('wrap', 'beyond'), [(33071, BLUE), (33648, RED), (10497, BLUE)], ids=['clamped', 'mirrored', 'repeated']
)
def test_a_texture_goes_on_beyond_its_edge_as_its_sampler_says(wrap: int, beyond: tuple, tmp_path: Path) -> None:
    """At u = 1.75 its edge, its mirror image, or itself again."""
    builder = Builder()
    made = builder.primitive(TEXCOORD_0=builder.accessor(QUAD_UV * np.float32([1.75, 1])))
    made['material'] = builder.material(TWO, sampler={'wrapS': wrap})
    found = written(builder, tmp_path)
    x, _ = corner_of(found, (1, 1))
    assert found['texture'][0, int(x) % found['texture'].shape[1]].tolist() == list(beyond)
    if wrap == 33071:
        made['attributes']['TEXCOORD_0'] = builder.accessor(QUAD_UV * 50)
        with pytest.raises(ValueError, match='clamped or mirrored over 50 times its size is not read'):
            written(builder, tmp_path)


def test_webp_is_read_and_parts_of_one_material_share_its_image(tmp_path: Path) -> None:
    """EXT_texture_webp; a texture is not made smaller because many primitives show it."""
    builder = Builder()
    places = builder.accessor(QUAD_UV)
    material = builder.material(png([[RED, BLUE]], 'WEBP', lossless=True))
    builder.json['textures'][0] = {'extensions': {'EXT_texture_webp': {'source': 0}}}
    builder.require('EXT_texture_webp')
    for _ in range(3):
        builder.primitive(TEXCOORD_0=places)['material'] = material
    found = written(builder, tmp_path)
    np.testing.assert_array_equal(found['texture'], [[RED, BLUE]])


def compressed(b: Builder, extension: str, *, required: bool = True) -> None:
    """A primitive whose data only an extension holds, beside one that is plain."""
    b.primitive()
    made = b.primitive(QUAD + 2)
    made['extensions'] = {extension: {'bufferView': 0}}
    for accessor in (made['attributes']['POSITION'], made['indices']):
        del b.json['accessors'][accessor]['bufferView']
    if required:
        b.require(extension)


def packed(b: Builder, extension: str) -> None:
    b.primitive()
    b.glb()
    b.json['bufferViews'][0] |= {'buffer': 1, 'extensions': {extension: {'buffer': 0}}}


def unread_texture(b: Builder) -> None:
    b.primitive(TEXCOORD_0=b.accessor(QUAD_UV))['material'] = b.material(TWO)
    b.json['textures'][0] = {'extensions': {'KHR_texture_basisu': {'source': 0}}}


def instanced(b: Builder) -> None:
    b.primitive()
    b.json['nodes'][0]['extensions'] = {'EXT_mesh_gpu_instancing': {}}


@pytest.mark.parametrize(
    ('make', 'told'),
    [
        (
            lambda b: compressed(b, 'KHR_draco_mesh_compression'),
            'KHR_draco_mesh_compression is not read: decompress it',
        ),
        (
            lambda b: compressed(b, 'KHR_draco_mesh_compression', required=False),
            'KHR_draco_mesh_compression is not read',
        ),
        (unread_texture, 'KHR_texture_basisu is not read: save its textures as PNG or JPEG'),
        (instanced, 'EXT_mesh_gpu_instancing is not read: save it with a node for each instance'),
        (lambda b: (b.primitive(), b.require('ACME_spheres')), 'ACME_spheres is not read: save it without'),
    ],
    ids=['draco', 'draco beside a plain part', 'basisu', 'instancing', 'unknown'],
)
def test_what_is_not_read_is_refused_by_its_name(make: Callable[[Builder], Any], told: str, tmp_path: Path) -> None:
    """Nothing of such a file is taken for all of it."""
    builder = Builder()
    make(builder)
    with pytest.raises(ValueError, match=told):
        written(builder, tmp_path)


def test_meshopt_without_a_fallback_is_refused_by_its_name(tmp_path: Path) -> None:
    """Also where the file does not say that it is required."""
    builder = Builder()
    packed(builder, 'EXT_meshopt_compression')
    made = builder.glb()
    builder.json['buffers'] = [*builder.json['buffers'], {'byteLength': 48}]
    (tmp_path / 'made.glb').write_bytes(made)
    with pytest.raises(ValueError, match='whole GLB file'):  # there is no second buffer
        read(tmp_path / 'made.glb')
    uri = 'data:application/octet-stream;base64,' + base64.b64encode(builder.binary).decode()
    builder.json['buffers'][0]['uri'] = uri
    (tmp_path / 'made.gltf').write_text(json.dumps(builder.json))
    with pytest.raises(ValueError, match='EXT_meshopt_compression is not read: decompress it'):
        read(tmp_path / 'made.gltf')


def test_a_gltf_reads_only_files_of_its_own_folder(tmp_path: Path) -> None:
    """Its buffer as a file, its image in a subfolder with a space; those elsewhere are not opened."""
    home = tmp_path / 'home'
    (home / 'my images').mkdir(parents=True)
    builder = Builder()
    builder.primitive(TEXCOORD_0=builder.accessor(QUAD_UV))['material'] = builder.material(b'x')
    builder.json['images'] = [{'uri': 'my%20images/two.png'}]
    builder.json['buffers'] = [{'uri': 'made.bin', 'byteLength': len(builder.binary)}]
    (home / 'my images' / 'two.png').write_bytes(TWO)
    (home / 'made.bin').write_bytes(builder.binary)
    (home / 'made.gltf').write_text(json.dumps(builder.json))
    np.testing.assert_array_equal(read(home / 'made.gltf')['texture'], [[RED, BLUE]])
    (tmp_path / 'other.png').write_bytes(TWO)
    for outside in ('../other.png', str(tmp_path / 'other.png'), f'file://{tmp_path}/other.png'):
        builder.json['images'] = [{'uri': outside}]
        (home / 'made.gltf').write_text(json.dumps(builder.json))
        with pytest.raises(ValueError, match=r'other\.png.*beside it, got none'):
            read(home / 'made.gltf')


def damage(b: Builder, **accessor: Any) -> bytes:
    b.primitive()
    b.json['accessors'][0] |= accessor
    return b.glb()


@pytest.mark.parametrize(
    ('content', 'told'),
    [
        (damage(Builder(), count=400), 'expected 4800 bytes'),
        (damage(Builder(), byteOffset=-8), 'of accessors in it'),
        (damage(Builder(), count=3), 'triangles of vertices 0 to 2, got 3'),
        (damage(Builder(), bufferView=9), 'whole GLB file, got a damaged one: list index'),
        (damage(Builder())[:-30], 'whole GLB file'),
        (damage(Builder(), componentType=1), 'whole GLB file, got one that lacks 1'),
    ],
    ids=['too many', 'before its view', 'too few', 'no such view', 'cut', 'no such type'],
)
def test_a_file_that_says_what_is_not_there_is_refused(content: bytes, told: str, tmp_path: Path) -> None:
    """Bytes outside the data are never read as a mesh."""
    (tmp_path / 'made.glb').write_bytes(content)
    with pytest.raises(ValueError, match=told):
        read(tmp_path / 'made.glb')


@pytest.mark.parametrize(
    ('nodes', 'told'),
    [([{'mesh': 0, 'children': [1]}, {'children': [0]}], 'a ring'), ([{'children': [1, 1]}, {'mesh': 0}], 'twice')],
)
def test_nodes_that_are_no_tree_are_refused(nodes: list, told: str, tmp_path: Path) -> None:
    """Instead of going round in it."""
    builder = Builder()
    builder.primitive()
    builder.json['nodes'] = nodes
    with pytest.raises(ValueError, match=told):
        written(builder, tmp_path)
