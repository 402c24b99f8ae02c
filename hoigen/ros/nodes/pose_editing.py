"""An edit to make, and the edit_pose action for one that somebody asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hoigen.action import EditPose
from hoigen.messages import decode
from hoigen.ros import goals, topics
from hoigen.ros.edits import Instant, to_world
from hoigen.ros.nodes.base import ManagedNode


@dataclass(frozen=True, eq=False)
class Made:
    """An edited frame: its messages by topic, and how it was made, as JSON."""

    messages: dict[str, Any]
    provenance: str


@dataclass(eq=False)
class Job(goals.Job):
    """A frame to edit; it ends with what was :class:`Made`."""

    instant: Instant
    T_world_object: np.ndarray
    seed: int
    steps: int | None


class EditPoseServer(goals.GoalServer[Job]):
    """The action server; goals are not dropped for newer frames.

    ``find``: the instant of a stamp, 0 for the newest; raises :class:`Refused` where there is none.
    """

    def __init__(
        self, node: ManagedNode[Any], find: Callable[[int], Instant], enqueue: Callable[[Job], object]
    ) -> None:
        super().__init__(node, EditPose, 'edit_pose', enqueue)
        self._find = find

    def check(self, goal: EditPose.Goal) -> None:
        self._steps(goal)

    def _steps(self, goal: EditPose.Goal) -> int | None:
        """As the goal asks for, else the node's; ValueError for what its parameter may not be either."""
        return replace(self._node.config, steps=goal.steps or self._node.config.steps).steps or None

    def job(self, goal: EditPose.Goal) -> tuple[Job, Any]:
        instant = self._find(decode.stamp_ns(goal.pose.header))
        job = Job(instant, to_world(goal.pose, instant), goal.seed, self._steps(goal))
        return job, instant[topics.IMAGE.name].header

    def result(self, outcome: Made | str) -> EditPose.Result:
        if isinstance(outcome, str):
            return EditPose.Result(success=False, message=outcome)
        made = {name: outcome.messages[f'edit/{name}'] for name in ('image', 'depth', 'mask', 'object')}
        return EditPose.Result(success=True, message='edited', provenance=outcome.provenance, **made)
