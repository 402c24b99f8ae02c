"""An edit to make, and the edit_pose action: progress, preview and cancel for one that somebody asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.task import Future

from hoigen.action import EditPose
from hoigen.messages import decode
from hoigen.ros import convert, topics
from hoigen.ros.edits import Instant, to_world
from hoigen.ros.nodes.base import ManagedNode
from hoigen.ros.streams import Refused

__all__ = ['CancelledEdit', 'EditPoseServer', 'Job']

ACTION = 'edit_pose'


def _nothing(*_: Any) -> None:
    """Of a job that nobody follows."""


class CancelledEdit(Exception):
    """Raised in the model's ``on_step``: nobody wants the frame any more."""


@dataclass(frozen=True, eq=False)
class Made:
    """An edited frame: its messages by topic, and how it was made, as JSON."""

    messages: dict[str, Any]
    provenance: str


Outcome = Made | str
"""What was made, or why nothing was."""


@dataclass(eq=False)
class Job:
    """A frame to edit.

    The worker calls ``report`` (step, steps, seconds left, preview) after each step, and ``end`` once, with what was
    made or the reason why nothing was; ``cancelled`` may be set by any thread. ``automatic``: nobody asked for this
    frame, it came on the stream.
    """

    instant: Instant
    T_world_object: np.ndarray
    seed: int
    steps: int | None
    automatic: bool = False
    report: Callable[[int, int, float, np.ndarray], None] = _nothing
    end: Callable[[Outcome], None] = _nothing
    cancelled: bool = False


class EditPoseServer:
    """The action server; goals wait in the node's worker like every other frame, but are not dropped for newer ones.

    Callbacks run on the executor's thread, feedback is sent from the worker's. ``find``: the instant of a stamp, 0 for
    the newest; raises :class:`Refused` where there is none. A goal with a field out of its range is rejected, one that
    cannot be done is aborted with its reason; neither is the node's failure.
    """

    def __init__(self, node: ManagedNode[Any], find: Callable[[int], Instant], enqueue: Callable[[Job], None]) -> None:
        self._node, self._find, self._enqueue = node, find, enqueue
        self._jobs: dict[bytes, Job] = {}
        self._server = ActionServer(
            node, EditPose, ACTION, self._execute, goal_callback=self._on_goal, cancel_callback=self._on_cancel
        )

    def destroy(self) -> None:
        self._server.destroy()

    def _on_goal(self, goal: EditPose.Goal) -> GoalResponse:
        if not self._node.active:
            self._node.get_logger().error(f'{ACTION}: expected an active node, got a goal before it is')
            return GoalResponse.REJECT
        try:
            self._steps(goal)
        except ValueError as error:
            self._node.get_logger().error(f'{ACTION}: {error}')
            return GoalResponse.REJECT
        return GoalResponse.ACCEPT

    def _steps(self, goal: EditPose.Goal) -> int | None:
        """As the goal asks for, else the node's; ValueError for what its parameter may not be either."""
        return replace(self._node.config, steps=goal.steps or self._node.config.steps).steps or None

    def _on_cancel(self, handle: ServerGoalHandle[Any, Any, Any]) -> CancelResponse:
        job = self._jobs.get(bytes(handle.goal_id.uuid))
        if job is None:
            return CancelResponse.REJECT
        job.cancelled = True
        return CancelResponse.ACCEPT

    async def _execute(self, handle: ServerGoalHandle[Any, Any, Any]) -> EditPose.Result:
        goal, key = handle.request, bytes(handle.goal_id.uuid)
        ended: Future[Outcome] = Future()
        try:
            instant = self._find(decode.stamp_ns(goal.pose.header))
            job = Job(
                instant,
                to_world(goal.pose, instant),
                goal.seed,
                self._steps(goal),
                report=partial(self._feedback, handle, instant),
                end=ended.set_result,
            )
        except Refused as error:
            self._node.report(error)
            return self._finish(handle, str(error))
        self._jobs[key] = job
        self._enqueue(job)
        outcome = await ended
        del self._jobs[key]
        return self._finish(handle, outcome)

    @staticmethod
    def _feedback(
        handle: ServerGoalHandle[Any, Any, Any],
        instant: Instant,
        step: int,
        steps: int,
        eta_s: float,
        preview: np.ndarray,
    ) -> None:
        handle.publish_feedback(
            EditPose.Feedback(
                step=step,
                steps=steps,
                eta_s=eta_s,
                preview=convert.ENCODER.image(preview, instant[topics.IMAGE.name].header),
            )
        )

    @staticmethod
    def _finish(handle: ServerGoalHandle[Any, Any, Any], outcome: Outcome | None) -> EditPose.Result:
        if isinstance(outcome, Made):
            handle.succeed()
            made = {name: outcome.messages[f'edit/{name}'] for name in ('image', 'depth', 'mask', 'object')}
            return EditPose.Result(success=True, message='edited', provenance=outcome.provenance, **made)
        if handle.is_cancel_requested:
            handle.canceled()
        else:
            handle.abort()
        return EditPose.Result(success=False, message=outcome or '')
