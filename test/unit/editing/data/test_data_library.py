"""A user's meshes stand in simulated scenes with labels as exact as our own things'."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hoigen.editing.data.examples import SimulationConfig, simulate
from hoigen.editing.data.filters import FilterOptions, fault_of
from hoigen.editing.data.library import LibraryMesh, caption_of, chooser, look_of, mesh_files, prepare_library
from hoigen.editing.data.records import DataError, write_scene
from hoigen.records import MeshAsset
from hoigen.sources.mujoco import meshes
from hoigen.sources.mujoco.clutter import FREE_SHAPES, WIDE_M, draw_looks
from hoigen.sources.mujoco.draws import SPLITS, Draws
from hoigen.sources.mujoco.objects import make_thing
from hoigen.sources.mujoco.render import Renderer


def block(x: float, y: float, z: float, at=(0.0, 0.0, 0.0)) -> MeshAsset:
    """A block of these half sizes, with a picture that is wider than high on it."""
    mesh = meshes.box((x, y, z)).moved(at)
    texture = np.zeros((8, 24, 3), np.uint8)
    texture[..., 0] = np.linspace(60, 250, 24).astype(np.uint8)
    return MeshAsset(
        'block', 'object', mesh.vertices.astype(np.float32), mesh.triangles, mesh.uv.astype(np.float32), texture
    )


def kept(asset: MeshAsset, caption: str, folder) -> LibraryMesh:
    """A mesh as it lies in a set's folder."""
    write_scene(
        folder / 'mesh.npz',
        {'vertices': asset.vertices, 'triangles': asset.triangles, 'uv': asset.uv, 'texture': asset.texture},
        compress=False,
    )
    return LibraryMesh(folder / 'mesh.npz', caption)


def test_a_users_mesh_in_a_scene(tmp_path):
    """Its labels agree with its rendering, although its own origin was far off; wide things do not stand in each
    other."""
    bar = kept(block(0.02, 0.14, 0.02, at=(1.0, 0.5, 0.2)), 'long bar', tmp_path)
    scene = simulate(
        SimulationConfig(size=48, things=2, sights=2, views=2, lifted=0), Renderer(48, 48), 0, 3, chooser([bar], 1.0)
    )
    assert [look.caption for look in scene.looks] == ['long bar'] * 2
    assert [look.asset.id for look in scene.looks] == ['thing_0', 'thing_1']
    assert len(scene.examples) >= 2
    for example in scene.examples:
        assert fault_of(example, scene.views[example.thing], FilterOptions(agreement=0.93), None) == ''
        assert abs(example.sight.T_world_object[2, 3] - 0.02) < 0.01, 'it lies on the table'


def test_a_mesh_without_colours_is_grey():
    asset = block(0.03, 0.03, 0.03)
    look = look_of(MeshAsset('plain', 'object', asset.vertices, asset.triangles), 'plain block')
    assert (look.asset.texture == 180).all()
    assert len(look.asset.uv) == len(asset.vertices)


def test_what_cannot_stand_on_a_table_is_refused():
    solid = block(0.05, 0.05, 0.05)
    with pytest.raises(DataError, match=r'at most 0.6 m across.*got 149.7 m.*millimetres \(then --mesh-scale 0.001\)'):
        look_of(block(40, 50, 40 * np.sqrt(0.9375)), 'mug')
    with pytest.raises(DataError, match=r'at least 0\.002 m in each direction'):
        look_of(replace(solid, vertices=solid.vertices * np.array([1, 1, 0.01], np.float32)), 'sheet')
    with pytest.raises(DataError, match='at most 200000 triangles, got 220000'):
        look_of(replace(solid, triangles=np.resize(solid.triangles, (220_000, 3))), 'scan')


def test_the_share_of_a_users_meshes(tmp_path):
    """Things of both kinds come, and the same draw gives the same things."""
    choose = chooser([kept(block(0.03, 0.03, 0.03), 'block', tmp_path)], 0.5)
    drawn = [look.caption for n in range(12) for look in choose(Draws('train', n), 4, 32)]
    assert drawn == [look.caption for n in range(12) for look in choose(Draws('train', n), 4, 32)]
    assert 12 < drawn.count('block') < 36


def test_our_own_things_stay_where_they_were():
    """None is so wide that it is put further apart than before: the same seed must give the same scene."""
    for split in SPLITS:
        for number in range(20):
            for shape in FREE_SHAPES:
                vertices = make_thing(shape, Draws(split, number)).mesh.vertices
                assert np.hypot(vertices[:, 0], vertices[:, 1]).max() <= WIDE_M, shape
    assert len(draw_looks(Draws('train', 1), 4)) == 4


def test_captions(tmp_path):
    """The words beside a mesh, else those of its name."""
    mesh = tmp_path / 'red_tea-mug.glb'
    assert caption_of(mesh) == 'red tea mug'
    (tmp_path / 'red_tea-mug.txt').write_text('a red mug \n with a gold rim')
    assert caption_of(mesh) == 'a red mug with a gold rim'
    (tmp_path / 'red_tea-mug.txt').write_text(' \n')
    with pytest.raises(DataError, match='expected a few words'):
        caption_of(mesh)


def test_a_folder_of_meshes(tmp_path):
    """Files are found below it; those that cannot be used are told, and a folder of only such ones is refused."""
    with pytest.raises(DataError, match=r'expected files \.glb'):
        mesh_files(tmp_path)
    with pytest.raises(DataError, match='expected a folder'):
        mesh_files(tmp_path / 'none')
    (tmp_path / 'broken.obj').write_text('v 0 0 zero\n')
    with pytest.raises(DataError, match=r'no mesh can be used: broken\.obj'):
        prepare_library(tmp_path, 1.0, tmp_path / 'kept', 1)
    good = block(0.03, 0.02, 0.05)
    (tmp_path / 'kitchen').mkdir()
    lines = [f'v {x} {y} {z}' for x, y, z in good.vertices] + [f'f {a} {b} {c}' for a, b, c in good.triangles + 1]
    (tmp_path / 'kitchen' / 'tea_box.obj').write_text('\n'.join(lines))
    (found,), faults = prepare_library(tmp_path, 1.0, tmp_path / 'kept', 1)
    assert found.caption == 'tea box'
    assert np.allclose(np.ptp(found.look().asset.vertices, 0), (0.06, 0.04, 0.10), atol=1e-4)
    assert len(faults) == 1


def test_a_mesh_is_read_once(tmp_path, monkeypatch):
    """Of a stopped run the meshes are there already; another scale is another mesh."""
    asked = []

    def load(path, scale):
        asked.append(scale)
        return block(0.03 * scale, 0.03 * scale, 0.03 * scale)

    monkeypatch.setattr('hoigen.editing.data.library.load_mesh', load)
    (tmp_path / 'cube.stl').write_bytes(b'as load_mesh reads it')
    for scale in (1.0, 1.0, 2.0):
        (found,), _ = prepare_library(tmp_path, scale, tmp_path / 'kept', 1)
        assert np.ptp(found.look().asset.vertices, 0)[0] == pytest.approx(0.06 * scale, abs=1e-4)
    assert asked == [1.0, 2.0]
