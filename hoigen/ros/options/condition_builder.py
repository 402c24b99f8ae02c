"""Options of condition_builder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hoigen.ros.declare import AwaitsReaders, ReadsStreams, param

if TYPE_CHECKING:
    from hoigen.conditioning import ConditioningConfig


@dataclass(frozen=True)
class ConditionBuilderOptions(AwaitsReaders, ReadsStreams):
    """What is computed of a scene frame, and what is refused."""

    points: int = param(8192, 'Surface points that are followed.', low=1, high=1_000_000)
    tracks: int = param(1024, 'How many of them are published as tracks.', low=1, high=1_000_000)
    points_seed: int = param(0, 'Chooses the surface points.', low=0, high=2**31 - 1)
    contact_distance: float = param(0.005, 'Hand and object are in contact below it.', unit='m', low=1e-4, high=0.1)
    min_agreement: float = param(
        0.5,
        "An episode is refused when a smaller fraction of the pixels of hand or object has the meshes' depth, or when "
        'its images show a known slip; 0 refuses none.',
        low=0.0,
        high=1.0,
    )
    max_frames: int = param(300, 'Frames of an episode; further ones are refused.', low=1, high=100_000)
    queue: int = param(64, 'Frames that may wait; further ones are refused.', low=1, high=10_000, read_only=True)
    alone: bool = param(
        False,
        'Report each episode that has its conditions, and how they were made: for a graph in which nothing is made '
        'of them.',
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        self.conditioning()

    def conditioning(self) -> ConditioningConfig:
        """What of it concerns the core."""
        from hoigen.conditioning import ConditioningConfig  # numba: not for help

        return ConditioningConfig(
            points=self.points,
            tracks=self.tracks,
            seed=self.points_seed,
            contact_distance_m=self.contact_distance,
            min_agreement=self.min_agreement,
        )
