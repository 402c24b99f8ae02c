"""A clip whose object is moved, taken away or joined by another: every label is true of the edited frames."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from edited_scenes import Paster, simulated, write_episode_bag, write_footage_bag

from hoigen.conventions import HAND, OBJECT, ROLE_CODE, SCENE
from hoigen.editing.clips.edit import edit_clip
from hoigen.editing.clips.edited import ClipEdit, EditOutcome
from hoigen.editing.clips.overlap import inside, reach_m
from hoigen.editing.clips.plate import hidden_by_object
from hoigen.editing.clips.recorded import Recorded, object_meshes, object_poses, read_recorded, seen_shape
from hoigen.editing.placement import PlacementError, box_of
from hoigen.editing.records import Reference, Subject
from hoigen.geometry.transforms import apply, invert, rigid
from hoigen.records import MeshAsset
from hoigen.sources.mujoco import SimulatedEpisode

WHITE = (Reference(np.full((8, 8, 3), 255, np.uint8), None),)
LEFT = np.array([-0.03, 0.0, 0.0])


@pytest.fixture(scope='module')
def episode() -> SimulatedEpisode:
    return simulated()


@pytest.fixture(scope='module')
def recorded(episode: SimulatedEpisode, tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    folder = tmp_path_factory.mktemp('edit') / 'episode_0000'
    write_episode_bag(episode, folder)
    return read_recorded(folder)


def move_left(recorded: Recorded, shift: np.ndarray = LEFT) -> ClipEdit:
    before = object_poses(recorded)
    poses = np.stack(
        [rigid(T[:3, :3], T[:3, 3] + recorded.clip.cameras[0].T_world_cam[:3, :3] @ shift) for T in before]
    )
    return ClipEdit('move', (Subject('mug', WHITE, object_meshes(recorded, before)[0]),), poses)


@pytest.fixture(scope='module')
def moved(recorded: Recorded) -> EditOutcome:
    return edit_clip(recorded, move_left(recorded), Paster())


def test_the_meshes_of_a_bag_say_what_was_seen(recorded: Recorded) -> None:
    """The object's mesh in its own frame, put at the labelled pose, is the mesh that was recorded."""
    poses = object_poses(recorded)
    mesh = object_meshes(recorded, poses)[0]
    asset = recorded.of_object[0]
    np.testing.assert_allclose(
        apply(poses[4], mesh.vertices), apply(recorded.mesh_frames[4].poses[asset.id], asset.vertices), atol=1e-6
    )


def test_a_moved_object_is_where_it_was_moved(recorded: Recorded, moved: EditOutcome) -> None:
    """Its pose in the labels, its points, its mask and depth are all of the new place; 3 cm to the left in the view."""
    clip, before = moved.scene, object_poses(recorded)
    R = recorded.clip.cameras[0].T_world_cam[:3, :3]
    for t, labels in enumerate(clip.labels):
        np.testing.assert_allclose(labels.T_world_object[:3, 3] - before[t, :3, 3], R @ LEFT, atol=1e-9)
        own = clip.point_role == ROLE_CODE[OBJECT]
        inside = apply(invert(labels.T_world_object), clip.points[t, own])
        first = apply(invert(clip.labels[0].T_world_object), clip.points[0, own])
        np.testing.assert_allclose(inside, first, atol=1e-5)
    was, now = (np.argwhere(c.mask[0] == ROLE_CODE[OBJECT])[:, 1].mean() for c in (recorded.clip, clip))
    assert now < was - 2
    seen = [labels.objects.visibility[0] for labels in clip.labels]
    np.testing.assert_allclose(seen, [frame.visibility for frame in moved.frames], atol=0.05)
    assert [labels.hands.sides for labels in clip.labels] == [('right',)] * len(seen)


def test_masks_of_the_edit_are_those_of_the_meshes_rendered_again(moved: EditOutcome) -> None:
    """Two ways to the same mask: depth compositing in the edit, and one raster of all meshes at their new poses."""
    assert np.nanmin(moved.rerendered) > 0.95
    assert np.nanmean(moved.rerendered) > 0.985  # hand and object as deep as each other to 0.5 % differ
    assert not np.isnan(moved.rerendered).any()


def test_the_hand_that_is_nearer_stays(recorded: Recorded, moved: EditOutcome) -> None:
    """Pixels of the hand in the edited mask that were the hand's before have not changed in the least."""
    kept = 0
    for t, frame in enumerate(moved.frames):
        hand = (recorded.clip.mask[t] == ROLE_CODE[HAND]) & (moved.scene.mask[t] == ROLE_CODE[HAND])
        np.testing.assert_array_equal(frame.rgb[hand], recorded.clip.rgb[t][hand])
        kept += int(hand.sum())
    assert kept > 500


def test_contact_is_not_what_it_was(recorded: Recorded) -> None:
    """An object that leaves the hand is in contact with nothing; one that was not moved keeps all it had."""
    assert any(len(labels.contacts) for labels in recorded.clip.labels)
    assert recorded.clip.point_contact.any()
    away = edit_clip(recorded, move_left(recorded, np.array([0, 0, 0.25])), Paster()).scene
    assert not any(len(labels.contacts) for labels in away.labels)
    assert not away.point_contact.any()
    still = edit_clip(recorded, move_left(recorded, np.zeros(3)), Paster()).scene
    assert [len(labels.contacts) for labels in still.labels] == [
        len(labels.contacts) for labels in recorded.clip.labels
    ]
    np.testing.assert_array_equal(still.point_contact.any(1), recorded.clip.point_contact.any(1))


def test_what_the_object_hid_is_carried_from_other_frames(recorded: Recorded) -> None:
    """Before anything is painted, true pixels of other frames are taken; what is left is painted, nothing else is."""
    model = Paster()
    removed = edit_clip(recorded, ClipEdit('remove'), model)
    shares = [frame.carried for frame in removed.frames]
    assert max(shares) > 0.5
    for t, frame in enumerate(removed.frames):
        changed, hidden = (frame.rgb != recorded.clip.rgb[t]).any(-1), hidden_by_object(recorded.clip.mask[t])
        assert not (changed & ~hidden).any()
        painted = (frame.rgb == Paster.GROUND).all(-1).sum()
        assert painted == pytest.approx((1 - frame.carried) * hidden.sum(), abs=1)


def test_nothing_of_a_removed_object_is_left_in_the_labels(recorded: Recorded) -> None:
    clip = edit_clip(recorded, ClipEdit('remove', task='wave'), Paster()).scene
    assert not (clip.mask == ROLE_CODE[OBJECT]).any()
    assert not (clip.point_role == ROLE_CODE[OBJECT]).any()
    assert not clip.point_contact.any()
    assert not any(len(labels.objects) or len(labels.contacts) for labels in clip.labels)
    assert {labels.task for labels in clip.labels} == {'wave'}


def test_an_object_beside_the_handled_one_is_scene(recorded: Recorded) -> None:
    """The labels tell of the object that is handled: another one changes neither its pose nor its contacts."""
    pose = rigid(np.eye(3), object_poses(recorded)[0, :3, 3] + recorded.clip.cameras[0].T_world_cam[:3, 0] * 0.12)
    subject = move_left(recorded).subjects[0]
    frames = len(recorded.clip.stamps_ns)
    made = edit_clip(recorded, ClipEdit('insert', (subject,), np.repeat(pose[None], frames, 0)), Paster())
    assert made.frames[0].mask.sum() > 20
    assert (made.scene.mask[0][made.frames[0].mask] == ROLE_CODE[SCENE]).all()
    assert np.nanmin(made.rerendered) > 0.95
    for before, after, frame in zip(recorded.clip.labels, made.scene.labels, made.frames, strict=True):
        np.testing.assert_array_equal(before.T_world_object, after.T_world_object)
        assert after.objects.ids == ('object', 'inserted')
        np.testing.assert_array_equal(after.objects.T_world_object[1], pose)
        assert after.objects.visibility[0] <= before.objects.visibility[0]
        assert after.objects.visibility[1] == pytest.approx(frame.visibility, abs=0.05)
        assert len(before.contacts) == len(after.contacts)


def test_out_of_view_is_said_of_frames_and_refused_of_clips(recorded: Recorded) -> None:
    """An object that leaves the picture is not seen there; one that is never in it is refused."""
    edit = move_left(recorded)
    poses = edit.poses.copy()
    poses[1:, :3, 3] += recorded.clip.cameras[0].T_world_cam[:3, :3] @ np.array([5.0, 0, 0])
    made = edit_clip(recorded, replace(edit, poses=poses), Paster())
    assert [frame.visibility > 0 for frame in made.frames] == [True] + [False] * (len(made.frames) - 1)
    poses[0] = poses[1]
    with pytest.raises(PlacementError, match='in none of 9 frames'):
        edit_clip(recorded, replace(edit, poses=poses), Paster())


def test_it_is_told_how_deep_the_hand_is_in_the_object(recorded: Recorded, moved: EditOutcome) -> None:
    """A mug that is put over the fingers is not a grasp: the recorded one is soft by millimetres at most."""
    before = object_poses(recorded)
    was = reach_m(recorded.clip, object_meshes(recorded, before), before)
    assert was.max() < 0.005
    assert moved.reach_m.max() > was.max() + 0.002
    away = edit_clip(recorded, move_left(recorded, np.array([0, 0, 0.25])), Paster())
    assert away.reach_m.max() == 0


def test_inside_is_inside_a_closed_mesh() -> None:
    """A box: its middle and a place near a corner are inside, the same places beyond its sides are not."""
    corners = np.array([[-1, -1, -1], [1, 1, 1], [1, -1, 1]], np.float32)
    box = box_of(MeshAsset('a', 'object', corners, np.array([[0, 1, 2]], np.int32)))
    points = np.array([[0, 0, 0], [0.9, 0.9, -0.9], [1.1, 0, 0], [0, -1.1, 0], [0.9, 1.1, 0.9], [3, 3, 3]])
    np.testing.assert_array_equal(inside(points, box), [True, True, False, False, False, False])


def test_footage_without_meshes_is_moved_too(tmp_path: Path, recorded: Recorded, episode: SimulatedEpisode) -> None:
    """Without meshes masks, depth, points and contact follow from the edit and from what was seen."""
    clip = write_footage_bag(episode, tmp_path / 'clip_0000')
    footage = read_recorded(tmp_path / 'clip_0000')
    assert not footage.assets
    edit = move_left(recorded, np.array([0.15, 0, 0]))
    made, exact = edit_clip(footage, edit, Paster()), edit_clip(recorded, edit, Paster())
    own = made.scene.point_role == ROLE_CODE[OBJECT]
    for t, frame in enumerate(made.frames):
        np.testing.assert_array_equal(frame.mask, made.scene.mask[t] == ROLE_CODE[OBJECT])
        assert (made.scene.point_visible[t] & own).any() == frame.mask.any()
        np.testing.assert_array_equal(made.scene.labels[t].objects.visibility, np.float32([frame.visibility]))
    a, b = made.scene.mask == ROLE_CODE[OBJECT], exact.scene.mask == ROLE_CODE[OBJECT]
    assert (a & b).sum() / (a | b).sum() > 0.9
    assert clip.point_contact.any()
    assert not made.scene.point_contact.any()
    removed = edit_clip(footage, ClipEdit('remove'), Paster()).scene
    assert removed.points.shape[1] == (~own).sum()
    assert removed.tracks.shape[1] < clip.tracks.shape[1]


def test_the_shape_that_footage_shows_is_inside_the_true_one(
    tmp_path: Path, recorded: Recorded, episode: SimulatedEpisode
) -> None:
    """The hull of the points that are seen: nowhere beyond the true mesh's hull, and nearly as large."""
    write_footage_bag(episode, tmp_path / 'clip_0000')
    footage = read_recorded(tmp_path / 'clip_0000')
    shape = seen_shape(footage, object_poses(footage))
    true = object_meshes(recorded, object_poses(recorded))[0]
    assert (shape.vertices >= true.vertices.min(0) - 1e-4).all()
    assert (shape.vertices <= true.vertices.max(0) + 1e-4).all()
    assert (np.ptp(shape.vertices, axis=0) > 0.6 * np.ptp(true.vertices, axis=0)).all()
    corners = shape.vertices[shape.triangles]
    outwards = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    assert ((outwards * (corners[:, 0] - shape.vertices.mean(0))).sum(1) > -1e-10).all()  # slivers have no side
    clip = replace(footage.clip, point_role=np.zeros_like(footage.clip.point_role))
    none = replace(footage, scene=replace(footage.scene, clip=clip))
    with pytest.raises(PlacementError, match='12 points of the object'):
        seen_shape(none, object_poses(footage))


def test_an_object_of_several_parts_moves_as_one(tmp_path: Path) -> None:
    """A chest whose lid is opened: lid and base go the same way in every frame, as the clip has them."""
    write_episode_bag(simulated(task='open', shape='chest'), tmp_path / 'episode_0000')
    chest = read_recorded(tmp_path / 'episode_0000')
    before = object_poses(chest)
    meshes = object_meshes(chest, before)
    assert len(chest.of_object) > 1
    assert np.abs(meshes[0].vertices - meshes[-1].vertices).max() > 0.01
    edit = move_left(chest)
    made = edit_clip(chest, replace(edit, subjects=tuple(Subject('', WHITE, mesh) for mesh in meshes)), Paster())
    assert np.nanmin(made.rerendered) > 0.95
    shift = chest.clip.cameras[0].T_world_cam[:3, :3] @ LEFT
    for labels, mesh_frame in zip(made.scene.labels, chest.mesh_frames, strict=True):
        for name, pose in zip(labels.objects.ids, labels.objects.T_world_object, strict=True):
            np.testing.assert_allclose(pose[:3, 3] - mesh_frame.poses[name][:3, 3], shift, atol=1e-9)
    assert labels.objects.ids == ('object', 'object_base')
    was, now = (clip.points[:, clip.point_role == ROLE_CODE[OBJECT]].mean(1) for clip in (chest.clip, made.scene))
    np.testing.assert_allclose(now - was, np.tile(shift, (len(was), 1)), atol=2e-3)
