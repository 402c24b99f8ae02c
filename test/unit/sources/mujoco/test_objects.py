"""The things: meshes that face outward and colliders that fit them."""

from __future__ import annotations

from itertools import product

import mujoco
import numpy as np
import pytest

from hoigen.geometry.transforms import apply, invert, rigid
from hoigen.sources.mujoco.control import body_pose
from hoigen.sources.mujoco.draws import Draws
from hoigen.sources.mujoco.meshes import Mesh
from hoigen.sources.mujoco.objects import SHAPES, make_thing
from hoigen.sources.mujoco.scene import Scene, build_scene


def part_volumes(mesh: Mesh) -> np.ndarray:
    """The signed volume of each connected part; positive where its triangles face outward."""
    _, same = np.unique(np.round(mesh.vertices, 7), axis=0, return_inverse=True)
    corners = same.ravel()[mesh.triangles]
    part = np.arange(corners.max() + 1)
    while True:  # every vertex takes the least number among its triangles', until nothing changes
        least = part.copy()
        np.minimum.at(least, corners, part[corners].min(1, keepdims=True))
        if (least == part).all():
            break
        part = least
    volumes = []
    for number in np.unique(part):
        p = mesh.vertices[mesh.triangles[part[corners[:, 0]] == number]]
        p = p - p.reshape(-1, 3).mean(0)
        volumes.append(np.einsum('ij,ij->', p[:, 0], np.cross(p[:, 1], p[:, 2])) / 6)
    return np.array(volumes)


@pytest.mark.parametrize('split', ['train', 'heldout'])
@pytest.mark.parametrize('shape', list(SHAPES))
def test_mesh_faces_outward_and_stands_on_the_table(shape: str, split: str) -> None:
    """A part turned inside out would be drawn and sampled wrong; a wrong height would make it fall at the start."""
    for seed in range(3):
        thing = make_thing(shape, Draws(split, seed))
        assert (part_volumes(thing.mesh) > 0).all()
        assert thing.mesh.uv.shape == (len(thing.mesh.vertices), 2)
        if thing.lid is None:
            assert thing.mesh.vertices[:, 2].min() == pytest.approx(-thing.half_height, abs=1e-3)
        else:
            assert (part_volumes(thing.lid.base) > 0).all()


def test_part_volumes_tells_a_part_turned_inside_out() -> None:
    """The check above can fail."""
    mesh = make_thing('mug', Draws('train', 0)).mesh
    flipped = Mesh(mesh.vertices, mesh.uv, np.concatenate([mesh.triangles[:-200], mesh.triangles[-200:, ::-1]]))
    assert not (part_volumes(flipped) > 0).all()


@pytest.mark.parametrize('shape', list(SHAPES))
def test_colliders_fit_the_mesh(shape: str) -> None:
    """What is touched is what is seen: bounds agree to 3 mm (a carton's paper crest alone has no collider)."""
    thing = make_thing(shape, Draws('train', 1))
    scene = build_scene(thing, Draws('train', 1), 8)
    low, high = collider_bounds(scene)
    np.testing.assert_allclose(low, thing.mesh.vertices.min(0), atol=3e-3)
    np.testing.assert_allclose(high, thing.mesh.vertices.max(0), atol=9e-3 if shape == 'carton' else 3e-3)


def collider_bounds(scene: Scene) -> tuple[np.ndarray, np.ndarray]:
    """Least and greatest coordinates [3] of the thing's colliders in its own frame."""
    model, data = scene.model, mujoco.MjData(scene.model)
    mujoco.mj_kinematics(model, data)
    T_thing_world = invert(body_pose(data, scene.thing_body))
    unit = np.array(list(product((-1, 1), repeat=3)))
    corners = []
    for geom in np.flatnonzero((model.geom_bodyid == scene.thing_body) & (model.geom_contype > 0)):
        T_world_geom = rigid(data.geom_xmat[geom].reshape(3, 3), data.geom_xpos[geom])
        box = model.geom_aabb[geom, :3] + unit * model.geom_aabb[geom, 3:]
        corners.append(apply(T_thing_world @ T_world_geom, box))
    return np.concatenate(corners).min(0), np.concatenate(corners).max(0)
