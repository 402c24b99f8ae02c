"""What every node of hoigen shares: lifecycle, parameters, topics from the one table, diagnostics, a clean end."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any, Generic, TypeVar

import rclpy
from rclpy.duration import Duration
from rclpy.exceptions import NameValidationException
from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode, LifecyclePublisher, LifecycleState, TransitionCallbackReturn
from rclpy.signals import SignalHandlerOptions
from rclpy.subscription import MessageInfo, Subscription

from hoigen import notices
from hoigen.messages import decode
from hoigen.records import EpisodeStatus
from hoigen.ros import convert, topics
from hoigen.ros.declare import NodeOptions
from hoigen.ros.diagnostics import Diagnostics
from hoigen.ros.parameters import Parameters
from hoigen.ros.worker import Worker
from hoigen.sources.streams.order import Refused
from hoigen.sources.streams.pairing import origin_of

C = TypeVar('C', bound=NodeOptions)
READERS_POLL_S = 0.05
ACK_S = 10.0


class ManagedNode(LifecycleNode, Generic[C]):
    """A lifecycle node around a configuration, a worker thread and topics of :mod:`hoigen.ros.topics`.

    A node overrides ``open`` (make the core, publishers, subscriptions and worker; anything raised there is a failed
    configure), and where it needs to ``start``, ``stop`` and ``release``. Callbacks run on the executor's thread and,
    but for latched topics, only while the node is active; the worker may publish. A topic is subscribed to only as long
    as it is heard, so that a publisher that counts its readers knows when it may begin.
    """

    def __init__(self, name: str, kind: type[C], **node_kwargs: Any) -> None:
        super().__init__(name, **node_kwargs)
        try:
            self._live = Parameters(self, kind)
        except ValueError as error:
            raise ValueError(f'{name}: {error}') from error
        self._publishers_by_topic: dict[str, LifecyclePublisher[Any]] = {}
        self._latched_readers: list[Subscription[Any]] = []
        self._stream_readers: list[Subscription[Any]] = []
        self._listen: list[Callable[[], Subscription[Any]]] = []
        self._heard: set[topics.Topic] = set()
        self._rivals: dict[str, str] = {}
        self._unheard: set[str] = set()
        self.worker: Worker[Any] | None = None
        self.stopping = threading.Event()
        self.configured = self.active = False
        self.diagnostics = Diagnostics(self, topics.DIAGNOSTICS.qos, self._values)

    @property
    def config(self) -> C:
        """The accepted parameters, as of now."""
        return self._live.value

    def open(self) -> None:
        """Make what the node works with; called by configure."""

    def start(self) -> None:
        """Called when the node becomes active."""

    def stop(self) -> None:
        """Called when the node is no longer active, and before it closes."""

    def release(self) -> None:
        """Let go of what ``open`` made, besides topics and worker."""

    def values(self) -> dict[str, object]:
        """The node's own diagnostics, from configure on."""
        return {}

    def advertise(self, topic: topics.Topic) -> None:
        """Make the publisher of a topic of the table."""
        self._publishers_by_topic[topic.name] = self.create_lifecycle_publisher(topic.type, topic.name, topic.qos)

    def publish(self, messages: Mapping[str, Any]) -> None:
        """Publish messages by topic name, from any thread; nothing is sent while the node is not active."""
        for name, message in messages.items():
            self._publishers_by_topic[name].publish(message)

    def publish_before(self, topic: topics.Topic, message: Any) -> None:
        """Publish a table that no later message may overtake: wait until its readers have it, but not for ever."""
        self.publish({topic.name: message})
        if not self.publisher(topic).wait_for_all_acked(Duration(seconds=ACK_S)):
            self.get_logger().warning(
                f'{topic.name}: expected its readers to acknowledge it in {ACK_S:g} s, got no answer from one; it may '
                'refuse the frames that follow'
            )

    def publisher(self, topic: topics.Topic) -> LifecyclePublisher[Any]:
        return self._publishers_by_topic[topic.name]

    def subscribe(
        self,
        topic: topics.Topic,
        callback: Callable[..., None],
        reliability: str = 'reliable',
        *,
        raw: bool = False,
        origin: bool = False,
    ) -> None:
        """Hear a topic of the table while the node is active; a latched one also before, it may not come again.

        origin: give the callback the message's :class:`Origin` (None if unknown), too.
        """

        def guarded(message: Any, info: MessageInfo) -> None:
            if self.active or topic.latched:
                self.diagnostics.received()
                callback(*((message, origin_of(info)) if origin else (message,)))

        self._heard.add(topic)
        listen = partial(
            self.create_subscription, topic.type, topic.name, guarded, topic.reader_qos(reliability), raw=raw
        )
        if topic.latched:
            self._latched_readers.append(listen())
        else:
            self._listen.append(listen)

    def publish_status(self, status: EpisodeStatus) -> None:
        """Report what became of an episode, from any thread."""
        self.publish({topics.EPISODE_STATUS.name: convert.ENCODER.episode_status(status)})

    def subscribe_to_statuses(self, callback: Callable[[EpisodeStatus], None]) -> None:
        """Hear what other nodes report of episodes."""

        def decoded(message: Any) -> None:
            try:
                callback(decode.episode_status(message))
            except ValueError as error:
                self.diagnostics.refuse('bad message', error)

        self.subscribe(topics.EPISODE_STATUS, decoded)

    def work(self, process: Callable[[Any], None], limit: int) -> None:
        """Start the node's worker; ``stopping`` tells a long ``process`` to return early."""
        self.worker = Worker(f'{self.get_name()}-worker', process, self.report, limit)
        self.stopping = self.worker.stopping

    def end_work(self) -> list[Any]:
        """End the worker after the item in progress; gives back the items that were never begun."""
        if self.worker is None:
            return []
        left = self.worker.close()
        self.worker = None
        return left

    def hand_over(self, item: Any, what: str) -> None:
        """Give the worker an item; a full queue refuses it."""
        if self.worker is not None and not self.worker.put(item):
            self.diagnostics.refuse('queue is full', what)

    def wait_for_readers(self, nodes: Collection[str]) -> None:
        """Wait, on the worker's thread, until those of ``nodes`` (names) that read our topics listen to them."""
        awaited = {
            topic: topics.readers_of(topic, nodes)
            for topic in topics.written_by(self.get_name())
            if topic.name in self._publishers_by_topic
        }
        while not self.stopping.is_set():
            self._unheard = {
                f'{reader} on {topic.name}'
                for topic, readers in awaited.items()
                for reader in readers - self._listeners(topic, len(readers))
            }
            if not self._unheard:
                return
            self.stopping.wait(READERS_POLL_S)

    def _listeners(self, topic: topics.Topic, connections: int) -> set[str]:
        """The names of those that hear a topic of ours, once it has so many connections."""
        if self.publisher(topic).get_subscription_count() < connections:
            return set()
        return {info.node_name for info in self.get_subscriptions_info_by_topic(self.resolve_topic_name(topic.name))}

    def publishers_of(self, topic: topics.Topic) -> str:
        """Who publishes a topic: the names of the nodes that are fully discovered."""
        found = self.get_publishers_info_by_topic(self.resolve_topic_name(topic.name))
        names = {info.node_name for info in found} - {'_NODE_NAME_UNKNOWN_'}
        return ', '.join(f'node {node}' for node in sorted(names))

    def report(self, error: Exception) -> None:
        """Count and log what went wrong with an item."""
        if isinstance(error, Refused):
            self.diagnostics.refuse(error.reason, error)
        else:
            self.diagnostics.fail(error)

    def _values(self) -> dict[str, object]:
        self._look_for_rivals()
        waiting = {'waiting_for': ', '.join(sorted(self._unheard))} if self._unheard else {}
        state = {
            'state': 'active' if self.active else 'inactive',
            'queue': self.worker.queued if self.worker is not None else 0,
        }
        rivals = {'two_publishers': '; '.join(f'{on}: {who}' for on, who in self._rivals.items())}
        notice = {'notice': notices.latest()} if notices.latest() else {}
        return state | waiting | notice | (rivals if self._rivals else {}) | (self.values() if self.configured else {})

    def _look_for_rivals(self) -> None:
        """Report topics on which two publish: messages of both would make no episode."""
        for topic in self._heard - {topics.EPISODE_STATUS}:
            name = self.resolve_topic_name(topic.name)
            if not self.active or not topic.writers or self.count_publishers(name) < 2:
                self._rivals.pop(topic.name, None)
                continue
            found = [info.node_name for info in self.get_publishers_info_by_topic(name)]
            if '_NODE_NAME_UNKNOWN_' in found:
                continue  # known a moment later
            allowed = 1 + (topic is topics.CAMERA_INFO and topics.PERCEPTION in found)
            named = ', '.join(f'node {node}' for node in sorted(found))
            if len(found) > allowed and self._rivals.get(topic.name) != named:
                self._rivals[topic.name] = named
                self.diagnostics.refuse(
                    'two publishers',
                    f'{topic.name}: expected one publisher, got {named}: end one '
                    'of them, or give its graph a namespace of its own',
                )

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        try:
            self.open()
        except Exception as error:
            self.diagnostics.fail(f'{self.get_name()} not configured: {error}')
            self._close()
            return TransitionCallbackReturn.FAILURE
        self.configured = True
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        result = super().on_activate(state)
        self.active = True
        self.start()
        self._stream_readers = [listen() for listen in self._listen]
        return result

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._deactivate()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._close()
        return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._close()
        return super().on_shutdown(state)

    def destroy_node(self) -> None:
        """Also ends the worker: Ctrl-C while active must not leave a thread."""
        self._close()
        super().destroy_node()

    def _deactivate(self) -> None:
        self.active = False
        while self._stream_readers:
            self.destroy_subscription(self._stream_readers.pop())
        self.stop()

    def _close(self) -> None:
        if self.active:
            self._deactivate()
        self._listen.clear()
        while self._latched_readers:
            self.destroy_subscription(self._latched_readers.pop())
        self.end_work()
        self.release()
        self.configured = False
        while self._publishers_by_topic:
            self.destroy_lifecycle_publisher(self._publishers_by_topic.popitem()[1])


def spin(make: Callable[[], LifecycleNode]) -> int:
    """Run a node until SIGINT or SIGTERM, then close it while the ROS context still works; the exit status.

    That is 1, with one line, for ROS arguments or parameters that the node cannot have.
    """
    stopped: list[int] = []  # an event has a lock: a second signal while the first one sets it would wait for ever
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: stopped.append(number))
    try:
        rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
        node = make()
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    except (RuntimeError, NameValidationException) as error:
        print(f'ROS arguments: expected ones that a node can have, got: {error}', file=sys.stderr)
        return 1
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    try:
        while not stopped:
            executor.spin_once(timeout_sec=0.2)
    finally:
        node.destroy_node()
        executor.shutdown()
        rclpy.try_shutdown(uninstall_handlers=False)  # uninstalling lets the default one act for a moment
    return 0
