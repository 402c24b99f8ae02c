"""Episodes: what the labels say is what happened, and a seed says everything."""

from __future__ import annotations

import gc
import hashlib
import subprocess
import sys
import weakref
from dataclasses import replace
from threading import Thread

import numpy as np
import pytest
from simulated_scene import SMALL, Simulated, simulate

from hoigen.conventions import HAND, OBJECT, SCENE
from hoigen.geometry.camera import project
from hoigen.geometry.transforms import apply, invert
from hoigen.sources.mujoco import TASKS, EpisodeError, MujocoConfig, MujocoSource, SimulatedEpisode, source
from hoigen.sources.mujoco.control import Keyframe, Plan
from hoigen.sources.mujoco.hand import FINGER_JOINTS, HAND_JOINTS
from hoigen.sources.mujoco.source import pose_data


def test_frames_and_labels_agree(lifted_ball: Simulated) -> None:
    """Stamps, counts, names and the last mark: what a recorder and a trainer rely on."""
    episode, frames = lifted_ball.episode, lifted_ball.frames
    assert [frame.stamp_ns for frame in frames] == [125_000_000 * k for k in range(17)]
    assert [frame.labels.frame for frame in frames] == list(range(17))
    assert [frame.labels.last for frame in frames] == [False] * 16 + [True]
    assert {frame.labels.episode for frame in frames} == {5}
    assert frames[0].labels.joints.names == frames[0].labels.action.names == HAND_JOINTS
    assert frames[0].labels.action.units[:7] == ('m', 'm', 'm', 'rad', 'rad', 'rad', 'rad')
    assert (episode.task, episode.shape) == ('lift', 'ball')
    assert frames[0].labels.task == episode.plan.sentence
    assert f'lift the {episode.scene.colour} ball and carry it' in episode.plan.sentence


def test_every_asset_has_a_pose_and_the_object_asset_is_the_labelled_one(lifted_ball: Simulated) -> None:
    """A mesh without a pose cannot be drawn; the object's label is the pose of its mesh."""
    ids = {asset.id for asset in lifted_ball.episode.assets}
    assert {asset.role for asset in lifted_ball.episode.assets} == {SCENE, HAND, OBJECT}
    for frame in lifted_ball.frames:
        assert set(frame.poses) == ids
        np.testing.assert_array_equal(frame.poses['object'], frame.labels.T_world_object)


def test_the_ball_is_lifted_by_the_hand(lifted_ball: Simulated) -> None:
    """The object rests until it is touched, then rises by more than 4 cm with contacts to the end."""
    track = lifted_ball.object_track()
    counts = [len(frame.labels.contacts.forces_n) for frame in lifted_ball.frames]
    first = next(k for k, count in enumerate(counts) if count)
    assert np.ptp(track[:first], axis=0).max() < 2e-3
    assert track[-1, 2] - track[0, 2] > 0.04
    assert all(counts[11:])


def test_contacts_lie_on_the_ball_and_point_out_of_it(lifted_ball: Simulated) -> None:
    """Normals go from object to hand, forces push; places lie on the soft surface."""
    radius = lifted_ball.episode.scene.thing.width / 2
    for frame in lifted_ball.frames[11:]:
        contacts, centre = frame.labels.contacts, frame.labels.T_world_object[:3, 3]
        outward = contacts.positions_m - centre
        np.testing.assert_allclose(np.linalg.norm(outward, axis=1), radius, atol=2.5e-3)
        np.testing.assert_allclose(contacts.normals, outward / np.linalg.norm(outward, axis=1)[:, None], atol=0.02)
        assert (contacts.forces_n > 0).all()
        assert contacts.forces_n.sum() > 0.5
        assert {first for first, _ in contacts.bodies} == {'object'}
        assert {second for _, second in contacts.bodies} <= set(frame.poses)
        deep = radius - np.linalg.norm(outward, axis=1)  # a contact lies half-way between the two surfaces
        np.testing.assert_allclose(contacts.penetration_m, np.maximum(2 * deep, 0), atol=1e-4)


def test_the_hand_is_labelled_where_its_bones_are(lifted_ball: Simulated) -> None:
    """Joints are as far from each other as bones are long, tips are just under the skin, pixels where these are."""
    meshes = {asset.id: asset.vertices for asset in lifted_ball.episode.assets}
    for frame in lifted_ball.frames[::8]:
        hands = frame.labels.hands
        assert hands.sides == ('right',)
        np.testing.assert_array_equal(hands.T_world_wrist[0], frame.poses['hand/palm'])
        bones = np.linalg.norm(np.diff(hands.keypoints_m[0, 1:].reshape(5, 4, 3), axis=1), axis=2)
        np.testing.assert_allclose(bones, [[0.038, 0.032, 0.0275], *[[0.045, 0.025, 0.026]] * 4], atol=1e-5)
        for keypoint, bone in ((4, 'hand/thdistal'), (8, 'hand/ffdistal'), (20, 'hand/lfdistal')):
            tip = apply(invert(frame.poses[bone]), hands.keypoints_m[0, keypoint])
            assert 0.003 < meshes[bone][:, 2].max() - tip[2] < 0.008, bone
        np.testing.assert_allclose(hands.pixels[0], project(frame.camera, hands.keypoints_m[0])[0], atol=1e-3)


def test_visibility_is_what_the_hand_leaves_to_be_seen(lifted_ball: Simulated) -> None:
    """MuJoCo's own segmentation, against the disc that a ball of its size would show, says the same."""
    scene, data = lifted_ball.episode.scene, source.mujoco.MjData(lifted_ball.episode.scene.model)
    seen = np.array([frame.labels.objects.visibility for frame in lifted_ball.frames])
    assert {frame.labels.objects.ids for frame in lifted_ball.frames} == {('object',)}
    assert seen[0] > 0.95
    assert seen.min() < 0.85
    pose_data(scene, data, lifted_ball.episode.steps[-1])
    geoms = lifted_ball.episode.renderer.geoms(scene, data, lifted_ball.frames[-1].camera)
    radius, T = scene.thing.width / 2, lifted_ball.frames[-1].labels.T_world_object
    camera = lifted_ball.frames[-1].camera
    away = np.linalg.norm(T[:3, 3] - camera.T_world_cam[:3, 3])
    whole = np.pi * (camera.K[0, 0] * radius) ** 2 / (away**2 - radius**2)  # of a disc in the image's centre
    assert abs(np.isin(geoms, scene.thing_geoms).sum() / whole - seen[-1, 0]) < 0.1


def test_contact_forces_carry_the_ball(lifted_ball: Simulated) -> None:
    """Held still in the air, normal forces and friction balance the weight: normals alone must not exceed it wildly."""
    mass = lifted_ball.episode.scene.model.body_subtreemass[lifted_ball.episode.scene.thing_body]
    last = lifted_ball.frames[-1].labels.contacts
    net = (last.normals * -last.forces_n[:, None]).sum(0)
    assert np.linalg.norm(net) < last.forces_n.sum()
    assert last.forces_n.sum() > mass * 9.81 / 1.3  # friction of at most 1.3 cannot hold it with less


def test_action_leads_the_joints(lifted_ball: Simulated) -> None:
    """Actions are commands in the joints' own order: the arm follows them to millimetres and milliradians."""
    arm = np.array([frame.labels.joints.positions[:6] - frame.labels.action.values[:6] for frame in lifted_ball.frames])
    assert np.abs(arm[[0, -1]]).max() < 5e-3
    assert np.abs(arm).max() < 0.05


@pytest.mark.parametrize('task', [name for name in TASKS if name != 'lift'])
def test_other_tasks_are_done(task: str) -> None:
    """Each task gives a clip, within a few attempts, that meets its own check."""
    episode = MujocoSource(MujocoConfig(**SMALL, task=task, attempts=6)).episode(1)
    assert episode.task == task
    assert TASKS[task].failed(episode.steps) is None


def test_hand_and_object_are_seen_in_every_frame(lifted_ball: Simulated) -> None:
    """MuJoCo's own segmentation at full size shows both, and the first frame shows the object well."""
    episode, scene = lifted_ball.episode, lifted_ball.episode.scene
    data = source.mujoco.MjData(scene.model)
    for number, (step, frame) in enumerate(zip(episode.steps, lifted_ball.frames, strict=True)):
        pose_data(scene, data, step)
        geoms = episode.renderer.geoms(scene, data, frame.camera)
        shares = [np.isin(geoms, own).mean() for own in (scene.hand_geoms, scene.thing_geoms)]
        assert shares[0] > 0.025
        assert shares[1] > (0.005 if number else 0.018)
        assert sum(shares) > 0.10


def digest(episode: SimulatedEpisode) -> tuple:
    return tuple(
        (
            f.rgb.tobytes(),
            f.labels.joints.positions.tobytes(),
            f.labels.contacts.forces_n.tobytes(),
            f.camera.T_world_cam.tobytes(),
        )
        for f in episode.frames()
    )


def test_same_seed_same_bytes_from_any_thread(lifted_ball: Simulated) -> None:
    """Another source, another thread, another episode in between: the same episode bit for bit."""
    made: list[tuple] = []

    def work() -> None:
        other = MujocoSource(lifted_ball.episode.config)
        other.episode(9)
        made.append(digest(other.episode(3, 5)))

    thread = Thread(target=work)
    thread.start()
    thread.join()
    assert made == [digest(lifted_ball.episode)]


def test_same_seed_same_bytes_in_another_process(lifted_ball: Simulated) -> None:
    """What was trained on can be made again tomorrow."""
    code = (
        'import hashlib; from hoigen.sources.mujoco import *; '
        f'source = MujocoSource({lifted_ball.episode.config!r}); '
        'print(hashlib.sha256(b"".join(f.rgb.tobytes() for f in source.episode(3, 5).frames())).hexdigest())'
    )
    said = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, timeout=600, check=True)
    own = hashlib.sha256(b''.join(frame.rgb.tobytes() for frame in lifted_ball.frames)).hexdigest()
    assert said.stdout.strip() == own


def test_another_seed_another_episode(lifted_ball: Simulated) -> None:
    """Seeds, indices and splits each give another clip."""
    for other in (
        simulate(4, 5, task='lift', shape='ball'),
        simulate(3, 6, task='lift', shape='ball'),
        simulate(3, 5, task='lift', shape='ball', split='heldout'),
    ):
        assert not np.array_equal(other.frames[0].rgb, lifted_ball.frames[0].rgb)


def test_an_episode_leaves_nothing_behind() -> None:
    """Of a thousand episodes a process holds what one needs: scenes are freed, but for the one that was drawn last."""
    made = MujocoSource(MujocoConfig(**SMALL))
    scenes = []
    for index in range(3):
        episode = made.episode(3, index)
        next(episode.frames())
        scenes.append((weakref.ref(episode.scene), weakref.ref(episode)))
    del episode
    gc.collect()
    assert [scene() is None for scene, _ in scenes] == [True, True, False]
    assert [kept() is None for _, kept in scenes] == [True] * 3


def test_longer_clips_show_the_whole_interaction() -> None:
    """The motion is stretched to the clip: 33 frames at 8 Hz still begin untouched and end lifted."""
    clip = simulate(2, task='lift', shape='can', frames=33)
    assert clip.frames[-1].stamp_ns == 4_000_000_000
    assert len(clip.frames[0].labels.contacts.forces_n) == 0
    assert clip.object_track()[-1, 2] - clip.object_track()[0, 2] > 0.04


def test_ego_camera_sways_and_fixed_ones_stand_still(lifted_ball: Simulated) -> None:
    """A moving camera has to be labelled frame by frame."""
    ego = np.array([c.T_world_cam[:3, 3] for c in MujocoSource(MujocoConfig(**SMALL, camera='ego')).episode(2).cameras])
    assert 2e-3 < np.ptp(ego, axis=0).max() < 0.08
    assert len({frame.camera.T_world_cam.tobytes() for frame in lifted_ball.frames}) == 1


def test_a_grasp_that_fails_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hand that never closes gives no clip, and the error says why."""
    plan = TASKS['lift'].plan

    def open_handed(*arguments: object) -> Plan:
        real = plan(*arguments)  # type: ignore[arg-type]
        fingers = real.keyframes[0].target[-len(FINGER_JOINTS) :]
        keys = tuple(Keyframe(key.time, np.r_[key.target[: -len(FINGER_JOINTS)], fingers]) for key in real.keyframes)
        return replace(real, keyframes=keys)

    monkeypatch.setitem(TASKS, 'lift', replace(TASKS['lift'], plan=open_handed))
    with pytest.raises(EpisodeError, match=r'lift with a can, seed 0, index 0: none of 2 attempts.*not lifted'):
        MujocoSource(MujocoConfig(**SMALL, task='lift', shape='can', attempts=2)).episode(0)
