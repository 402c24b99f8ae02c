"""Cast shadows: the light is found in one picture, and what it shades is geometry."""

import numpy as np
import pytest
from synthetic_scene import camera_at

from hoigen.conditioning.shadow import cast_shadows
from hoigen.geometry.camera import pixel_grid, unproject

BALL_M, RADIUS_M = np.array([0.0, 0.0, 0.12]), 0.05


def ball_points(centre: np.ndarray, count: int = 3000) -> np.ndarray:
    k = np.arange(count) + 0.5
    z, turn = 1 - 2 * k / count, np.pi * (1 + np.sqrt(5)) * k
    around = np.sqrt(1 - z * z)
    return centre + RADIUS_M * np.column_stack([around * np.cos(turn), around * np.sin(turn), z])


def blocks(places: np.ndarray, light: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Whether a ball stands between the light and each place: the distance of its centre from the segment."""
    way = places - light
    along = np.clip(((centre - light) * way).sum(-1) / np.square(way).sum(-1), 0, 1)
    return np.linalg.norm(light + along[..., None] * way - centre, axis=-1) < RADIUS_M


def floating_ball(light: np.ndarray, travel: np.ndarray, share: float, frames: int = 3):
    """A ball that moves over a textured table: its truth, drawn without the code under test."""
    camera = camera_at((0.6, 0.1, 0.5))
    rays = unproject(camera, pixel_grid(camera.width, camera.height), np.ones((camera.height, camera.width)))
    way = rays - camera.T_world_cam[:3, 3]
    depth = -camera.T_world_cam[2, 3] / way[..., 2]
    table = camera.T_world_cam[:3, 3] + depth[..., None] * way
    texture = np.random.default_rng(3).uniform(100, 220, (9, 9, 3))[
        tuple(np.clip((table[..., axis] / 0.15 + 4).astype(int), 0, 8) for axis in (0, 1))
    ]
    centres = [BALL_M + travel * t for t in range(frames)]
    way /= np.linalg.norm(way, axis=-1, keepdims=True)
    hit = [np.linalg.norm(np.cross(way, c - camera.T_world_cam[:3, 3]), axis=-1) < RADIUS_M for c in centres]
    shade = [blocks(table, light, c) & ~h for c, h in zip(centres, hit, strict=True)]
    picture = np.where(shade[0][..., None], texture * share, texture)
    picture[hit[0]] = (200, 40, 40)
    points = np.stack([ball_points(c) for c in centres]).astype(np.float32)
    mask, depths = np.stack(hit).astype(np.uint8) * 2, np.stack([depth] * frames).astype(np.float32)
    role = np.full(points.shape[1], 2, np.uint8)
    return (picture.astype(np.uint8), (camera,) * frames, mask, depths, points, role), np.stack(shade)


@pytest.mark.parametrize('light', [(0.8, 1.2, 1.9), (-1.0, -0.4, 1.5), (0.1, -0.9, 2.2)])
def test_shadows_follow_the_ball_under_a_light_that_only_the_first_picture_tells(light):
    """Every later frame's shadow lies where the true one does, though only frame 0's picture is given."""
    scene, shade = floating_ball(np.array(light), np.array([0.02, 0.05, 0.01]), share=0.5)
    found = cast_shadows(*scene)
    assert found.gain == pytest.approx([0.5] * 3, abs=0.05)
    for t in range(3):
        now = (found.codes[t] & 2) > 0
        assert (now & shade[t]).sum() / (now | shade[t]).sum() > 0.85, f'frame {t}'
        assert not (found.codes[t][scene[2][t] > 0]).any()


def test_without_a_shadow_in_the_picture_there_is_none_in_any_frame():
    """A texture is not a shadow: nothing may be darkened where no light is believed."""
    scene, _ = floating_ball(np.array([0.8, 1.2, 1.9]), np.array([0.02, 0.05, 0.01]), share=1.0)
    found = cast_shadows(*scene)
    assert not found.codes.any()
    assert found.gain.tolist() == [1, 1, 1]


def test_without_hand_and_object_there_are_no_shadows():
    (image, cameras, mask, depth, points, role), _ = floating_ball(np.array([0.8, 1.2, 1.9]), np.zeros(3), share=0.5)
    assert not cast_shadows(image, cameras, mask * 0, depth, points, role * 0).codes.any()
