"""A clip to generate, and the synthesize action for one that somebody asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from hoigen.action import Synthesize
from hoigen.records import GeneratedClip
from hoigen.ros import convert, goals, topics
from hoigen.ros.nodes.base import ManagedNode
from hoigen.ros.options.synthesizer import SynthesizerOptions
from hoigen.sources.streams.clips import Rows
from hoigen.sources.streams.order import Refused
from hoigen.video.faithful import FidelityTooLow
from hoigen.video.sampling import Acceptance, Sampling
from hoigen.video.style import Style

__all__ = ['Job', 'SynthesizeServer']

ASKED = ('steps', 'prompt', 'first_image', 'background', 'min_fidelity', 'tries')
"""Fields of a goal that come before the node's parameters of that name, where they are not empty."""


@dataclass(eq=False)
class Job(goals.Job):
    """A clip to generate; it ends with the clip or FidelityTooLow. left_out: what of the episode is not in the rows."""

    episode: int
    rows: Rows
    seed: int
    sampling: Sampling
    acceptance: Acceptance
    style: Style
    left_out: str = ''


class SynthesizeServer(goals.GoalServer[Job]):
    """The action server. ``episodes``: what can be generated."""

    def __init__(self, node: ManagedNode[Any], episodes: Mapping[int, Rows], enqueue: Callable[[Job], object]) -> None:
        super().__init__(node, Synthesize, 'synthesize', enqueue)
        self._episodes = episodes

    def check(self, goal: Synthesize.Goal) -> None:
        if goal.episode not in self._episodes:
            raise ValueError(f'expected one of the episodes {list(self._episodes)}, got {goal.episode}')
        self._options(goal).check()

    def _options(self, goal: Synthesize.Goal) -> SynthesizerOptions:
        """The node's own, changed by what the goal asks for; ValueError for what its parameters may not be either."""
        asked = {name: getattr(goal, name) for name in ASKED if getattr(goal, name)}
        if asked.get('min_fidelity', 0.0) < 0:
            asked['min_fidelity'] = 0.0
        options: SynthesizerOptions = replace(self._node.config, **asked)
        return options

    def job(self, goal: Synthesize.Goal) -> tuple[Job, Any]:
        rows = self._episodes.get(goal.episode)
        if rows is None:
            raise Refused('no episode', f'expected one of the episodes {list(self._episodes)}, got {goal.episode}')
        options = self._options(goal)
        job = Job(goal.episode, rows, goal.seed, options.sampling(), options.acceptance(), options.style())
        return job, rows[-1][topics.IMAGE.name].header

    def result(self, outcome: GeneratedClip | FidelityTooLow | str) -> Synthesize.Result:
        if isinstance(outcome, str):
            return Synthesize.Result(success=False, message=outcome)
        if isinstance(outcome, FidelityTooLow):
            success, message, fidelity, clip = False, str(outcome), outcome.fidelity, outcome.clips[0]
        else:
            success, message, fidelity, clip = True, 'generated', outcome.fidelity.mean, outcome
        return Synthesize.Result(
            success=success,
            message=message,
            mean_fidelity=fidelity,
            provenance=convert.ENCODER.provenance(clip.provenance).data,
        )
