"""sim_source alone, over real DDS: what it streams, when it begins, how far ahead it goes."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs ROS 2: source install/setup.bash')
pytest.importorskip('hoigen.msg', reason='needs the built messages: source install/setup.bash')

from fake_graph import FakeSource
from rclpy.lifecycle import LifecyclePublisher, TransitionCallbackReturn
from rclpy.parameter import Parameter
from ros_bench import Bench, ended, scene

from hoigen.messages import decode
from hoigen.records import EpisodeState
from hoigen.ros import topics
from hoigen.ros.nodes.sim_source import SimSource
from hoigen.sources.mujoco import first_stamp_ns

FRAMES = 5
PER_FRAME = tuple(
    topic.name for topic in topics.written_by(topics.SOURCE) if topic not in (topics.MESH_ASSETS, topics.CLOCK)
)


def start(bench: Bench, **parameters: Any) -> SimSource:
    """The node, active, after this bench listens: nothing of the stream is missed."""
    node = bench.add(SimSource, lambda config: FakeSource(), **{'frames': FRAMES, 'rate': 0.0} | parameters)
    assert node.trigger_configure() == TransitionCallbackReturn.SUCCESS
    bench.connect(topics.SOURCE)
    bench.until(lambda: all(node.publisher(t).get_subscription_count() for t in topics.written_by(topics.SOURCE)))
    assert node.trigger_activate() == TransitionCallbackReturn.SUCCESS
    bench.until(lambda: bench.hears(topics.SOURCE))
    return node


def episodes(bench: Bench) -> list[int]:
    return [message.episode for message in bench.heard['labels'] if message.last]


def test_the_stream_is_the_simulators_frames_with_rising_stamps(bench: Bench) -> None:
    """Every per-frame topic has every frame under one stamp; the mesh table of an episode carries its first."""
    node = start(bench, episodes=2, first_episode=3)
    bench.until(lambda: all(len(bench.heard[name]) == 2 * FRAMES for name in PER_FRAME))
    want = [
        first_stamp_ns(index, node.config.frames, node.config.frame_rate) + frame.stamp_ns
        for index in (3, 4)
        for frame in scene()[1]
    ]
    assert want == sorted(want)
    for name in PER_FRAME:
        assert [decode.stamp_ns(message.header) for message in bench.heard[name]] == want
    assert [decode.stamp_ns(message.header) for message in bench.heard['mesh_assets']] == [want[0], want[FRAMES]]
    got = decode.scene_frame({name: bench.heard[name][FRAMES + 2] for name in PER_FRAME})
    sent = scene(4)[1][2]
    np.testing.assert_array_equal(got.rgb, sent.rgb)
    np.testing.assert_allclose(got.poses['ball'], sent.poses['ball'], atol=1e-12)
    assert (got.labels.episode, got.labels.frame) == (4, 2)


def test_a_mesh_table_that_is_not_acknowledged_is_reported(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one line; the frames are sent all the same."""
    monkeypatch.setattr(LifecyclePublisher, 'wait_for_all_acked', lambda *_: False)
    warnings: list[str] = []
    monkeypatch.setattr(SimSource, 'get_logger', lambda node: SimpleNamespace(warning=warnings.append))
    start(bench, episodes=1)
    bench.until(lambda: all(len(bench.heard[name]) == FRAMES for name in PER_FRAME))
    assert [line.split(':')[0] for line in warnings] == ['mesh_assets']


def test_it_waits_for_the_graph_before_it_begins(bench: Bench) -> None:
    """With wait_for nothing is streamed, and the diagnostics say who is missing."""
    start(bench, episodes=1, wait_for=['condition_builder'])
    bench.until(lambda: 'condition_builder on mesh_frame' in bench.values('sim_source').get('waiting_for', ''))
    assert not bench.heard['labels']


def test_it_goes_no_further_ahead_than_it_may(bench: Bench) -> None:
    """An episode begins only when few enough are unfinished: that is what bounds the queues behind."""
    start(bench, episodes=4, ahead=2)
    bench.until(lambda: episodes(bench) == [0, 1])
    bench.until(lambda: bench.count('sim_source', 'episodes') == 2)
    bench.send(ended(0))
    bench.until(lambda: episodes(bench) == [0, 1, 2])
    bench.send(ended(0))  # once more: an episode ends once
    bench.send(ended(1))
    bench.until(lambda: episodes(bench) == [0, 1, 2, 3])


@pytest.mark.parametrize('state', [EpisodeState.REJECTED, EpisodeState.SKIPPED, EpisodeState.FAILED])
def test_an_episode_of_which_nothing_is_made_holds_up_no_other(bench: Bench, state: EpisodeState) -> None:
    """Whoever reports that it has ended. A status that is none is refused."""
    start(bench, episodes=2, ahead=1)
    bench.until(lambda: episodes(bench) == [0])
    unknown = ended(0)
    unknown['episode_status'].state = 99
    bench.send(unknown)
    bench.until(lambda: bench.count('sim_source', 'refused: bad message') == 1)
    assert episodes(bench) == [0]
    bench.send(ended(0, state))
    bench.until(lambda: episodes(bench) == [0, 1])


def test_the_pace_follows_the_rate(bench: Bench) -> None:
    """At rate 0.5 the last frame of half a second of scene cannot come before a whole second has passed."""
    begun = time.monotonic()
    start(bench, episodes=1, rate=0.5)
    bench.until(lambda: episodes(bench) == [0])
    assert time.monotonic() - begun >= 1.0


def test_an_episode_that_cannot_be_simulated_is_an_error_and_the_next_is_streamed(bench: Bench) -> None:
    """The simulator's own words reach the diagnostics."""

    class Clumsy(FakeSource):
        def episode(self, seed: int, index: int) -> Any:
            if index == 0:
                raise RuntimeError('none of 25 attempts was good')
            return super().episode(seed, index)

    node = bench.add(SimSource, lambda config: Clumsy(), episodes=2, rate=0.0)
    node.trigger_configure()
    bench.connect(topics.SOURCE)
    node.trigger_activate()
    bench.until(lambda: bench.count('sim_source', 'failed') == 1)
    bench.until(lambda: episodes(bench) == [1])


def test_deactivated_it_stops_and_goes_on_with_the_next_episode(bench: Bench) -> None:
    """An episode in progress ends where it is; no half of one is sent as if it were whole."""
    node = start(bench, episodes=2, rate=0.0001)
    bench.until(lambda: bench.heard['labels'])
    node.trigger_deactivate()
    node.set_parameters([Parameter('rate', value=0.0)])
    node.trigger_activate()
    bench.until(lambda: episodes(bench) == [1])
    assert len(bench.heard['labels']) < 2 * FRAMES
