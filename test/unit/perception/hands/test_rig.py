"""A rigged hand follows keypoints: read as written, posed bone by bone, carried with the hand, and never invented."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hand_rig import joint_vertices, rest_joints, write_rig
from hypothesis import given, settings
from hypothesis import strategies as st
from perceived_factory import perceived
from scipy.spatial.transform import Rotation

from hoigen.conventions import HAND, ROLE_CODE
from hoigen.geometry.raster import rasterise
from hoigen.geometry.transforms import apply, rigid
from hoigen.perception.hands.meshes import load_rigs, posed_hands
from hoigen.perception.hands.rig import AT_KEYPOINT, JOINTS, Rig, load_rig, pose
from hoigen.perception.records import PerceptionError
from hoigen.records import Clip
from hoigen.records.labels import Hands

FRAMES = 5


@pytest.fixture(scope='module')
def rig(tmp_path_factory: pytest.TempPathFactory) -> Rig:
    return load_rig(write_rig(tmp_path_factory.mktemp('rig') / 'right.glb'))


def bent(seed: int, frames: int = 1) -> np.ndarray:
    """[T,21,3] keypoints of the rig's own bones, fingers bent in each frame as the seed draws, lengths 0.8 to 1.2 of
    the rig's."""
    rng, rest = np.random.default_rng(seed), rest_joints()[AT_KEYPOINT]
    found = np.repeat(rest[None], frames, 0)
    longer = rng.uniform(0.8, 1.2, 20)
    for finger in range(5):
        for k in range(1, 4):
            child = 1 + 4 * finger + k
            turns = Rotation.from_rotvec(rng.uniform(0, 0.5 * k, (frames, 1)) * [-1, 0, 0])
            step = longer[child - 1] * turns.apply(rest[child] - rest[child - 1])
            found[:, child] = found[:, child - 1] + step
    return found


def test_the_file_is_read_as_it_is_written(rig: Rig) -> None:
    assert np.allclose(rig.joints, rest_joints(), atol=1e-6)
    assert rig.vertices.shape == (25 * 9, 3)
    assert np.allclose(rig.weights.sum(1), 1)
    assert (rig.weights.argmax(1) == np.repeat(np.arange(25), 9)).all()


def test_at_rest_it_is_as_in_the_file(rig: Rig) -> None:
    assert np.allclose(pose(rig, rig.joints[AT_KEYPOINT][None])[0], rig.vertices, atol=1e-6)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_joints_come_to_their_keypoints(rig: Rig, seed: int) -> None:
    """Fingers of other lengths than the rig's, bent; the flesh stays about its bones."""
    points = bent(seed)
    posed = pose(rig, points)
    assert np.allclose(posed[:, joint_vertices()], points, atol=1e-5)
    boxes = posed[0].reshape(25, 9, 3)
    assert np.linalg.norm(boxes - boxes[:, :1], axis=-1).max() < 0.12


@given(seed=st.integers(0, 10_000), size=st.floats(0.7, 1.4))
@settings(max_examples=20, deadline=None)
def test_a_rigid_motion_and_a_size_carry_the_surface(rig: Rig, seed: int, size: float) -> None:
    points, rng = bent(seed), np.random.default_rng(seed)
    T = rigid(Rotation.random(rng=rng).as_matrix(), rng.normal(size=3))
    here, there = pose(rig, points), pose(rig, apply(T, size * points[0])[None])
    assert np.allclose(there[0], apply(T, size * here[0].astype(float)), atol=1e-5)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=10, deadline=None)
def test_noise_changes_no_length_over_the_clip(rig: Rig, seed: int) -> None:
    """Keypoints 2 mm off: fingers keep one length and are not far from them."""
    true = bent(seed, FRAMES)
    posed = pose(rig, true + np.random.default_rng(seed).normal(0, 0.002, true.shape))
    joints = posed[:, joint_vertices()]
    lengths = np.linalg.norm(joints[:, 2:5] - joints[:, 1:4], axis=-1)
    assert np.ptp(lengths, axis=0).max() < 1e-5
    assert np.median(np.linalg.norm(joints - true, axis=-1)) < 0.006


def test_keypoints_of_no_hand_are_refused(rig: Rig) -> None:
    points = rig.joints[AT_KEYPOINT][None].copy()
    points[0, 8] += [0, 0.2, 0]
    with pytest.raises(PerceptionError, match='expected bones'):
        pose(rig, points)


def test_files_without_the_joints_are_refused(tmp_path: Path) -> None:
    for path, says in (
        (write_rig(tmp_path / 'other.glb', ('hips', *JOINTS[1:])), 'none or several of wrist'),
        (tmp_path / 'none.glb', 'nothing there'),
    ):
        with pytest.raises(PerceptionError, match=says):
            load_rig(path)
    (tmp_path / 'cut.glb').write_bytes((tmp_path / 'other.glb').read_bytes()[:500])
    with pytest.raises(PerceptionError, match='expected a whole GLB file'):
        load_rig(tmp_path / 'cut.glb')


def clip_of(rig: Rig) -> tuple[Clip, np.ndarray]:
    """A clip that sees the posed rig: vertices [T,V,3] of its truth. In frame 1 the keypoints are not known, in frame 2
    something else is measured where the hand is."""
    clip = perceived().clip
    assert clip is not None
    back = rigid(np.diag([1.0, -1, -1]), np.array([0, 0.05, 0.4]))
    points = np.stack([apply(camera.T_world_cam @ back, bent(1)[0]) for camera in clip.cameras])
    truth = pose(rig, points)
    points[1] = np.nan
    depth, mask = clip.depth_m.copy(), np.zeros_like(clip.mask)
    for t, camera in enumerate(clip.cameras):
        drawn = rasterise(camera, truth[t], rig.triangles).depth_m
        here = np.isfinite(drawn)
        assert here.sum() > 500
        depth[t][here], mask[t][here] = drawn[here] + (0.05 if t == 2 else 0.003), ROLE_CODE[HAND]
    hands = [Hands(('left', 'right'), keypoints_m=np.stack([np.full((21, 3), np.nan), p]).astype('f4')) for p in points]
    labels = tuple(replace(label, hands=own) for label, own in zip(clip.labels, hands, strict=True))
    return replace(clip, depth_m=depth, mask=mask, labels=labels), truth


def test_meshes_are_where_they_are_known_and_said(rig: Rig) -> None:
    """A frame without keypoints and one whose depth denies the hand have no mesh; a hand without any has no asset."""
    clip, truth = clip_of(rig)
    found = posed_hands(clip, {'left': rig, 'right': rig})
    assert [(asset.id, asset.role) for asset in found.assets] == [('right_hand', HAND)]
    assert [sorted(frame.vertices) for frame in found.frames] == [['right_hand'], [], [], *[['right_hand']] * 2]
    assert np.allclose(found.frames[3].vertices['right_hand'], truth[3], atol=1e-5)
    assert found.notes == (
        'left hand: no mesh, for its keypoints are not known in 3D',
        'right hand: a mesh in 3 of 5 frames, 3 mm (median) from the measured depth; '
        'in 1 it would be more than 20 mm off',
    )


def test_both_sides_are_needed(tmp_path: Path) -> None:
    write_rig(tmp_path / 'left.glb')
    with pytest.raises(PerceptionError, match=r'right\.glb'):
        load_rigs(tmp_path)
