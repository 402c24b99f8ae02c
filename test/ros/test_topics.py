"""The table of topics: both ends of each are compatible, and the nodes use it and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2: source install/setup.bash')
pytest.importorskip('hoigen.msg', reason='needs the built messages: source install/setup.bash')

from fake_graph import FakeGenerator, FakePerceiver, FakeRecording, FakeSource, fake_insertion
from rclpy.qos import QoSCompatibility, QoSProfile, ReliabilityPolicy, qos_check_compatible
from ros_bench import Bench

from hoigen.episodes.topics import PER_FRAME, TF
from hoigen.messages.topics import EDITED_CONDITIONS
from hoigen.ros import qos, topics
from hoigen.ros.nodes.base import ManagedNode
from hoigen.ros.nodes.condition_builder import ConditionBuilder
from hoigen.ros.nodes.episode_recorder import EpisodeRecorder
from hoigen.ros.nodes.perception import Perception
from hoigen.ros.nodes.pose_editor import PoseEditor
from hoigen.ros.nodes.sim_source import SimSource
from hoigen.ros.nodes.synthesizer import Synthesizer
from hoigen.ros.nodes.video_source import VideoSource
from hoigen.ros.topics import Topic

NODES: dict[str, Callable[..., ManagedNode[Any]]] = {
    topics.SOURCE: lambda **kwargs: SimSource(lambda config: FakeSource(), **kwargs),
    topics.VIDEO: lambda **kwargs: VideoSource(lambda config: FakeRecording(), **kwargs),
    topics.BUILDER: ConditionBuilder,
    topics.PERCEPTION: lambda **kwargs: Perception(FakePerceiver, **kwargs),
    topics.SYNTHESIZER: lambda **kwargs: Synthesizer(lambda config: FakeGenerator(), **kwargs),
    topics.EDITOR: lambda **kwargs: PoseEditor(fake_insertion, **kwargs),
    topics.RECORDER: EpisodeRecorder,
}
ROS_OWN = {'/rosout', '/parameter_events'}


@pytest.mark.parametrize('topic', topics.TOPICS, ids=lambda topic: topic.name)
@pytest.mark.parametrize('reliability', ['reliable', 'best_effort'])
def test_a_reader_always_connects_to_our_writer(topic: Topic, reliability: str) -> None:
    """OK, not WARNING: every policy is stated at both ends."""
    assert qos_check_compatible(topic.qos, topic.reader_qos(reliability))[0] == QoSCompatibility.OK


def test_a_reliable_reader_does_not_connect_to_a_best_effort_writer() -> None:
    """The check above can fail, and input_reliability is there for a reason."""
    foreign = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)
    assert qos_check_compatible(foreign, topics.IMAGE.reader_qos('reliable'))[0] == QoSCompatibility.ERROR
    assert qos_check_compatible(foreign, topics.IMAGE.reader_qos('best_effort'))[0] != QoSCompatibility.ERROR


def test_streams_are_deep_enough_for_the_episodes_that_may_be_under_way() -> None:
    """A reader that is busy for two clips of 17 frames loses none of them."""
    assert qos.STREAM.depth >= 2 * 17 * 2


def test_names_are_relative_and_once() -> None:
    """A namespace moves all of the graph, but for the one clock."""
    names = [topic.name for topic in topics.TOPICS]
    assert len(set(names)) == len(names)
    assert [name for name in names if name.startswith('/')] == ['/clock']


def test_the_recorder_hears_every_topic_that_a_bag_must_have() -> None:
    """The per-frame topics of an episode's bag are those of the table; only `hoigen edit` makes conditions anew."""
    heard = {f'/{topic.name}' for topic in topics.read_by(topics.RECORDER) if not topic.latched}
    assert heard == set(PER_FRAME) - {TF} - {f'/{topic.name}' for topic in EDITED_CONDITIONS}


@pytest.mark.parametrize('name', NODES)
def test_a_node_writes_and_reads_what_the_table_says(bench: Bench, tmp_path: Path, name: str) -> None:
    """Topics, types and both directions, as the ROS graph sees them."""
    output = {'out': str(tmp_path)} if name == topics.RECORDER else {}
    node = bench.add(NODES[name], **output)
    node.trigger_configure()
    node.trigger_activate()

    def seen(found: list[tuple[str, list[str]]]) -> dict[str, list[str]]:
        own = {topic.removeprefix(bench.namespace + '/'): types for topic, types in found}
        return {
            topic: types
            for topic, types in own.items()
            if topic not in ROS_OWN and '/_' not in topic and topic not in ('diagnostics', f'{name}/transition_event')
        }

    def published() -> dict[str, list[str]]:
        return seen(bench.io.get_publisher_names_and_types_by_node(name, bench.namespace))

    def subscribed() -> dict[str, list[str]]:
        return seen(bench.io.get_subscriber_names_and_types_by_node(name, bench.namespace))

    def table(rows: tuple[Topic, ...]) -> dict[str, list[str]]:
        return {topic.name: [topic.type_name] for topic in rows}

    bench.until(lambda: published() == table(topics.written_by(name)))
    bench.until(lambda: subscribed() == table(topics.read_by(name)))
