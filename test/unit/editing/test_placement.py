"""Placement: outline and depth are those of the mesh at its pose, and what cannot be placed is refused with a value."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from synthetic_scene import ball, box

from hoigen.editing.placement import PlacementError, box_of, place, refuse_larger, refuse_size
from hoigen.geometry.camera import pixel_grid, unproject
from hoigen.geometry.orientation import apparent
from hoigen.geometry.raster import rasterise
from hoigen.geometry.shading import draw
from hoigen.geometry.transforms import apply, look_at, rigid
from hoigen.records import Camera, MeshAsset

K = np.array([[100.0, 0, 49.5], [0, 100, 39.5], [0, 0, 1]])
CAMERA = Camera(K, 100, 80, look_at(np.array([0.5, 0.3, 0.4]), np.zeros(3)))
MUG = ball('mug', 'object', 0.08, rings=8)
AHEAD = Camera(K, 100, 80, np.eye(4))


def at(x: float, y: float, z: float) -> np.ndarray:
    return rigid(np.eye(3), np.array([x, y, z]))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31 - 1), st.tuples(*[st.floats(-0.25, 0.25)] * 3))
def test_outline_and_depth_are_those_of_the_mesh_rendered_alone(seed: int, place_m: tuple[float, ...]) -> None:
    """Whatever the pose, also where the picture's border cuts the object; every seen place is on the mesh."""
    pose = rigid(Rotation.random(random_state=seed).as_matrix(), np.array(place_m))
    mesh = box('box', 'object', (0.1, 0.14, 0.06))
    try:
        placement = place(mesh, pose, CAMERA)
    except PlacementError:
        assert not rasterise(CAMERA, apply(pose, mesh.vertices), mesh.triangles).triangle.max() >= 0
        return
    alone = rasterise(CAMERA, apply(pose, mesh.vertices), mesh.triangles)
    wrong = placement.mask ^ (alone.triangle >= 0)
    assert wrong.sum() <= 1  # a pixel centre on an edge may fall on either side where the view is wider
    both = placement.mask & (alone.triangle >= 0)
    np.testing.assert_allclose(placement.depth_m[both], alone.depth_m[both], rtol=1e-4)
    assert np.isinf(placement.depth_m[~placement.mask]).all()
    np.testing.assert_allclose(draw(mesh, pose, CAMERA).depth_m[both], placement.depth_m[both], rtol=1e-4)
    here = apply(np.linalg.inv(pose), unproject(CAMERA, pixel_grid(100, 80)[both], placement.depth_m[both]))
    assert (np.abs(here) <= np.array([0.05, 0.07, 0.03]) + 1e-4).all()


def test_the_parts_of_a_pose() -> None:
    """Insertion depth is the origin's along the optical axis; the orientation is the apparent one; nothing is cut."""
    placement = place(MUG, at(0.02, -0.03, 0.01), CAMERA)
    forward = CAMERA.T_world_cam[:3, 2]
    assert placement.insertion_depth_m == pytest.approx(forward @ ([0.02, -0.03, 0.01] - CAMERA.T_world_cam[:3, 3]))
    assert placement.orientation == apparent(CAMERA, at(0.02, -0.03, 0.01))
    assert placement.cut == 0


@pytest.mark.parametrize('axis', [0, 1])
@pytest.mark.parametrize('side', [-1, 1])
def test_cut_is_the_part_outside(axis: int, side: int) -> None:
    """Of a ball whose middle is on the picture's border, half is cut off."""
    pixel = np.array([49.5, 39.5])
    pixel[axis] = (-0.5, (99.5, 79.5)[axis])[(side + 1) // 2]
    where = np.array([*(pixel - [49.5, 39.5]) / 100, 1.0]) * 1.5
    assert place(MUG, at(*where), AHEAD).cut == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize(
    ('pose', 'told'),
    [
        (at(0, 0, -1.0), r'before the camera, got its origin -1 m.*T_world_cam the optical frame'),
        (at(0, 0, 0.05), r'got a part -0.03 m .* its origin at 0.05 m: the camera is inside or beside it'),
        (at(5, 0, 1.0), r'inside the 100x80 picture .* got its origin at pixel \(550, 40\), 5.1 m away'),
        (at(0, 0, 450.0), r'450 m away; lengths are metres; it may be in millimetres \(0.45 m\)'),
        (np.full((4, 4), np.nan), r'pose: T_world_object: expected finite values, got 16 NaN'),
        (np.diag([1.0, 1, 2, 1]), r'expected a rigid transform'),
        (np.eye(3), r'expected float64 \[4, 4\], got float64 \[3, 3\]'),
    ],
)
def test_a_pose_that_shows_nothing_is_refused(pose: np.ndarray, told: str) -> None:
    """The error says the value and, where it can, what is likely wrong."""
    with pytest.raises(PlacementError, match=told):
        place(MUG, pose, AHEAD)


@pytest.mark.parametrize(
    ('factor', 'told'),
    [
        (1000.0, r"mesh 'mug': .* got 277.128 m; it may be in millimetres \(0.277 m\): give its scale"),
        (
            100.0,
            r'got 27.7128 m; it may be in millimetres \(0.0277 m\) or centimetres \(0.277 m\)'
            r' or inches \(0.704 m\)',
        ),
        (0.001, r'got 0.000277128 m; was a scale given'),
    ],
)
def test_a_mesh_in_another_unit_is_refused_with_the_likely_one(factor: float, told: str) -> None:
    """A 300 m mug is one in millimetres."""
    mesh = replace(MUG, vertices=MUG.vertices * np.float32(factor))
    with pytest.raises(PlacementError, match=told):
        refuse_size(mesh)
    with pytest.raises(PlacementError):
        place(mesh, at(0, 0, 0), CAMERA)


def test_an_object_larger_than_the_scene_is_refused() -> None:
    """Both sizes are told; one that is smaller, and a scene of unknown depth, are not refused."""
    scene = np.full((80, 100), 0.5, np.float32)  # 0.5 m x 0.4 m at 0.5 m
    sofa = box('sofa', 'object', (2.0, 0.8, 0.9))
    told = r"'sofa': .* got 2.33 m across in a view of 0.633 m; it may be in centimetres"
    with pytest.raises(PlacementError, match=told):
        refuse_larger(sofa, scene, AHEAD)
    refuse_larger(MUG, scene, AHEAD)
    refuse_larger(sofa, np.full((80, 100), np.nan, np.float32), AHEAD)
    refuse_larger(sofa, np.full((80, 100), np.inf, np.float32), AHEAD)


@given(st.integers(0, 2**31 - 1))
@settings(max_examples=20, deadline=None)
def test_the_box_about_a_mesh_hides_all_of_it(seed: int) -> None:
    """Its outline holds the mesh's, is not behind it, and its triangles are seen from outside."""
    rng = np.random.default_rng(seed)
    mesh = MeshAsset(
        'heap',
        'object',
        rng.uniform(-0.08, 0.08, (12, 3)).astype(np.float32),
        rng.integers(0, 12, (9, 3)).astype(np.int32),
    )
    pose = rigid(Rotation.random(random_state=seed).as_matrix(), np.zeros(3))
    cover = box_of(mesh)
    inner, outer = (rasterise(CAMERA, apply(pose, m.vertices), m.triangles) for m in (mesh, cover))
    inside = inner.triangle >= 0
    assert (outer.triangle[inside] >= 0).mean() > 0.98  # an edge's pixel centres may fall on either side
    both = inside & (outer.triangle >= 0)
    assert (outer.depth_m[both] <= inner.depth_m[both] + 1e-5).all()
    corners = cover.vertices[cover.triangles]
    outwards = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    assert ((outwards * (corners.mean(1) - cover.vertices.mean(0))).sum(1) > 0).all()
