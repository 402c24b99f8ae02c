"""What somebody asks a node's worker for by an action: the job, its progress with previews, cancel and result."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.task import Future

from hoigen.ros import convert
from hoigen.sources.streams.order import Refused

if TYPE_CHECKING:
    from hoigen.ros.nodes.base import ManagedNode

__all__ = ['Cancelled', 'GoalServer', 'Job']


def _nothing(*_: Any) -> None:
    """Of a job that nobody follows."""


class Cancelled(Exception):
    """Raised after a step of a job that is cancelled, or whose node stops."""


@dataclass(eq=False, kw_only=True)
class Job:
    """Work for a node's worker, which calls ``end`` once, with what was made or the reason why nothing was.

    automatic: the stream asked for it, no goal. report: called with step, steps, seconds left and preview. cancelled:
    may be set by any thread.
    """

    automatic: bool = False
    report: Callable[[int, int, float, np.ndarray | None], None] = _nothing
    end: Callable[[Any], None] = _nothing
    cancelled: bool = False

    def follow(
        self, stopping: threading.Event, show: Callable[[dict[str, object]], None]
    ) -> Callable[[int, int, np.ndarray | None], None]:
        """What a model calls after each step; ``show`` gets the progress for the diagnostics."""
        begun_at = time.monotonic()

        def on_step(step: int, steps: int, preview: np.ndarray | None) -> None:
            if stopping.is_set() or self.cancelled:
                raise Cancelled
            eta_s = (time.monotonic() - begun_at) / step * (steps - step)
            show({'step': step, 'steps': steps, 'eta_s': f'{eta_s:.1f}'})
            self.report(step, steps, eta_s, preview)

        return on_step


J = TypeVar('J', bound=Job)


class GoalServer(ABC, Generic[J]):
    """The server of an action whose goals wait in the node's worker like every other job.

    A goal that ``check`` does not take is rejected, one that cannot be done is aborted with its reason; neither is the
    node's failure. Callbacks run on the executor's thread, feedback is sent from the worker's.
    """

    def __init__(self, node: ManagedNode[Any], action: Any, name: str, enqueue: Callable[[J], object]) -> None:
        self._node, self._action, self._name, self._enqueue = node, action, name, enqueue
        self._jobs: dict[bytes, J] = {}
        self._server = ActionServer(
            node, action, name, self._execute, goal_callback=self._on_goal, cancel_callback=self._on_cancel
        )

    @abstractmethod
    def check(self, goal: Any) -> None:
        """Raise ValueError for a goal that is to be rejected."""

    @abstractmethod
    def job(self, goal: Any) -> tuple[J, Any]:
        """The job of a goal, and the header of its previews; raises :class:`Refused` where it cannot be done."""

    @abstractmethod
    def result(self, outcome: Any) -> Any:
        """The action's result of what the job ended with; a text says why nothing was made."""

    def destroy(self) -> None:
        self._server.destroy()

    def _on_goal(self, goal: Any) -> GoalResponse:
        try:
            if not self._node.active:
                raise ValueError('expected an active node, got a goal before it is')
            self.check(goal)
        except (ValueError, RuntimeError) as error:  # a model that is not there is the latter
            self._node.get_logger().error(f'{self._name}: {error}')
            return GoalResponse.REJECT
        return GoalResponse.ACCEPT

    def _on_cancel(self, handle: ServerGoalHandle[Any, Any, Any]) -> CancelResponse:
        job = self._jobs.get(bytes(handle.goal_id.uuid))
        if job is None:
            return CancelResponse.REJECT
        job.cancelled = True
        return CancelResponse.ACCEPT

    async def _execute(self, handle: ServerGoalHandle[Any, Any, Any]) -> Any:
        key, ended = bytes(handle.goal_id.uuid), Future[Any]()
        try:
            job, head = self.job(handle.request)
        except Refused as error:
            self._node.report(error)
            return self._finish(handle, str(error))
        job.report, job.end = partial(self._feedback, handle, head), ended.set_result
        self._jobs[key] = job
        self._enqueue(job)
        outcome = await ended
        del self._jobs[key]
        return self._finish(handle, outcome)

    def _feedback(
        self,
        handle: ServerGoalHandle[Any, Any, Any],
        head: Any,
        step: int,
        steps: int,
        eta_s: float,
        preview: np.ndarray | None,
    ) -> None:
        feedback = self._action.Feedback(step=step, steps=steps, eta_s=eta_s)
        if preview is not None:
            feedback.preview = convert.ENCODER.image(preview, head)
        handle.publish_feedback(feedback)

    def _finish(self, handle: ServerGoalHandle[Any, Any, Any], outcome: Any) -> Any:
        result = self.result(outcome)
        if result.success:
            handle.succeed()
        elif handle.is_cancel_requested:
            handle.canceled()
        else:
            handle.abort()
        return result
