"""The published meshes and poses against what MuJoCo itself draws."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest
from simulated_clip import Clip, simulate

from hoigen.conventions import ROLE_CODE
from hoigen.geometry.meshes import mesh_table
from hoigen.geometry.raster import rasterise
from hoigen.sources.mujoco.source import pose_data

FRAMES = (0, 8, 16)
MARKS = {'hand': 0.999, 'object': 0.995}
DEPTH_MARK_M = 1e-3


def compare(clip: Clip, number: int, shift_m: float = 0.0) -> tuple[dict[str, float], float, float]:
    """IoU by role, the 99.9th percentile of the depth error (m) where roles agree, and the share of depthless pixels.

    ``shift_m`` moves the published hand aside, to see that the marks notice.
    """
    scene, frame = clip.episode.scene, clip.frames[number]
    data = mujoco.MjData(scene.model)
    pose_data(scene, data, clip.episode.steps[number])
    geoms = clip.episode.renderer.geoms(scene, data, frame.camera)
    drawn = np.where(np.isin(geoms, scene.hand_geoms), ROLE_CODE['hand'],
                     np.where(np.isin(geoms, scene.thing_geoms), ROLE_CODE['object'], ROLE_CODE['scene']))
    table = mesh_table(clip.episode.assets)
    poses = {name: pose + shift_m * np.eye(4, k=3) if name.startswith('hand/') else pose
             for name, pose in frame.poses.items()}
    seen = rasterise(frame.camera, table.posed(poses, {}), table.triangles)
    ours = table.roles[table.triangle_asset[seen.triangle]]
    overlap = {role: ((ours == ROLE_CODE[role]) & (drawn == ROLE_CODE[role])).sum()
               / ((ours == ROLE_CODE[role]) | (drawn == ROLE_CODE[role])).sum() for role in MARKS}
    error = np.abs(seen.depth_m - frame.depth_m)[ours == drawn]
    return overlap, float(np.quantile(error, 0.999)), float(np.isnan(error).mean() + (seen.triangle < 0).mean())


@pytest.fixture(scope='module', params=['mug', 'bottle', 'carton', 'chest'])
def clip(request: pytest.FixtureRequest) -> Clip:
    camera = {'mug': 'front', 'bottle': 'ego', 'carton': 'side', 'chest': 'front'}[request.param]
    return simulate(1, width=360, height=240, depth=True, shape=request.param, camera=camera)


def test_posed_meshes_are_what_mujoco_draws(clip: Clip) -> None:
    """Silhouettes of hand and object meet the marks, depth agrees to a millimetre, and meshes cover every pixel."""
    for number in FRAMES:
        overlap, depth_error_m, uncovered = compare(clip, number)
        for role, mark in MARKS.items():
            assert overlap[role] >= mark, (number, role)
        assert depth_error_m <= DEPTH_MARK_M
        assert uncovered == 0


def test_the_marks_notice_a_millimetre(clip: Clip) -> None:
    """A hand published 3 mm aside misses its mark: the comparison can fail."""
    overlap, _, _ = compare(clip, FRAMES[0], shift_m=3e-3)
    assert overlap['hand'] < MARKS['hand']
