"""The camera's motion is found to sub-millimetres whatever moves before it, and a still camera is exactly still."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from textured_scene import Scene, textured_scene

from hoigen.geometry.transforms import invert
from hoigen.perception.flow import measure_flow
from hoigen.perception.records import Flow, Geometry, PerceptionError
from hoigen.perception.tracking.odometry import depth_confidence, measured_geometry
from hoigen.perception.tracking.rigid import fit_pose, rotation_of
from hoigen.records import Camera, Footage

MOST_DEG, MOST_MM = 0.05, 1.0
"""Largest error of a camera in the small pictures used here (240x160, 0.7 m away: 1 pixel is 3 mm)."""


def _errors(found: tuple[Camera, ...], true: tuple[Camera, ...]) -> tuple[float, float]:
    """Largest rotation error in degrees and largest translation error in mm."""
    off = [invert(t.T_world_cam) @ f.T_world_cam for f, t in zip(found, true, strict=True)]
    turn = [np.degrees(np.linalg.norm(T[:3, :3] - np.eye(3)) / np.sqrt(2)) for T in off]
    return float(max(turn)), float(max(1000 * np.linalg.norm(T[:3, 3]) for T in off))


def _geometry(footage: Footage) -> Geometry:
    return measured_geometry(footage, measure_flow(footage.rgb))


@pytest.fixture(scope='module')
def moving() -> Scene:
    return textured_scene(sway_m=0.1)


def test_a_moving_camera_is_followed_past_a_moving_box(moving: Scene) -> None:
    """The box's corners, which move otherwise, must not pull the camera along."""
    geometry = _geometry(moving.footage)
    turn, shift = _errors(geometry.cameras, moving.cameras)
    assert turn < MOST_DEG
    assert shift < MOST_MM
    assert geometry.metric
    assert geometry.method == 'measured depth'
    assert np.array_equal(geometry.cameras[0].T_world_cam, np.eye(4))


def test_a_still_camera_is_exactly_still() -> None:
    """The background plate of the conditions relies on equality, with a moving box and sensor noise."""
    footage = textured_scene(travel_m=0.2).footage
    noise = np.random.default_rng(0).normal(0, 2, footage.rgb.shape)
    footage = replace(footage, rgb=np.clip(np.rint(footage.rgb + noise), 0, 255).astype(np.uint8))
    assert all(np.array_equal(camera.T_world_cam, np.eye(4)) for camera in _geometry(footage).cameras)


def test_noise_and_holes_in_the_depth_cost_little(moving: Scene) -> None:
    """A third of the depth missing and 0.5 % noise: what a stereo camera gives."""
    rng = np.random.default_rng(1)
    depth = moving.footage.depth_m * rng.normal(1, 0.005, moving.footage.depth_m.shape).astype(np.float32)
    depth[rng.random(depth.shape) < 0.05] = np.nan
    depth[:, :, :60] = np.nan
    turn, shift = _errors(_geometry(replace(moving.footage, depth_m=depth)).cameras, moving.cameras)
    assert turn < 4 * MOST_DEG
    assert shift < 4 * MOST_MM


def test_frames_far_apart_are_matched(moving: Scene) -> None:
    """Where flow says nothing (pictures a second apart), features must be matched: a flow of zero is of no use."""
    scene = textured_scene(frames=3, sway_m=0.3)
    zero = np.zeros((2, *scene.footage.rgb.shape[1:3], 2), np.float32)
    lost = np.zeros(zero.shape[:3], bool)
    turn, shift = _errors(measured_geometry(scene.footage, Flow(zero, zero, lost, lost)).cameras, scene.cameras)
    assert turn < 4 * MOST_DEG
    assert shift < 4 * MOST_MM


def test_a_frame_that_shows_nothing_is_a_marked_gap(moving: Scene) -> None:
    """A black frame in between: its depth is unknown, its pose the one before; the next frame is found again."""
    rgb = moving.footage.rgb.copy()
    rgb[3] = 0
    geometry = _geometry(replace(moving.footage, rgb=rgb))
    assert np.isnan(geometry.depth_m[3]).all()
    assert not geometry.confidence[3].any()
    assert np.array_equal(geometry.cameras[3].T_world_cam, geometry.cameras[2].T_world_cam)
    _, shift = _errors(geometry.cameras[4:], moving.cameras[4:])
    assert shift < 2 * MOST_MM


def test_a_first_frame_without_depth_is_a_marked_gap(moving: Scene) -> None:
    """The rest is placed in the frame of the first camera that has depth."""
    depth = moving.footage.depth_m.copy()
    depth[0] = np.nan
    geometry = _geometry(replace(moving.footage, depth_m=depth))
    assert np.isnan(geometry.depth_m[0]).all()
    assert np.array_equal(geometry.cameras[0].T_world_cam, np.eye(4))
    start = invert(moving.cameras[1].T_world_cam)
    wanted = tuple(replace(camera, T_world_cam=start @ camera.T_world_cam) for camera in moving.cameras[1:])
    assert _errors(geometry.cameras[1:], wanted)[1] < MOST_MM


def test_what_geometry_cannot_be_measured_from_is_refused(moving: Scene) -> None:
    flow = measure_flow(moving.footage.rgb)
    for fault, message in (
        (replace(moving.footage, depth_m=None), 'got no depth'),
        (replace(moving.footage, K=None), 'intrinsics K'),
        (replace(moving.footage, depth_m=np.full_like(moving.footage.depth_m, np.nan)), 'unknown everywhere'),
        (replace(moving.footage, rgb=np.zeros_like(moving.footage.rgb)), 'at least half'),
    ):
        with pytest.raises(PerceptionError, match=message):
            measured_geometry(fault, flow)


def test_a_single_frame_has_a_camera(moving: Scene) -> None:
    first = moving.footage
    one = Footage(first.stamps_ns[:1], first.rgb[:1], first.depth_m[:1], first.K)
    none = np.zeros((0, *first.rgb.shape[1:3], 2), np.float32)
    geometry = measured_geometry(one, Flow(none, none, none[..., 0].astype(bool), none[..., 0].astype(bool)))
    assert np.array_equal(geometry.cameras[0].T_world_cam, np.eye(4))
    assert np.isfinite(geometry.depth_m).any()


@pytest.mark.parametrize('move_px', [(3.0, -2.0), (1.2, -0.8), (30.0, 10.0)])
def test_a_pose_is_found_among_two_fifths_that_move_otherwise(move_px: tuple[float, float]) -> None:
    """A hand that covers much of the picture moves as one: the larger group decides, its pose is not pulled, be the
    hand's motion ever so small."""
    rng = np.random.default_rng(0)
    K = np.array([[560, 0, 319.5], [0, 560, 179.5], [0, 0, 1]])
    pixels, depth = rng.uniform((0, 0), (640, 360), (300, 2)), rng.uniform(0.4, 0.8, 300)
    places = np.column_stack([pixels, np.ones(300)]) @ np.linalg.inv(K).T * depth[:, None]
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = rotation_of(np.array([0.02, -0.03, 0.05])), (0.03, 0.01, -0.02)
    there = places @ pose[:3, :3].T + pose[:3, 3]
    seen = (there @ K.T)[:, :2] / there[:, 2:]
    hand = pixels[:, 0] < 290  # all on one side, where a turn can make up for much of it
    seen[hand] += move_px
    found = fit_pose(K, places, seen, np.full(300, np.nan), np.eye(4))
    assert 0.35 < hand.mean() < 0.45
    assert np.allclose(found.T_cam_points, pose, atol=1e-6)
    assert not found.weight[hand].any()
    assert (found.weight[~hand] > 0.9).all()


def test_depth_is_trusted_within_surfaces_only() -> None:
    """Full trust on a plane however steep, none where unknown, little at a step and in noise."""
    plane = 1 / np.tile(np.linspace(1, 2, 40), (30, 1)).astype(np.float32)
    assert depth_confidence(plane)[1:-1, 1:-1].min() > 0.99
    step = plane.copy()
    step[:, 20:] += 0.3
    step[5, 5] = np.nan
    trust = depth_confidence(step)
    assert trust[5, 5] == 0
    assert 0 < trust[5, 6] < 1
    assert trust[2:-2, 19:21].max() < 0.1
    noisy = plane * np.random.default_rng(0).normal(1, 0.01, plane.shape).astype(np.float32)
    assert 0.3 < np.median(depth_confidence(noisy)[1:-1, 1:-1]) < 0.7
