"""Brings the nodes of a graph up through their lifecycle and follows the job until its episodes are recorded."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.client import Client
from rclpy.executors import SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions
from rclpy.subscription import MessageInfo
from rich.console import Console

from hoigen.messages import decode
from hoigen.records import EpisodeState, EpisodeStatus
from hoigen.ros import topics
from hoigen.ros.awaited import Awaited
from hoigen.ros.options.conductor import ConductorOptions
from hoigen.ros.processes import NodeFailed
from hoigen.ros.progress import ProgressDisplay

SPIN_S = 0.1
START_S = CONFIGURE_S = ACTIVATE_S = 600.0
STALL_S = 900.0
MAKERS = (topics.SYNTHESIZER, topics.EDITOR)
"""The nodes that make what a job is run for; a graph has one of them, or records conditions alone."""


@dataclass(frozen=True)
class Progress:
    """Where the job stands.

    planned: episodes in all, None while the source does not know. rejected: episodes whose fidelity was too low.
    not_admitted: why nothing was made or kept of episodes: refused, too short, too many at once, with an unfit image.
    skipped: stretches of a recording that gave no clip, the last for ``reason``. fault: what is wrong with the
    recording. bag: of the last episode recorded. step of ``steps`` of the clip or frame in the making, of ``episode``;
    ``steps`` is 0 while none is. notices: what the nodes are busy with beside episodes, and what the person must know
    whose own source the graph waits for.
    """

    planned: int | None
    recorded: int
    rejected: int
    not_admitted: tuple[str, ...]
    skipped: int
    reason: str
    fault: str
    bag: str
    episode: int
    step: int
    steps: int
    eta_s: float
    notices: tuple[str, ...] = ()

    @property
    def done(self) -> int:
        """Episodes of which nothing more is to come."""
        return self.recorded + self.rejected + len(self.not_admitted) + self.skipped


class Conductor:
    """A ROS client of the graph's nodes; everything happens in the caller's thread.

    ``check`` is called all the time that something is waited for, and may raise to give up. Waiting has deadlines.
    """

    def __init__(self, nodes: Sequence[str], namespace: str, check: Callable[[], None]) -> None:
        self._context = rclpy.Context()
        rclpy.init(context=self._context, args=[], signal_handler_options=SignalHandlerOptions.NO)
        self._node = rclpy.create_node('conductor', namespace=namespace, context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._check = check
        self._clients: dict[str, Client[Any, Any]] = {
            node: self._node.create_client(ChangeState, f'{node}/change_state') for node in nodes
        }
        self._values: dict[str, dict[str, str]] = {node: {} for node in nodes}
        self._moved_at = time.monotonic()
        self._ended: dict[str, list[EpisodeStatus]] = {topics.RECORDER: [], topics.PERCEPTION: []}
        self._ended_at = 0
        self._heard_at = dict.fromkeys(nodes, 0)
        self._source = topics.source_in(nodes)
        self._awaited = Awaited(self._node, nodes) if self._source is None else None
        self._node.create_subscription(
            topics.DIAGNOSTICS.type, topics.DIAGNOSTICS.name, self._on_diagnostics, topics.DIAGNOSTICS.qos
        )
        self._node.create_subscription(
            topics.EPISODE_STATUS.type, topics.EPISODE_STATUS.name, self._on_status, topics.EPISODE_STATUS.qos
        )

    def __enter__(self) -> Conductor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._executor.shutdown()
        self._node.destroy_node()
        self._context.try_shutdown()

    def bring_up(self) -> None:
        """Configure all nodes together, then activate them one after the other."""
        nodes = list(self._clients)
        self._wait('did not start', START_S, lambda node: self._clients[node].service_is_ready(), nodes)
        self._change(nodes, Transition.TRANSITION_CONFIGURE, 'could not be configured', CONFIGURE_S)
        for node in nodes:
            self._change([node], Transition.TRANSITION_ACTIVATE, 'could not be activated', ACTIVATE_S)

    def follow(self, show: Callable[[Progress], None], planned: int = 0) -> Progress:
        """Wait until every episode that the source plans is done; where the job stands then.

        planned: episodes of a source of the user's own; without a number the job ends when it is interrupted. Raises
        :class:`NodeFailed` if one cannot be, or nothing moves any more.
        """
        self._moved_at = time.monotonic()
        while True:
            try:
                self._spin()
            except KeyboardInterrupt:
                if self._awaited is None or planned:
                    raise
                return self._progress(planned)
            for node, values in self._values.items():
                if int(values.get('failed', 0)):
                    raise NodeFailed(node, f'failed: {values["message"]}')
            progress = self._progress(planned)
            show(progress)
            done = progress.planned is not None and progress.done >= progress.planned
            if done and all(heard_at > self._ended_at for heard_at in self._heard_at.values()):
                return progress  # a node's work for the last episode may have failed: each has reported after it
            if self._awaited is None and time.monotonic() - self._moved_at > STALL_S:
                raise NodeFailed('the graph', f'has done nothing for {STALL_S:.0f} s: {self._values}')

    def _progress(self, planned: int) -> Progress:
        own: dict[str, Any] = {'planned': planned} if planned else {}
        source = own if self._source is None else self._values[self._source]
        maker = next((self._values[node] for node in MAKERS if node in self._values), {})
        recorder, skipped = self._ended[topics.RECORDER], self._ended[topics.PERCEPTION]
        count = Counter(status.state for status in recorder)
        bags = [status.reason for status in recorder if status.state is EpisodeState.RECORDED]
        return Progress(
            planned=int(source['planned']) if 'planned' in source else None,
            skipped=len(skipped),
            reason=skipped[-1].reason if skipped else '',
            fault=source.get('fault', ''),
            recorded=count[EpisodeState.RECORDED],
            rejected=count[EpisodeState.REJECTED],
            not_admitted=tuple(status.reason for status in recorder if status.state is EpisodeState.SKIPPED),
            bag=bags[-1] if bags else '',
            episode=int(maker.get('episode', 0)),
            step=int(maker.get('step', 0)),
            steps=int(maker.get('steps', 0)),
            eta_s=float(maker.get('eta_s', 0.0)),
            notices=(
                *dict.fromkeys(values['notice'] for values in self._values.values() if 'notice' in values),
                *(self._awaited.notices(self._values) if self._awaited is not None else ()),
            ),
        )

    def _on_status(self, message: Any, info: MessageInfo) -> None:
        """The recorder has the last word on an episode, but on a stretch of which there is no clip."""
        try:
            status = decode.episode_status(message)
        except ValueError:  # no node of ours; these refuse it with a line in their logs
            return
        if status.node in self._ended:
            self._ended[status.node].append(status)
            self._ended_at = max(self._ended_at, info['source_timestamp'])
            self._moved_at = time.monotonic()

    def _on_diagnostics(self, array: DiagnosticArray, info: MessageInfo) -> None:
        for status in array.status:
            node = status.name.rsplit('/', 1)[-1]
            values = {entry.key: entry.value for entry in status.values} | {'message': status.message}
            if node in self._values:
                self._heard_at[node] = info['source_timestamp']
                if _work(values) != _work(self._values[node]):
                    self._moved_at = time.monotonic()
                self._values[node] = values

    def _change(self, nodes: Sequence[str], transition: int, otherwise: str, deadline_s: float) -> None:
        request = ChangeState.Request(transition=Transition(id=transition))
        answers = {node: self._clients[node].call_async(request) for node in nodes}
        self._wait(f'{otherwise} within {deadline_s:.0f} s', deadline_s, lambda node: answers[node].done(), nodes)
        for node, answer in answers.items():
            result = answer.result()
            if result is None or not result.success:
                raise NodeFailed(node, otherwise)

    def _wait(self, otherwise: str, deadline_s: float, done: Callable[[str], bool], nodes: Sequence[str]) -> None:
        deadline = time.monotonic() + deadline_s
        while waiting := [node for node in nodes if not done(node)]:
            if time.monotonic() > deadline:
                raise NodeFailed(waiting[0], otherwise)
            self._spin()

    def _spin(self) -> None:
        self._executor.spin_once(timeout_sec=SPIN_S)
        self._check()


def conduct(job: ConductorOptions, check: Callable[[], None], console: Console) -> Progress:
    """Bring the nodes of a job up and show how it goes; where it stands at its end."""
    with Conductor(job.nodes, job.namespace, check) as conductor:
        conductor.bring_up()
        with ProgressDisplay(console) as display:
            return conductor.follow(display.show, job.episodes)


def _work(values: dict[str, Any]) -> dict[str, Any]:
    """What of a node's diagnostics changes only when it does something."""
    return {key: value for key, value in values.items() if key not in ('input_age_s', 'message')}
