"""What is made of a source's messages goes under the source's names of frames, on the topics and in the bag."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2: source install/setup.bash')
pytest.importorskip('hoigen.msg', reason='needs the built messages: source install/setup.bash')

from fake_graph import FakeGenerator, FakeInserter, FakePerceiver, fake_subject
from rclpy.lifecycle import TransitionCallbackReturn
from ros_bench import START_NS, Bench, scene

from hoigen.episodes import EpisodeReader
from hoigen.messages.encode import FrameNames
from hoigen.ros import convert, topics
from hoigen.ros.nodes.condition_builder import ConditionBuilder
from hoigen.ros.nodes.episode_recorder import EpisodeRecorder
from hoigen.ros.nodes.perception import Perception
from hoigen.ros.nodes.pose_editor import PoseEditor
from hoigen.ros.nodes.synthesizer import Synthesizer

FOREIGN = FrameNames('lab', 'head_left_optical')
IN_WORLD = {'/mesh_frame', '/camera/pose', '/labels', '/condition/points', '/condition/tracks', '/synth/labels'}


def send(bench: Bench, names: FrameNames) -> None:
    assets, frames = scene()
    bench.send_assets(assets)
    for frame in frames:
        bench.send(convert.ENCODER.frame(frame, START_NS + frame.stamp_ns, names))


def test_a_bag_names_frames_as_its_source_does(bench: Bench, tmp_path: Path) -> None:
    """Conditions, generated frames and transforms, too: a viewer finds all of them in one tree."""
    bench.up(EpisodeRecorder, out=str(tmp_path))
    bench.up(Synthesizer, lambda config: FakeGenerator(), wait_for=['episode_recorder'])
    bench.up(ConditionBuilder, points=300, tracks=20, wait_for=['episode_recorder', 'synthesizer'])
    send(bench, FOREIGN)
    bench.until(lambda: bench.count('episode_recorder', 'recorded') == 1)
    found = defaultdict(set)
    with EpisodeReader(tmp_path / 'episode_0000') as reader:
        for topic in reader.counts.keys() - {
            '/mesh_assets',
            '/synth/conditions',
            '/provenance',
            '/episode_status',
            '/tf',
        }:
            found[topic] = {message.header.frame_id for _, message in reader.messages(topic)}
        moved = [moved for _, message in reader.messages('/tf') for moved in message.transforms]
    assert {topic for topic, names in found.items() if names == {'lab'}} == IN_WORLD
    assert all(names == {'head_left_optical'} for topic, names in found.items() if topic not in IN_WORLD)
    assert {transform.header.frame_id for transform in moved} == {'lab'}
    assert 'head_left_optical' in {transform.child_frame_id for transform in moved}


def test_edits_and_what_is_perceived_keep_the_names_of_the_camera(bench: Bench) -> None:
    bench.up(
        PoseEditor,
        lambda config: (FakeInserter(), fake_subject()),
        position=[0.0, 0.0, 0.6],
        frame='camera',
        queue=64,
        inputs=['camera/image', 'camera/camera_info', 'camera/depth', 'camera/pose', 'labels'],
    )
    perception = bench.add(Perception, lambda config: FakePerceiver(), frames=5, inputs=['image', 'camera_info'])
    assert perception.trigger_configure() == TransitionCallbackReturn.SUCCESS
    assert perception.trigger_activate() == TransitionCallbackReturn.SUCCESS
    bench.connect(topics.PERCEPTION)
    send(bench, FOREIGN)
    bench.until(lambda: len(bench.heard['edit/object']) == len(bench.heard['condition/mask']) == 5)
    for name in ('edit/image', 'edit/depth', 'edit/mask', 'condition/mask', 'condition/depth'):
        assert {message.header.frame_id for message in bench.heard[name]} == {'head_left_optical'}, name
    for name in ('edit/object', 'edit/labels'):
        assert {message.header.frame_id for message in bench.heard[name]} == {'lab'}, name


@pytest.mark.parametrize('names', [FrameNames('', 'eye'), FrameNames('lab', '')])
def test_a_source_that_names_no_frame_is_refused(bench: Bench, names: FrameNames) -> None:
    """Nothing that it shows could be found in a viewer, and no guess is put in its bags."""
    node = bench.up(ConditionBuilder, points=300, tracks=20)
    errors: list[str] = []
    node.get_logger().error = errors.append
    send(bench, names)
    bench.until(lambda: bench.count('condition_builder', 'refused: bad frame') == 5)
    assert f'one {"optical" if names.world else "world"} frame, by its name' in errors[0]
