"""Keypoints in 3D: from exact pixels and drawn depth they come back in millimetres, also where something hides some."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from hoigen.geometry.camera import project
from hoigen.geometry.transforms import apply, rigid
from hoigen.perception.hands.lift import BONES, PARENTS, UNDER_SKIN_M, lift_hands, wrist_poses
from hoigen.perception.records import Geometry, Hands
from hoigen.records import Camera

K = np.array([[400.0, 0, 160], [0, 400, 120], [0, 0, 1]])
LENGTHS = np.array([0.035, 0.04, 0.03, 0.025, *[0.09, 0.04, 0.025, 0.02] * 4])
FRAMES = 4
BEHIND_M = 0.75


def hand(rng: np.random.Generator) -> np.ndarray:
    """[21,3] metres about its centre: five bent fingers of known bones, its back to the camera."""
    points = np.zeros((21, 3))
    for f, way in enumerate(np.radians([-50, -20, 0, 15, 30])):
        bend = rng.uniform(0.1, 0.5)
        for k in range(4):
            child, down = 1 + 4 * f + k, bend * k
            step = np.array([np.sin(way) * np.cos(down), -np.cos(way) * np.cos(down), np.sin(down)])
            points[child] = points[PARENTS[child]] + LENGTHS[child - 1] * step
    return points - points.mean(0)


def scene(seed: int, *, T_world_cam: np.ndarray | None = None, hide: bool = False, noise_m: float = 0.0):
    """A hand that moves and turns before a wall: true places in the world, hands as they are seen, geometry."""
    rng = np.random.default_rng(seed)
    T = np.eye(4) if T_world_cam is None else T_world_cam
    camera, shape = Camera(K, 320, 240, T), hand(rng)
    turn = Rotation.from_rotvec(rng.normal(0, 0.4, 3))
    true, pixels, shapes = [], [], []
    depth = np.full((FRAMES, 240, 320), BEHIND_M, np.float32)
    v, u = np.mgrid[:240, :320]
    for t in range(FRAMES):
        posed = (Rotation.from_rotvec([0.05 * t, 0, 0.03 * t]) * turn).apply(shape)
        seen = posed + np.array([0.01 * t, 0.005, 0.5 + 0.01 * t])
        at, _ = project(Camera(K, 320, 240, np.eye(4)), seen)
        for (x, y), z in zip(at, seen[:, 2], strict=True):
            near = (u - x) ** 2 + (v - y) ** 2 < 6**2
            depth[t][near] = np.minimum(depth[t][near], z - UNDER_SKIN_M)
        true.append(apply(T, seen))
        pixels.append(at)
        shapes.append(posed + rng.normal(0, noise_m, posed.shape))
    if hide:
        depth[:, :, :150] = 0.35  # a box before the left part of the image
    depth += rng.normal(0, noise_m / 3, depth.shape).astype(np.float32)
    hands = Hands(
        ('right',),
        np.array(pixels, np.float32)[:, None],
        np.array(shapes, np.float32)[:, None],
        np.ones((FRAMES, 1), np.float32),
    )
    geometry = Geometry((camera,) * FRAMES, depth, np.ones_like(depth), 'drawn', True)
    return np.array(true), hands, geometry


def seen_by(geometry: Geometry) -> np.ndarray:
    """[T,H,W] bool: neither the wall nor the box."""
    return (geometry.depth_m > 0.37) & (geometry.depth_m < 0.7)


def off_mm(places: np.ndarray, true: np.ndarray) -> np.ndarray:
    return 1000 * np.linalg.norm(places[:, 0] - true, axis=-1)


@given(seed=st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_joints_come_back_in_millimetres(seed):
    true, hands, geometry = scene(seed)
    off = off_mm(lift_hands(hands, geometry, seen_by(geometry))[0], true)
    assert np.median(off) < 5
    assert np.quantile(off, 0.9) < 28


@given(seed=st.integers(0, 1000))
@settings(max_examples=15, deadline=None)
def test_noise_of_shape_and_depth_is_bounded_and_bones_keep_their_lengths(seed):
    true, hands, geometry = scene(seed, noise_m=0.004)
    places, _ = lift_hands(hands, geometry, seen_by(geometry))
    assert np.median(off_mm(places, true)) < 9
    lengths = np.linalg.norm(places[:, 0, BONES] - places[:, 0, PARENTS[BONES]], axis=-1)
    assert np.median(np.ptp(lengths, axis=0)) < 0.004


@given(seed=st.integers(0, 100))
@settings(max_examples=10, deadline=None)
def test_the_camera_s_pose_carries_the_hand(seed):
    """In the world the same hand is where that camera has it."""
    T = rigid(Rotation.from_rotvec([0.3, -0.8, 0.2]).as_matrix(), np.array([0.4, -1.0, 2.0]))
    (_, hands, geometry), (_, _, moved) = scene(seed), scene(seed, T_world_cam=T)
    here, there = lift_hands(hands, geometry, seen_by(geometry)), lift_hands(hands, moved, seen_by(moved))
    assert np.allclose(apply(T, here[0][:, 0].reshape(-1, 3)), there[0][:, 0].reshape(-1, 3), atol=1e-5)
    assert np.allclose(T @ here[1][:, 0], there[1][:, 0], atol=1e-4)


def test_what_hides_a_part_of_the_hand_is_not_taken_for_it():
    true, hands, geometry = scene(3, hide=True)
    hidden = hands.keypoints_px[:, 0, :, 0] < 150
    assert hidden.any()
    assert (~hidden).sum(1).min() >= 8
    off = off_mm(lift_hands(hands, geometry, seen_by(geometry))[0], true)
    assert np.quantile(off, 0.9) < 30
    assert np.median(off) < 10


def test_without_its_own_depth_a_hand_has_no_place():
    """Its pixels lie on things before it, or nothing was measured: unknown, not the box's or the wall's."""
    _, hands, geometry = scene(0)
    rng = np.random.default_rng(0)
    for depth in (
        np.full_like(geometry.depth_m, np.nan),
        rng.uniform(0.3, 3, geometry.depth_m.shape).astype(np.float32),
    ):
        none = Geometry(geometry.cameras, depth, np.ones_like(depth), 'drawn', True)
        places, poses = lift_hands(hands, none, np.ones(depth.shape, bool))
        assert np.isnan(places).all()
        assert np.isnan(poses).all()


def test_frames_in_which_it_is_not_seen_stay_unknown():
    _, hands, geometry = scene(1)
    gone = [np.array(a) for a in (hands.keypoints_px, hands.shape_m, hands.score)]
    gone[0][2], gone[1][2], gone[2][2] = np.nan, np.nan, 0
    places, poses = lift_hands(Hands(hands.side, *gone), geometry, seen_by(geometry))
    assert np.isfinite(places).all((1, 2, 3)).tolist() == [True, True, False, True]
    assert np.isfinite(poses).all((1, 2, 3)).tolist() == [True, True, False, True]


@pytest.mark.parametrize('scale', [1.0, 7.3])
def test_of_a_map_without_metres_places_are_in_its_unit(scale):
    true, hands, geometry = scene(5)
    scaled = Geometry(
        geometry.cameras, geometry.depth_m * np.float32(scale), geometry.confidence, 'guessed', scale == 1
    )
    assert np.median(off_mm(lift_hands(hands, scaled, seen_by(geometry))[0] / scale, true)) < 4


def test_a_wrist_s_frame_is_right_handed_and_follows_the_palm():
    poses = wrist_poses(hand(np.random.default_rng(0))[None])
    assert np.isclose(np.linalg.det(poses[0, :3, :3]), 1)
    assert poses[0, 1, 1] < -0.9  # y towards the middle knuckle, which is up in the image
