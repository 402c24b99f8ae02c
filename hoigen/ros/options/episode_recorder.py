"""Options of episode_recorder."""

from __future__ import annotations

from dataclasses import dataclass

from hoigen.ros.declare import ReadsStreams, param, writes_bags


@dataclass(frozen=True)
class EpisodeRecorderOptions(ReadsStreams):
    """Where bags are written, and of whose frames."""

    out: str = writes_bags()
    made_by: str = param(
        'synthesizer',
        'Node whose messages complete an episode; what others make of its conditions is left out.',
        choices=('synthesizer', 'pose_editor', 'condition_builder'),
        read_only=True,
    )
    queue: int = param(
        1024, 'Messages that may wait for the disk; further ones are refused.', low=1, high=1_000_000, read_only=True
    )
    waiting: int = param(512, 'Frames that may wait for their labels; further ones are refused.', low=1, high=100_000)
