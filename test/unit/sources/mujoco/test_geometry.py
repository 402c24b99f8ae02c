"""The published meshes and poses against what MuJoCo itself draws."""

from __future__ import annotations

from dataclasses import replace

import mujoco
import numpy as np
import pytest
from simulated_scene import Simulated, simulate

from hoigen.conditioning import ClipBuilder, ConditioningConfig
from hoigen.conventions import ROLE_CODE
from hoigen.geometry.camera import crop_camera
from hoigen.geometry.meshes import mesh_table
from hoigen.geometry.raster import rasterise
from hoigen.records import Camera
from hoigen.sources.mujoco.source import pose_data

FRAMES = (0, 8, 16)
MARKS = {'hand': 0.999, 'object': 0.995}
DEPTH_MARK_M = 1e-3


def posed(clip: Simulated, number: int) -> mujoco.MjData:
    """The simulator's data with the scene as it is in a frame."""
    data = mujoco.MjData(clip.episode.scene.model)
    pose_data(clip.episode.scene, data, clip.episode.steps[number])
    return data


def compare(clip: Simulated, number: int, shift_m: float = 0.0) -> tuple[dict[str, float], float, float]:
    """IoU by role, the 99.9th percentile of the depth error (m) where roles agree, and the share of depthless pixels.

    ``shift_m`` moves the published hand aside, to see that the marks notice.
    """
    scene, frame = clip.episode.scene, clip.frames[number]
    data = posed(clip, number)
    geoms = clip.episode.renderer.geoms(scene, data, frame.camera)
    drawn = np.where(
        np.isin(geoms, scene.hand_geoms),
        ROLE_CODE['hand'],
        np.where(np.isin(geoms, scene.thing_geoms), ROLE_CODE['object'], ROLE_CODE['scene']),
    )
    table = mesh_table(clip.episode.assets)
    poses = {
        name: pose + shift_m * np.eye(4, k=3) if name.startswith('hand/') else pose
        for name, pose in frame.poses.items()
    }
    seen = rasterise(frame.camera, table.posed(poses, {}), table.triangles)
    ours = table.roles[table.triangle_asset[seen.triangle]]
    overlap = {
        role: ((ours == ROLE_CODE[role]) & (drawn == ROLE_CODE[role])).sum()
        / ((ours == ROLE_CODE[role]) | (drawn == ROLE_CODE[role])).sum()
        for role in MARKS
    }
    error = np.abs(seen.depth_m - frame.depth_m)[ours == drawn]
    return overlap, float(np.quantile(error, 0.999)), float(np.isnan(error).mean() + (seen.triangle < 0).mean())


@pytest.fixture(scope='module', params=['mug', 'bottle', 'carton', 'chest'])
def clip(request: pytest.FixtureRequest) -> Simulated:
    camera = {'mug': 'front', 'bottle': 'ego', 'carton': 'side', 'chest': 'front'}[request.param]
    return simulate(1, width=360, height=240, depth=True, shape=request.param, camera=camera)


def test_posed_meshes_are_what_mujoco_draws(clip: Simulated) -> None:
    """Silhouettes of hand and object meet the marks, depth agrees to a millimetre, and meshes cover every pixel."""
    for number in FRAMES:
        overlap, depth_error_m, uncovered = compare(clip, number)
        for role, mark in MARKS.items():
            assert overlap[role] >= mark, (number, role)
        assert depth_error_m <= DEPTH_MARK_M
        assert uncovered == 0


def test_the_marks_notice_a_millimetre(clip: Simulated) -> None:
    """A hand published 3 mm aside misses its mark: the comparison can fail."""
    overlap, _, _ = compare(clip, FRAMES[0], shift_m=3e-3)
    assert overlap['hand'] < MARKS['hand']


def test_the_simulator_agrees_with_itself(clip: Simulated) -> None:
    """Depth and image of every frame show the meshes; no slip is seen where there is none."""
    builder = ClipBuilder(clip.episode.assets, ConditioningConfig(points=60, tracks=5))
    for frame in clip.frames:
        builder.add(frame)
    check = builder.source_check
    assert min(check.shares.values()) > 0.99
    assert check.outlines > 0.8
    assert check.warning() == ''


LENSES = {
    'principal point aside': (1.0, 1.0, 61.3, -40.6),
    'two focal lengths': (0.8, 1.15, 0.0, 0.0),
    'both': (1.3, 0.9, -75.2, 33.4),
}


@pytest.mark.parametrize('lens', LENSES)
def test_images_are_drawn_with_all_of_the_intrinsics(clip: Simulated, lens: str) -> None:
    """Of any K: silhouettes are those of our raster to 1 in 1,000 pixels, depth to a tenth of a millimetre."""
    frame = clip.frames[FRAMES[1]]
    wider, higher, right, down = LENSES[lens]
    K = frame.camera.K * np.array([[wider, 1, 1], [1, higher, 1], [1, 1, 1]])
    K[:2, 2] += right, down
    camera = Camera(K, frame.camera.width, frame.camera.height, frame.camera.T_world_cam)
    depth = clip.episode.renderer.depth(clip.episode.scene, posed(clip, FRAMES[1]), camera)
    shown = Simulated(clip.episode, {FRAMES[1]: replace(frame, camera=camera, depth_m=depth)})  # type: ignore[arg-type]
    overlap, depth_error_m, _ = compare(shown, FRAMES[1])
    assert min(overlap.values()) >= 0.999
    assert depth_error_m <= 1e-4


def test_a_part_of_the_image_is_the_image_of_that_part(clip: Simulated) -> None:
    """Colour too: what an off-centre camera sees is cut out of what the whole one sees; but for the shadows' edges."""
    scene, renderer, data = clip.episode.scene, clip.episode.renderer, posed(clip, FRAMES[0])
    whole = clip.frames[FRAMES[0]].camera
    part = crop_camera(whole, 90, 20, 200, 110)
    seen, cut = renderer.rgb(scene, data, part), renderer.rgb(scene, data, whole)[20:130, 90:290]
    assert np.abs(seen.astype(int) - cut).mean() < 0.2
    shifted = renderer.rgb(scene, data, crop_camera(whole, 91, 20, 200, 110))
    assert np.abs(shifted.astype(int) - cut).mean() > 1


def test_a_skewed_lens_is_refused(clip: Simulated) -> None:
    """OpenGL cannot draw it; an image without the skew would be wrong."""
    camera = clip.frames[0].camera
    skewed = Camera(camera.K + np.diag([3.0, 0], 1), camera.width, camera.height, camera.T_world_cam)
    with pytest.raises(ValueError, match='K: expected no skew'):
        clip.episode.renderer.rgb(clip.episode.scene, posed(clip, 0), skewed)
