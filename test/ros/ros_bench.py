"""A test's own ROS node beside the nodes under test: it sends, listens, and waits for conditions with a deadline."""

from __future__ import annotations

import itertools
import os
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import rclpy
from fake_graph import FRAMES, FakeSource
from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.parameter import Parameter
from rclpy.signals import SignalHandlerOptions

from hoigen.records import EpisodeState, EpisodeStatus, MeshAsset, SceneFrame
from hoigen.ros import convert, topics
from hoigen.ros.nodes.base import ManagedNode

N = TypeVar('N', bound=ManagedNode[Any])
DEADLINE_S = 600.0
START_NS = 2_000_000_000
COUNT = itertools.count()
BY_NAME = {topic.name: topic for topic in topics.TOPICS}


class Bench:
    """Runs nodes and its own in one executor, on real DDS, in a namespace that no other test has.

    (rclpy keeps the services of a lifecycle node until it is collected: the next test's clients would find them.)
    """

    def __init__(self) -> None:
        rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
        self.namespace = f'/test_{os.getpid()}_{next(COUNT)}'
        self.executor = SingleThreadedExecutor()
        self.io = rclpy.create_node('bench', namespace=self.namespace)
        self.executor.add_node(self.io)
        self.heard: dict[str, list[Any]] = defaultdict(list)
        self.status: dict[str, Any] = {}
        self._publishers: dict[str, Any] = {}
        self.io.create_subscription(
            topics.DIAGNOSTICS.type, topics.DIAGNOSTICS.name, self._on_diagnostics, topics.DIAGNOSTICS.qos
        )

    def close(self) -> None:
        for node in self.executor.get_nodes():
            node.destroy_node()
        self.executor.shutdown()
        rclpy.shutdown()

    def add(self, make: Callable[..., N], *args: Any, **parameters: Any) -> N:
        """A node under test, not configured yet."""
        overrides = [Parameter(name, value=value) for name, value in parameters.items()]
        node = make(*args, namespace=self.namespace, parameter_overrides=overrides)
        self.executor.add_node(node)
        return node

    def up(self, make: Callable[..., N], *args: Any, **parameters: Any) -> N:
        """A node under test, active, that hears this bench and is heard by it."""
        node = self.add(make, *args, **parameters)
        assert node.trigger_configure() == TransitionCallbackReturn.SUCCESS
        assert node.trigger_activate() == TransitionCallbackReturn.SUCCESS
        self.connect(node.get_name())
        return node

    def connect(self, name: str) -> None:
        """Publish what the node called ``name`` reads, listen to what it writes, wait until both are connected.

        One that is not active reads nothing but the latched topics.
        """
        for topic in topics.read_by(name):
            self._publishers.setdefault(topic.name, self.io.create_publisher(topic.type, topic.name, topic.qos))
        listening = [
            self.io.create_subscription(topic.type, topic.name, self.heard[topic.name].append, topic.qos)
            for topic in topics.written_by(name)
        ]
        self.until(
            lambda: (
                self.hears(name)
                and all(self.io.count_publishers(subscription.topic_name) for subscription in listening)
            )
        )

    def hears(self, name: str) -> bool:
        """Whether the node called ``name`` hears this bench on all topics that it reads as it is."""
        node = next(node for node in self.executor.get_nodes() if node.get_name() == name)
        return all(
            self._publishers[topic.name].get_subscription_count()
            for topic in topics.read_by(name)
            if topic.latched or (isinstance(node, ManagedNode) and node.active)
        )

    def play(self, name: str) -> None:
        """Publish what the node called ``name`` writes, to the other nodes under test, once they all listen."""
        nodes = {node.get_name() for node in self.executor.get_nodes()}
        written = topics.written_by(name)
        for topic in written:
            self._publishers[topic.name] = self.io.create_publisher(topic.type, topic.name, topic.qos)
        self.until(
            lambda: all(
                self._publishers[topic.name].get_subscription_count() >= len(nodes & set(topic.readers))
                for topic in written
            )
        )

    def until(self, condition: Callable[[], object], deadline_s: float = DEADLINE_S) -> None:
        """Spin until the condition holds; fails the test at the deadline."""
        end = time.monotonic() + deadline_s
        while not condition():
            assert time.monotonic() < end, f'nothing after {deadline_s} s; diagnostics: {self.status}'
            self.executor.spin_once(timeout_sec=0.02)

    def publisher(self, name: str) -> Any:
        return self._publishers[name]

    def send(self, messages: Mapping[str, Any]) -> None:
        for name, message in messages.items():
            if name in self._publishers:
                self._publishers[name].publish(message)

    def send_scene(self, episode: int = 0, start_ns: int = START_NS) -> list[SceneFrame]:
        """Send a whole episode as a source does; the frames that were sent."""
        assets, frames = scene(episode)
        self.send_assets(assets, start_ns, episode)
        for frame in frames:
            self.send(convert.ENCODER.frame(frame, start_ns + frame.stamp_ns))
        return frames

    def send_assets(self, assets: tuple[MeshAsset, ...], start_ns: int = START_NS, episode: int = 0) -> None:
        self.send({'mesh_assets': convert.ENCODER.assets(assets, start_ns, episode)})

    def count(self, node: str, key: str) -> int:
        """A number of the node's last diagnostics."""
        return int(self.values(node).get(key, 0))

    def message(self, node: str) -> str:
        """The summary of the node's last diagnostics."""
        return self.status[node].message if node in self.status else ''

    def values(self, node: str) -> dict[str, str]:
        status = self.status.get(node)
        return {entry.key: entry.value for entry in status.values} if status else {}

    def _on_diagnostics(self, message: Any) -> None:
        for status in message.status:
            self.status[status.name.rsplit('/', 1)[-1]] = status


def wait(condition: Callable[[], object]) -> None:
    """Wait, on the thread of a node's worker, until a condition holds that the executor's thread fulfils."""
    end = time.monotonic() + DEADLINE_S
    while not condition() and time.monotonic() < end:
        time.sleep(0.005)


def ended(
    episode: int,
    state: EpisodeState = EpisodeState.ACCEPTED,
    stamps_ns: tuple[int, int] = (0, 0),
    *,
    node: str = topics.SYNTHESIZER,
    frames: int | None = None,
    reason: str = '',
) -> dict[str, Any]:
    """What a node reports of an episode, by topic."""
    status = EpisodeStatus(node, episode, state, stamps_ns, frames, reason)
    return {topics.EPISODE_STATUS.name: convert.ENCODER.episode_status(status)}


def scene(episode: int = 0, frames: int = FRAMES) -> tuple[tuple[MeshAsset, ...], list[SceneFrame]]:
    """The assets and frames of a small episode."""
    made = FakeSource(frames).episode(0, episode)
    return made.assets, list(made.frames())
