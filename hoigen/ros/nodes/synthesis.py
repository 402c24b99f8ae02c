"""A clip to generate, and the synthesize action: progress, preview and cancel for one that somebody asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.task import Future

from hoigen.action import Synthesize
from hoigen.records import GeneratedClip
from hoigen.ros import convert, topics
from hoigen.ros.clips import Rows
from hoigen.ros.nodes.base import ManagedNode
from hoigen.video.faithful import FidelityTooLow
from hoigen.video.sampling import Acceptance, Sampling

ACTION = 'synthesize'


def _nothing(*_: Any) -> None:
    """Of a job that nobody follows."""


class CancelledJob(Exception):
    """Raised in a generator's ``on_step``: nobody wants the clip any more."""


Outcome = GeneratedClip | FidelityTooLow | str
"""A clip, or why there is none."""


@dataclass(eq=False)
class Job:
    """A clip to generate.

    The worker calls ``report`` (step, steps, seconds left, preview) after each step, and ``end`` once, with the clip
    or the reason why there is none; ``cancelled`` may be set by any thread. ``automatic``: nobody asked for the clip,
    so if it is rejected, the episode stays without one. ``left_out``: what of the episode the rows leave out.
    """

    episode: int
    rows: Rows
    seed: int
    sampling: Sampling
    acceptance: Acceptance
    prompt: str = ''
    left_out: str = ''
    automatic: bool = False
    report: Callable[[int, int, float, np.ndarray | None], None] = _nothing
    end: Callable[[Outcome], None] = _nothing
    cancelled: bool = False


class SynthesizeServer:
    """The action server; goals wait in the node's worker like every other clip.

    Callbacks run on the executor's thread, feedback is sent from the worker's. ``episodes``: what can be generated.
    """

    def __init__(self, node: ManagedNode[Any], episodes: Mapping[int, Rows], enqueue: Callable[[Job], bool]) -> None:
        self._node, self._episodes, self._enqueue = node, episodes, enqueue
        self._jobs: dict[bytes, Job] = {}
        self._server = ActionServer(
            node, Synthesize, ACTION, self._execute, goal_callback=self._on_goal, cancel_callback=self._on_cancel
        )

    def destroy(self) -> None:
        self._server.destroy()

    def _on_goal(self, goal: Synthesize.Goal) -> GoalResponse:
        if not (self._node.active and goal.episode in self._episodes):
            self._node.get_logger().error(
                f'synthesize: expected one of the episodes {list(self._episodes)} and an '
                f'active node, got {goal.episode}'
            )
            return GoalResponse.REJECT
        try:
            self._settings(goal)
        except ValueError as error:
            self._node.get_logger().error(f'synthesize: {error}')
            return GoalResponse.REJECT
        return GoalResponse.ACCEPT

    def _settings(self, goal: Synthesize.Goal) -> tuple[Sampling, Acceptance]:
        """The node's own, changed by what the goal asks for; ValueError for what its parameters may not be either."""
        asked = {name: getattr(goal, name) for name in ('steps', 'min_fidelity', 'tries') if getattr(goal, name)}
        if asked.get('min_fidelity', 0.0) < 0:
            asked['min_fidelity'] = 0.0
        config = replace(self._node.config, **asked)
        return config.sampling(), config.acceptance()

    def _on_cancel(self, handle: ServerGoalHandle[Any, Any, Any]) -> CancelResponse:
        job = self._jobs.get(bytes(handle.goal_id.uuid))
        if job is None:
            return CancelResponse.REJECT
        job.cancelled = True
        return CancelResponse.ACCEPT

    async def _execute(self, handle: ServerGoalHandle[Any, Any, Any]) -> Synthesize.Result:
        goal = handle.request
        ended: Future[Outcome] = Future()
        rows = self._episodes.get(goal.episode, ())
        job = Job(
            goal.episode,
            rows,
            goal.seed,
            *self._settings(goal),
            goal.prompt,
            report=partial(self._feedback, handle, rows),
            end=ended.set_result,
        )
        key = bytes(handle.goal_id.uuid)
        self._jobs[key] = job
        outcome = await ended if self._enqueue(job) else 'too many clips wait already'
        del self._jobs[key]
        return self._finish(handle, outcome)

    def _feedback(
        self,
        handle: ServerGoalHandle[Any, Any, Any],
        rows: Rows,
        step: int,
        steps: int,
        eta_s: float,
        preview: np.ndarray | None,
    ) -> None:
        feedback = Synthesize.Feedback(step=step, steps=steps, eta_s=eta_s)
        if preview is not None:
            feedback.preview = convert.ENCODER.image(preview, rows[-1][topics.IMAGE.name].header)
        handle.publish_feedback(feedback)

    @staticmethod
    def _finish(handle: ServerGoalHandle[Any, Any, Any], outcome: Outcome | None) -> Synthesize.Result:
        if isinstance(outcome, GeneratedClip):
            handle.succeed()
            return Synthesize.Result(
                success=True,
                message='generated',
                mean_fidelity=outcome.fidelity.mean,
                provenance=convert.ENCODER.provenance(outcome.provenance).data,
            )
        if handle.is_cancel_requested:
            handle.canceled()
        else:
            handle.abort()
        if isinstance(outcome, FidelityTooLow):
            return Synthesize.Result(
                success=False,
                message=str(outcome),
                mean_fidelity=outcome.fidelity,
                provenance=convert.ENCODER.provenance(outcome.provenance).data,
            )
        return Synthesize.Result(success=False, message=outcome or '')
