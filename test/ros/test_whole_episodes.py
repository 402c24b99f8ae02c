"""Source, condition_builder, synthesizer and recorder together: every episode is recorded whole, or not at all."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs ROS 2: source install/setup.bash')
pytest.importorskip('hoigen.msg', reason='needs the built messages: source install/setup.bash')

import rclpy
import slips
from fake_graph import FRAMES, FakeGenerator
from rclpy.lifecycle import TransitionCallbackReturn
from ros_bench import DEADLINE_S, START_NS, Bench, scene
from synthetic_scene import moving_scene

from hoigen.episodes import EpisodeReader
from hoigen.records import EpisodeState
from hoigen.ros import convert, topics
from hoigen.ros.nodes.base import ManagedNode
from hoigen.ros.nodes.condition_builder import ConditionBuilder
from hoigen.ros.nodes.episode_recorder import EpisodeRecorder
from hoigen.ros.nodes.synthesizer import Synthesizer
from hoigen.ros.options.sim_source import SimSourceOptions


class Held(FakeGenerator):
    """A model that waits with its first clip until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.go, self.begun = threading.Event(), threading.Event()

    def generate(self, *args: Any, **settings: Any) -> Any:
        self.begun.set()
        self.go.wait(DEADLINE_S)
        return super().generate(*args, **settings)


def graph(bench: Bench, output: Path, **synthesizer: Any) -> Held:
    """The nodes of sim_to_video, without its source."""
    model = Held()
    nodes = [
        bench.add(EpisodeRecorder, out=str(output)),
        bench.add(Synthesizer, lambda config: model, wait_for=['episode_recorder'], **synthesizer),
        bench.add(ConditionBuilder, points=300, tracks=20, wait_for=['episode_recorder', 'synthesizer']),
    ]
    for node in nodes:
        assert node.trigger_configure() == TransitionCallbackReturn.SUCCESS
        assert node.trigger_activate() == TransitionCallbackReturn.SUCCESS
    bench.play('sim_source')
    return model


def check(bag: Path, episode: int, frames: int = FRAMES) -> None:
    """The bag holds that episode, its own images and nothing else."""
    with EpisodeReader(bag) as reader:
        assert reader.faults() == ()
        for topic in ('labels', 'synth/labels'):
            assert [(one.episode, one.frame) for one in reader.labels(topic).values()] == [
                (episode, frame) for frame in range(frames)
            ]
        clip = reader.clip()
        assert reader.counts['/synth/image'] == frames
        np.testing.assert_array_equal(clip.rgb, np.stack([one.rgb for one in scene(episode, frames)[1]]))
        assert len(reader.assets()) == len(scene()[0])


def test_a_source_that_starts_its_clock_again_is_recorded_whole(bench: Bench, tmp_path: Path) -> None:
    """Three episodes with the same stamps, all sent before the first clip is generated."""
    model = graph(bench, tmp_path)
    for episode in range(3):
        bench.send_scene(episode, start_ns=0)
    bench.until(lambda: bench.values('synthesizer').get('held') == '[0, 1, 2]')
    model.go.set()
    bench.until(lambda: bench.count('episode_recorder', 'recorded') == 3)
    for episode in range(3):
        check(tmp_path / f'episode_{episode:04d}', episode)
    assert bench.count('episode_recorder', 'refused') == 0


def test_of_a_source_faster_than_the_model_what_is_admitted_is_recorded_whole(bench: Bench, tmp_path: Path) -> None:
    """The others are counted, and leave nothing behind."""
    model = graph(bench, tmp_path, queue=1)
    bench.send_scene(0)
    bench.until(model.begun.is_set)
    for episode in range(1, 12):
        bench.send_scene(episode, START_NS + episode * 10**9)
    bench.until(lambda: bench.count('synthesizer', 'not_admitted') == 10)
    model.go.set()
    kept = 2
    bench.until(lambda: bench.count('episode_recorder', 'recorded') == kept)
    bench.until(lambda: bench.count('episode_recorder', 'not_admitted') == 12 - kept)
    assert sorted(bag.name for bag in tmp_path.glob('*episode*')) == [f'episode_{number:04d}' for number in range(kept)]
    for episode in range(kept):
        check(tmp_path / f'episode_{episode:04d}', episode)
    assert bench.count('episode_recorder', 'failed') == 0


def test_of_an_episode_that_is_cut_the_bag_holds_what_was_generated(bench: Bench, tmp_path: Path) -> None:
    """Seven frames: five are generated, and all topics have five."""
    model = graph(bench, tmp_path)
    assets, frames = scene(0, 7)
    bench.send_assets(assets)
    for frame in frames:
        bench.send(convert.ENCODER.frame(frame, START_NS + frame.stamp_ns))
    model.go.set()
    bench.until(lambda: bench.count('episode_recorder', 'recorded') == 1)
    with EpisodeReader(tmp_path / 'episode_0000') as reader:
        assert reader.faults() == ()
        assert {
            reader.counts[f'/{name}'] for name in ('labels', 'camera/image', 'condition/points', 'synth/image', 'tf')
        } == {5}
        made = reader.provenance()
        assert made is not None
        assert 'left out at its end: 2' in made.config['left_out']
        np.testing.assert_array_equal(reader.clip().rgb, np.stack([frame.rgb for frame in frames[:5]]))
        [read] = reader.condition_images().values()
        assert list(read) == reader.clip().stamps_ns.tolist()


def test_an_episode_without_conditions_is_not_recorded_nor_waited_for(bench: Bench, tmp_path: Path) -> None:
    """Its images do not show its meshes, its table or every frame is bad; the next episode is recorded whole."""
    graph(bench, tmp_path).go.set()
    told: list[Any] = []
    bench.io.create_subscription(
        topics.EPISODE_STATUS.type, topics.EPISODE_STATUS.name, told.append, topics.EPISODE_STATUS.qos
    )
    upside_down = slips.image_upside_down(*moving_scene(5, 0.05, 96, 64))
    no_mesh, unknown = scene(), scene()
    for episode, (assets, frames) in enumerate((upside_down, no_mesh, unknown, scene(3))):
        start_ns = START_NS + episode * 10**9
        table = convert.ENCODER.assets(assets, start_ns, episode)
        table.assets[0].triangles = table.assets[0].triangles if assets is not no_mesh[0] else []
        bench.send({'mesh_assets': table})
        for frame in frames:
            labelled = replace(frame, labels=replace(frame.labels, episode=episode))
            messages = convert.ENCODER.frame(labelled, start_ns + frame.stamp_ns)
            if frames is unknown[1]:
                messages['mesh_frame'].ids[0] = 'spoon'
            bench.send(messages)
    bench.until(lambda: bench.count('episode_recorder', 'recorded') == 1)
    bench.until(lambda: bench.count('episode_recorder', 'not_admitted') == 3)
    check(tmp_path / 'episode_0003', 3)
    assert [bag.name for bag in tmp_path.glob('*episode*')] == ['episode_0003']
    bench.until(lambda: len(told) == 8)
    for node in (topics.BUILDER, topics.RECORDER):
        skipped = [one for one in told if one.node == node and one.state == EpisodeState.SKIPPED]
        for episode, (one, why) in enumerate(zip(skipped, ('upside down', 'triangles', 'spoon'), strict=True)):
            assert one.episode == episode
            assert why in one.reason
    assert bench.count('episode_recorder', 'refused') == 0
    bench.until(lambda: bench.values('synthesizer').get('held') == '[3]')


def test_of_conditions_alone_the_bag_holds_those_before_a_gap(bench: Bench, tmp_path: Path) -> None:
    """Frame 3 of five is bad: three are recorded, all topics of them; the next episode is recorded whole."""
    for node in (
        bench.add(EpisodeRecorder, out=str(tmp_path), made_by='condition_builder'),
        bench.add(ConditionBuilder, alone=True, points=300, tracks=20, wait_for=['episode_recorder']),
    ):
        assert node.trigger_configure() == TransitionCallbackReturn.SUCCESS
        assert node.trigger_activate() == TransitionCallbackReturn.SUCCESS
    bench.play('sim_source')
    assets, frames = scene(0)
    bench.send_assets(assets)
    for number, frame in enumerate(frames):
        messages = convert.ENCODER.frame(frame, START_NS + frame.stamp_ns)
        if number == 3:
            messages['mesh_frame'].ids[0] = 'spoon'
        bench.send(messages)
    bench.send_scene(1, START_NS + 10**9)
    bench.until(lambda: bench.count('episode_recorder', 'recorded') == 2)
    for episode, kept in ((0, 3), (1, FRAMES)):
        with EpisodeReader(tmp_path / f'episode_{episode:04d}') as reader:
            assert reader.faults() == ()
            clip = reader.clip()
            assert reader.counts['/mesh_frame'] == reader.counts['/tf'] == kept
        np.testing.assert_array_equal(clip.rgb, np.stack([frame.rgb for frame in scene(episode)[1][:kept]]))


class DummySource(ManagedNode[SimSourceOptions]):
    """A source that the table of topics does not name; ``told``: the episodes of which it hears that they are done."""

    def __init__(self, **node_kwargs: Any) -> None:
        super().__init__('dummy_source', SimSourceOptions, **node_kwargs)
        self.told: set[int] = set()

    def open(self) -> None:
        for topic in topics.written_by(self.get_name()):
            self.advertise(topic)
        self.subscribe_to_statuses(lambda status: self.told.add(status.episode))

    def start(self) -> None:
        self.work(self._stream, limit=1)
        self.hand_over(4, 'episode 4')

    def _stream(self, episode: int) -> None:
        self.wait_for_readers(self.config.wait_for)
        assets, frames = scene(episode)
        self.publish_before(topics.MESH_ASSETS, convert.ENCODER.assets(assets, START_NS, episode))
        for frame in frames:
            self.publish(convert.ENCODER.frame(frame, START_NS + frame.stamp_ns))


def test_a_source_that_no_table_names_is_awaited_and_recorded(bench: Bench, tmp_path: Path) -> None:
    """It takes the place of sim_source: who waits for whom holds for it, and it hears what becomes of its episodes."""
    makers = (
        bench.add(EpisodeRecorder, out=str(tmp_path), made_by='condition_builder'),
        bench.add(ConditionBuilder, alone=True, points=300, tracks=20, wait_for=['dummy_source', 'episode_recorder']),
    )
    source = bench.add(DummySource, wait_for=['condition_builder', 'episode_recorder'])
    for node in (*makers, source):
        assert node.trigger_configure() == TransitionCallbackReturn.SUCCESS
        assert node.trigger_activate() == TransitionCallbackReturn.SUCCESS
    bench.until(lambda: bench.count('episode_recorder', 'recorded') == 1)
    bench.until(lambda: source.told == {4})
    with EpisodeReader(tmp_path / 'episode_0004') as reader:
        assert reader.faults() == ()
        assert len(reader.clip().rgb) == FRAMES


def test_two_publishers_on_a_topic_are_named(bench: Bench, tmp_path: Path) -> None:
    """In diagnostics, once for each topic."""
    bench.up(EpisodeRecorder, out=str(tmp_path))
    other = rclpy.create_node('isaac', namespace=bench.namespace)
    bench.executor.add_node(other)
    publisher = other.create_publisher(topics.IMAGE.type, topics.IMAGE.name, topics.IMAGE.qos)
    bench.until(
        lambda: 'camera/image: node bench, node isaac' in bench.values('episode_recorder').get('two_publishers', '')
    )
    assert bench.count('episode_recorder', 'refused: two publishers') == 1
    other.destroy_publisher(publisher)
    bench.until(lambda: 'two_publishers' not in bench.values('episode_recorder'))
