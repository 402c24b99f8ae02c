"""pose_editor alone, over real DDS, with a stand-in for the model: streams, poses in all frames, parameters."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs ROS 2: source install/setup.bash')
pytest.importorskip('hoigen.msg', reason='needs the built messages: source install/setup.bash')

from edit_bench import BEFORE, CHOSEN, FRAMES, RESULTS, editor, frames_of, head, pose, send, tell, up
from fake_graph import FakeInserter, fake_insertion, fake_subject
from PIL import Image
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.parameter import Parameter
from rclpy.serialization import serialize_message
from ros_bench import Bench, scene

from hoigen.cli import main
from hoigen.conditioning import ConditioningConfig, build_episode
from hoigen.editing.commands import verbs
from hoigen.editing.flux_insertion import inserter
from hoigen.editing.placement import PlacementError, place
from hoigen.episodes import write_episode
from hoigen.episodes.recording import open_recording
from hoigen.geometry.transforms import invert, rigid
from hoigen.messages import decode
from hoigen.messages.definitions import typestore
from hoigen.messages.encode import OPTICAL, WORLD
from hoigen.records import EpisodeState, EpisodeStatus, Objects
from hoigen.ros import convert, topics
from hoigen.ros.nodes.pose_editor import PoseEditor, chosen_subject
from hoigen.ros.options.pose_editor import PoseEditorOptions


def test_every_frame_of_a_stream_is_edited_under_its_stamp_with_true_labels(bench: Bench) -> None:
    """Picture, depth and mask agree with the mesh placed in the frame's own camera; the scene's labels stay true."""
    up(bench, position=[0.1, 0.05, 0.04], rotation_ypr=[30.0, 0.0, 0.0], seed=7)
    sent = [frame for episode in (0, 1) for frame in frames_of(episode)]
    send(bench, sent)
    bench.until(lambda: all(len(bench.heard[name]) == 2 * FRAMES for name in RESULTS))
    for name in RESULTS:
        assert [decode.stamp_ns(message.header) for message in bench.heard[name]] == [f.stamp_ns for f in sent]
    for row, frame in enumerate(sent):
        told = bench.heard['edit/object'][row]
        T = decode.pose(told.pose)
        np.testing.assert_allclose(T[:3, 3], [0.1, 0.05, 0.04])
        np.testing.assert_allclose(np.degrees(np.arctan2(T[1, 0], T[0, 0])), 30)
        want = place(fake_subject().mesh, T, frame.camera)
        mask = decode.picture(bench.heard['edit/mask'][row], ['mono8'])
        np.testing.assert_array_equal(mask, want.mask * np.uint8(255))
        depth = decode.depth(bench.heard['edit/depth'][row], far=True)
        np.testing.assert_array_equal(depth, np.where(want.mask, want.depth_m, 2.0))
        rgb = decode.rgb(bench.heard['edit/image'][row])
        assert (rgb[want.mask][4:] == [200, 0, 0]).all()
        assert (told.caption, told.visibility, told.agreement) == ('a red cube', 1.0, 1.0)
        labels = decode.labels(bench.heard['edit/labels'][row])
        np.testing.assert_allclose(labels.T_world_object, frame.labels.T_world_object, atol=1e-9)
        assert labels.objects.ids == (*frame.labels.objects.ids, 'inserted')
        np.testing.assert_allclose(labels.objects.T_world_object[-1], T)
        assert labels.objects.visibility[-1] == told.visibility
        assert (labels.episode, labels.frame, labels.last) == (row // FRAMES, row % FRAMES, row % FRAMES == 4)
    made = [json.loads(message.data) for message in bench.heard['edit/provenance']]
    assert [(p['seed'], p['config']['episode'], p['source']) for p in made] == [
        (7, 0, 'node bench'),
        (7, 1, 'node bench'),
    ]
    bench.until(lambda: len(bench.heard['episode_status']) == 2)
    assert [decode.episode_status(message) for message in bench.heard['episode_status']] == [
        EpisodeStatus('pose_editor', row // FRAMES, EpisodeState.ACCEPTED, (sent[row].stamp_ns, sent[row + 4].stamp_ns))
        for row in (0, FRAMES)
    ]


def test_an_edit_of_a_bag_holds_what_the_node_publishes(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`hoigen edit insert` and pose_editor make the same edit/* messages of the same scene, bit for bit."""
    episode = build_episode(*scene(), ConditioningConfig(points=300, tracks=20))
    write_episode(tmp_path / 'scene', episode)
    monkeypatch.setattr(inserter, 'load_inserter', lambda name: FakeInserter())
    monkeypatch.setattr(verbs, 'subject_of', lambda options, seed: fake_subject())
    pose_options = ['--frame', 'world', '--position', '0.1', '0.05', '0.04', '--rotation-ypr', '30', '0', '0']
    object_options = ['--size', '0.1', '0.1', '0.1', '--images', 'cube.png', '--seed', '7']
    arguments = [*pose_options, *object_options, '--out', str(tmp_path / 'out')]
    assert main(['edit', 'insert', str(tmp_path / 'scene'), *arguments]) == 0
    inputs = ['condition/depth', 'condition/tracks', *(name for name in CHOSEN if name != 'camera/depth')]
    up(bench, position=[0.1, 0.05, 0.04], rotation_ypr=[30.0, 0.0, 0.0], seed=7, inputs=inputs)
    for frame in map(episode.clip.row, range(FRAMES)):
        image = convert.ENCODER.image(frame.rgb, convert.ENCODER.header(frame.stamp_ns, OPTICAL))
        bench.send({'camera/image': image} | convert.ENCODER.recorded(frame))
    bench.until(lambda: all(len(bench.heard[name]) == FRAMES for name in RESULTS) and bench.heard['edit/mesh_assets'])
    recording = open_recording(tmp_path / 'out' / 'scene_inserted')
    types = typestore()
    for message in recording.messages([f'/{name}' for name in (*RESULTS, 'edit/mesh_assets')]):
        kind, published = message.topic.msgtype, bench.heard[message.topic.name.strip('/')].pop(0)
        heard = types.deserialize_cdr(serialize_message(published), kind)
        if message.topic.name == '/edit/labels':  # the node has no meshes of the others
            assert np.isnan(heard.object_visibility[0])
            known = types.deserialize_cdr(message.cdr, kind).object_visibility
            heard.object_visibility = np.append(known[:1], heard.object_visibility[1:])
        assert types.serialize_cdr(heard, kind) == message.cdr, message.topic.name  # anew: padding is any bytes
    assert not any(bench.heard[name] for name in (*RESULTS, 'edit/mesh_assets'))
    recording.close()


def test_what_is_nearer_hides_the_object(bench: Bench) -> None:
    """The depth that the camera measures decides what is before what."""
    up(bench, position=[0.0, 0.0, 0.6], frame='camera')
    send(bench, frames_of(depth_m=0.3))
    bench.until(lambda: len(bench.heard['edit/object']) == FRAMES)
    assert {message.visibility for message in bench.heard['edit/object']} == {0.0}
    assert not any(max(message.data) for message in bench.heard['edit/mask'])


def test_an_object_in_a_scene_without_one_becomes_the_labels_object(bench: Bench) -> None:
    """Where nobody tells of a handled object the labels tell of the one that is there now."""
    up(bench, position=[0.1, 0.05, 0.04])
    send(bench, [replace(frame, labels=replace(frame.labels, objects=Objects())) for frame in frames_of()])
    bench.until(lambda: len(bench.heard['edit/labels']) == FRAMES)
    labels = decode.labels(bench.heard['edit/labels'][0])
    np.testing.assert_allclose(labels.T_world_object[:3, 3], [0.1, 0.05, 0.04])
    assert labels.objects.ids == ('inserted',)


def test_poses_on_the_topic_take_over_from_their_stamps_on(bench: Bench) -> None:
    """In the world; in the camera, where it stands then, after which the object stays in the world."""
    inserter = up(bench)
    node = editor(bench)
    frames = frames_of()
    send(bench, frames[:1])
    world = rigid(np.eye(3), np.array([0.02, 0.03, 0.1]))
    tell(bench, node, pose(world, WORLD, frames[1].stamp_ns))
    tell(bench, node, pose(BEFORE, OPTICAL, frames[3].stamp_ns))
    send(bench, frames[1:])
    bench.until(lambda: len(inserter.asked) == 4)
    in_camera = frames[3].camera.T_world_cam @ BEFORE
    for asked, want in zip(inserter.asked, (world, world, in_camera, in_camera), strict=True):
        np.testing.assert_allclose(asked['T_world_object'], want, atol=1e-9)


def test_a_trajectory_runs_from_the_beginning_of_each_episode(bench: Bench, tmp_path: Path) -> None:
    """In the frame of the episode's first camera, between its poses in lines; frames after its end are refused."""
    frames = frames_of()
    seconds = (frames[2].stamp_ns - frames[0].stamp_ns) / 1e9
    path = tmp_path / 'path.csv'
    path.write_text(f't,x,y,z,qw,qx,qy,qz\n0,0,0,0.6,1,0,0,0\n{seconds},0.1,0,0.6,1,0,0,0\n')
    inserter = up(bench, trajectory=str(path), frame='camera')
    send(bench, frames)
    send(bench, frames_of(1))
    bench.until(lambda: bench.count('pose_editor', 'refused: no pose') == 4)
    bench.until(lambda: len(inserter.asked) == 6)
    places = [
        (invert(frames[0].camera.T_world_cam) @ np.asarray(asked['T_world_object']))[:3, 3]
        for asked in inserter.asked[:3]
    ]
    np.testing.assert_allclose(places, [[0, 0, 0.6], [0.05, 0, 0.6], [0.1, 0, 0.6]], atol=1e-9)
    again = invert(frames_of(1)[0].camera.T_world_cam) @ np.asarray(inserter.asked[3]['T_world_object'])
    np.testing.assert_allclose(again[:3, 3], [0, 0, 0.6], atol=1e-9)


def test_a_camera_alone_is_its_own_world(bench: Bench) -> None:
    """Without camera/pose and labels, poses are in the camera's frame, and no label is invented."""
    for topic in (topics.IMAGE, topics.CAMERA_INFO, topics.DEPTH):
        bench._publishers[topic.name] = bench.io.create_publisher(topic.type, topic.name, topic.qos)
    inserter = FakeInserter()
    node = bench.add(
        PoseEditor, lambda config: (inserter, fake_subject()), position=[0.0, 0.0, 0.6], frame='camera', queue=64
    )
    assert node.trigger_configure() == TransitionCallbackReturn.SUCCESS
    assert node.trigger_activate() == TransitionCallbackReturn.SUCCESS
    for topic in topics.written_by(topics.EDITOR):
        bench.io.create_subscription(topic.type, topic.name, bench.heard[topic.name].append, topic.qos)
    bench.until(lambda: all(p.get_subscription_count() for p in node._publishers_by_topic.values()))
    bench.until(lambda: all(p.get_subscription_count() for p in bench._publishers.values()))
    bench.until(lambda: node.count_publishers(node.resolve_topic_name('camera/depth')))
    send(bench, frames_of())
    bench.until(lambda: len(bench.heard['edit/object']) == FRAMES)
    assert {message.header.frame_id for message in bench.heard['edit/object']} == {OPTICAL}
    np.testing.assert_allclose(inserter.asked[0]['T_world_object'], BEFORE)
    assert not bench.heard['edit/labels']
    node.set_parameters([Parameter('frame', value='world')])
    send(bench, frames_of(1))
    bench.until(lambda: bench.count('pose_editor', 'refused: unknown frame') == FRAMES)


def test_what_a_graph_names_is_awaited_before_its_publisher_is_discovered(bench: Bench) -> None:
    """In pose_edit_video labels come from another node than images: edits without them would end no episode."""
    early, late = (topics.IMAGE, topics.CAMERA_INFO, topics.DEPTH), (topics.CAMERA_POSE, topics.LABELS)
    node = bench.add(
        PoseEditor, fake_insertion, position=[0.1, 0.05, 0.04], queue=64, inputs=['auto', 'camera/pose', 'labels']
    )
    assert node.trigger_configure() == TransitionCallbackReturn.SUCCESS
    assert node.trigger_activate() == TransitionCallbackReturn.SUCCESS
    bench.io.create_subscription(
        topics.EDIT_LABELS.type, 'edit/labels', bench.heard['edit/labels'].append, topics.EDIT_LABELS.qos
    )
    bench.until(lambda: node.publisher(topics.EDIT_LABELS).get_subscription_count())
    for parts in (early, late):
        bench._publishers = {t.name: bench.io.create_publisher(t.type, t.name, t.qos) for t in parts}
        bench.until(lambda: all(p.get_subscription_count() for p in bench._publishers.values()))
        bench.until(lambda: all(node.count_publishers(p.topic_name) for p in bench._publishers.values()))
        send(bench, frames_of())
    bench.until(lambda: len(bench.heard['edit/labels']) == FRAMES)


def test_without_depth_nothing_is_edited_and_the_reason_is_told(bench: Bench) -> None:
    """Depth that nobody measures is not invented."""
    bench._publishers['camera/image'] = bench.io.create_publisher(topics.IMAGE.type, 'camera/image', topics.IMAGE.qos)
    node = bench.add(PoseEditor, fake_insertion, position=[0.0, 0.0, 0.6], frame='camera')
    node.trigger_configure()
    node.trigger_activate()
    bench.until(bench.publisher('camera/image').get_subscription_count)
    send(bench, frames_of())
    bench.until(lambda: bench.count('pose_editor', 'refused: no depth') == FRAMES)


@pytest.mark.parametrize(
    ('reason', 'match', 'change'),
    [
        (
            'bad frame',
            'camera/depth at .* expected 60x40 pixels as of camera/image, got 30x20',
            lambda m: m.update(
                {'camera/depth': convert.ENCODER.image(np.ones((20, 30), np.float32), m['camera/depth'].header)}
            ),
        ),
        (
            'bad frame',
            "expected 'camera_optical' as of camera/image, got 'depth_optical'",
            lambda m: setattr(m['camera/depth'], 'header', head(m['camera/depth'], 'depth_optical')),
        ),
        (
            'bad frame',
            'a focal length, got 0, which means uncalibrated',
            lambda m: setattr(m['camera/camera_info'], 'k', np.zeros(9)),
        ),
        (
            'bad frame',
            "labels: header.frame_id: expected 'world', got 'map'",
            lambda m: setattr(m['labels'], 'header', head(m['labels'], 'map')),
        ),
        (
            'bad frame',
            'metres > 0, 0 or NaN where unknown, got',
            lambda m: m.update(
                {'camera/depth': convert.ENCODER.image(np.full((40, 60), -1, np.float32), m['camera/depth'].header)}
            ),
        ),
    ],
)
def test_an_instant_that_does_not_fit_together_is_refused(
    bench: Bench, reason: str, match: str, change: Callable[[dict[str, Any]], None]
) -> None:
    """By name, with what was expected; the next good frame is edited."""
    errors: list[str] = []
    up(bench, position=[0.0, 0.0, 0.6], frame='camera')
    node = editor(bench)
    node.get_logger().error = errors.append
    good, bad, *_ = frames_of()
    send(bench, [good])
    send(bench, [bad], change)
    bench.until(lambda: bench.count('pose_editor', f'refused: {reason}') == 1)
    assert re.search(match, errors[0]), errors
    send(bench, frames_of(1))
    bench.until(lambda: len(bench.heard['edit/image']) == 1 + FRAMES)


def test_frames_without_the_object_are_published_as_they_are_where_every_frame_is_wanted(bench: Bench) -> None:
    """With visibility 0; an episode that has it in no frame is a failure, with the reason."""
    up(bench, position=[0.0, 0.0, 0.6], frame='camera', unedited=True)
    node = editor(bench)
    frames = frames_of()
    tell(bench, node, pose(rigid(np.eye(3), np.array([9.0, 0, 0.6])), OPTICAL, frames[3].stamp_ns))
    send(bench, frames)
    bench.until(lambda: all(len(bench.heard[name]) == FRAMES for name in RESULTS))
    assert [message.visibility > 0 for message in bench.heard['edit/object']] == [True] * 3 + [False] * 2
    assert np.isnan(bench.heard['edit/object'][-1].agreement)
    np.testing.assert_array_equal(decode.rgb(bench.heard['edit/image'][-1]), frames[-1].rgb)
    bench.until(lambda: bench.count('pose_editor', 'refused: not placed') == 2)
    assert bench.count('pose_editor', 'failed') == 0
    send(bench, frames_of(1))
    bench.until(lambda: bench.count('pose_editor', 'failed') == 1)
    assert bench.message('pose_editor').startswith('episode 1: the object is in none of its frames: pose: expected')


def test_an_episode_whose_last_frame_is_not_edited_is_reported_as_skipped(bench: Bench) -> None:
    """A source that awaits what becomes of it would wait for ever."""
    up(bench, position=[0.0, 0.0, 0.6], frame='camera')
    frames = frames_of()
    away = pose(rigid(np.eye(3), np.array([9.0, 0, 0.6])), OPTICAL, frames[-1].stamp_ns)
    tell(bench, editor(bench), away)
    send(bench, frames)
    bench.until(lambda: bench.heard['episode_status'] and len(bench.heard['edit/image']) == FRAMES - 1)
    [status] = map(decode.episode_status, bench.heard['episode_status'])
    assert (status.episode, status.state) == (0, EpisodeState.SKIPPED)
    assert 'expected the object inside' in status.reason


def test_the_object_is_a_shape_a_mesh_file_or_a_size_with_pictures(tmp_path: Path) -> None:
    """By the parameters alone; what there is not is refused with what there is."""
    made = chosen_subject(PoseEditorOptions(object='bottle', seed=2))
    assert made.caption.endswith(' bottle')
    assert chosen_subject(PoseEditorOptions(object='bottle', caption='my flask')).caption == 'my flask'
    (tmp_path / 'tile.obj').write_text('v 0 0 0\nv 100 0 0\nv 100 50 0\nv 0 50 20\nf 1 2 3\nf 1 3 4\nf 1 4 2\n')
    tile = chosen_subject(PoseEditorOptions(object=str(tmp_path / 'tile.obj'), scale=0.001, caption='a tile'))
    np.testing.assert_allclose(np.ptp(tile.mesh.vertices, axis=0), [0.1, 0.05, 0.02], atol=1e-6)
    Image.fromarray(np.full((20, 16, 3), 90, np.uint8)).save(tmp_path / 'front.png')
    sized = chosen_subject(PoseEditorOptions(size=(0.1, 0.2, 0.3), images=(str(tmp_path / 'front.png'),)))
    assert not sized.exact
    np.testing.assert_allclose(np.ptp(sized.mesh.vertices, axis=0), [0.1, 0.2, 0.3], atol=1e-6)
    for config, match in (
        (PoseEditorOptions(object='botle'), "did you mean 'bottle'"),
        (PoseEditorOptions(object='nowhere.glb'), 'nowhere.glb'),
        (PoseEditorOptions(size=(0.1, 0.2, 0.3)), 'images: expected at least one'),
    ):
        with pytest.raises(PlacementError, match=match):
            chosen_subject(config)


@pytest.mark.parametrize(
    ('name', 'value', 'match'),
    [
        ('size', [1.0], 'size: expected 3 numbers X Y Z, got 1: (1.0,)'),
        ('position', [1.0, 2.0], 'position: expected 3 numbers X Y Z, got 2'),
        ('position', [0.0, 0.0, 600.0], 'they may be millimetres'),
        ('rotation_ypr', [0.0, 0.0, 90.0], 'expected either a position'),
        ('frame', 'base_link', 'frame: expected one of'),
        ('inputs', ['camera/image', 'camera/camera_info'], 'inputs: expected auto or'),
        ('inputs', ['camera/image', 'camera/camera_info', 'camera/depth', 'condition/depth'], 'inputs: expected auto'),
        ('steps', -1, 'steps: expected'),
    ],
)
def test_parameters_that_make_no_sense_are_refused(bench: Bench, name: str, value: Any, match: str) -> None:
    """By name, with what was expected."""
    node = bench.add(PoseEditor, fake_insertion)
    [refused] = node.set_parameters([Parameter(name, value=value)])
    assert not refused.successful
    assert match in refused.reason or name in refused.reason


@pytest.mark.parametrize(
    ('parameters', 'match'),
    [
        ({'model': 'huge'}, 'pose_editor not configured: model huge: expected one of insertion-tiny'),
        ({'trajectory': 'nowhere.csv'}, 'nowhere.csv: expected a trajectory'),
        ({'unedited': True}, 'expected a position or a trajectory, so that every frame has one'),
    ],
)
def test_without_weights_or_pose_the_node_refuses_to_configure(
    bench: Bench, parameters: dict[str, Any], match: str
) -> None:
    """In words that say what to do, and nothing is published as if it were there."""
    node = bench.add(PoseEditor, fake_insertion, **parameters)
    errors: list[str] = []
    node.get_logger().error = errors.append
    assert node.trigger_configure() == TransitionCallbackReturn.FAILURE
    assert match in errors[0]
