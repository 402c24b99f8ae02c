"""The raster against ray casting, at the near plane, and at shared edges."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic_scene import ball, box, camera_at

from hoigen.geometry.camera import pixel_grid, unproject
from hoigen.geometry.meshes import mesh_table
from hoigen.geometry.raster import NEAR_M, rasterise, visible_fractions
from hoigen.geometry.transforms import rigid
from hoigen.records import Camera


def ray_cast(camera: Camera, vertices: np.ndarray, triangles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The readable twin: depth [H,W] and triangle [H,W] by Moeller and Trumbore's test of every ray and triangle."""
    origin = camera.T_world_cam[:3, 3]
    rays = (
        unproject(camera, pixel_grid(camera.width, camera.height), np.ones((camera.height, camera.width))) - origin
    ).reshape(-1, 3)
    best, index = np.full(len(rays), np.inf), np.full(len(rays), -1)
    for number, (a, b, c) in enumerate(vertices[triangles]):
        u, v = b - a, c - a
        across = np.cross(rays, v)
        scale = across @ u
        with np.errstate(divide='ignore', invalid='ignore'):
            first = across @ (origin - a) / scale
            second = rays @ np.cross(origin - a, u) / scale
            depth = np.cross(origin - a, u) @ v / scale
        hit = (first >= 0) & (second >= 0) & (first + second <= 1) & (depth >= NEAR_M) & (depth < best)
        best[hit], index[hit] = depth[hit], number
    shape = (camera.height, camera.width)
    return np.where(index >= 0, best, np.nan).reshape(shape), index.reshape(shape)


@pytest.mark.parametrize('seed', range(4))
def test_equals_ray_casting(seed: int) -> None:
    """Depth and triangle of a soup of random triangles, some through the near plane, equal those of ray casting."""
    rng = np.random.default_rng(seed)
    camera = camera_at((0.5, 0.1, 0.3), 61, 47)
    centres = rng.uniform(-0.8, 0.8, (60, 1, 3))
    vertices = (centres + rng.uniform(-0.4, 0.4, (60, 3, 3))).reshape(-1, 3)
    triangles = np.arange(180, dtype=np.int32).reshape(-1, 3)
    drawn, (depth, index) = rasterise(camera, vertices, triangles), ray_cast(camera, vertices, triangles)
    assert (index >= 0).mean() > 0.2
    np.testing.assert_array_equal(drawn.triangle, index)
    np.testing.assert_allclose(drawn.depth_m, depth, rtol=1e-6)


def test_closed_mesh_has_no_cracks() -> None:
    """Neighbouring triangles leave no pixel between them undrawn, however small they are."""
    camera = camera_at((0.6, 0.0, 0.05), 200, 140)
    table = mesh_table([ball('ball', 'object', 0.12, rings=60)])
    drawn = rasterise(camera, table.vertices + np.array([0, 0, 0.05]), table.triangles).triangle >= 0
    for line in (*drawn, *drawn.T):
        filled = np.flatnonzero(line)
        assert not len(filled) or len(filled) == filled[-1] - filled[0] + 1


def test_ball_depth() -> None:
    """The nearest point of a ball is a radius before its centre."""
    camera = camera_at((0.6, 0.0, 0.05), 201, 141)
    table = mesh_table([ball('ball', 'object', 0.1, rings=64)])
    depth = rasterise(camera, table.vertices + np.array([0, 0, 0.05]), table.triangles).depth_m
    assert np.nanmin(depth) == pytest.approx(0.5, abs=2e-4)
    assert np.isnan(depth[0, 0])


def test_all_behind_draws_nothing() -> None:
    """What lies behind the camera does not appear mirrored in the picture."""
    camera = camera_at((0.6, 0.0, 0.05))
    table = mesh_table([ball('ball', 'object', 0.1)])
    drawn = rasterise(camera, table.vertices + np.array([1.2, 0, 0.05]), table.triangles)
    assert (drawn.triangle == -1).all()
    assert np.isnan(drawn.depth_m).all()


def test_first_listed_wins_a_tie() -> None:
    """Two equal triangles: the picture is the same in every run because the first listed is kept."""
    camera = camera_at((0.6, 0.0, 0.05))
    vertices = np.array([[0, -1, -1], [0, 1, -1], [0, 0, 1.0]])
    drawn = rasterise(camera, vertices, np.array([[0, 1, 2], [1, 0, 2]], np.int32))
    assert set(np.unique(drawn.triangle)) <= {-1, 0}


def test_visible_is_what_is_neither_hidden_nor_beside_the_image() -> None:
    """Of two equal boards the near one hides half of the far one; half of one lies beside the image."""
    camera = Camera(np.array([[50.0, 0, 49.5], [0, 50, 24.5], [0, 0, 1]]), 100, 50, np.eye(4))
    places = {
        'far': (0, 0, 1),
        'near': (-0.15, 0, 0.5),
        'beside': (1, 0.3, 1),
        'out': (2.5, 0, 1),
        'behind': (0, 0, -1),
    }
    table = mesh_table([box(name, 'object', (0.3, 0.3, 1e-4)) for name in places])
    world = table.posed({name: rigid(np.eye(3), np.array(at, float)) for name, at in places.items()}, {})
    seen = visible_fractions(camera, table, world, (*places, 'unheard of'))
    np.testing.assert_allclose(seen, [0.5, 1, 0.5, 0, np.nan, np.nan], atol=0.05)
