"""Small simulated episodes with their frames, for the tests beside this file."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hoigen.records import SceneFrame
from hoigen.sources.mujoco import MujocoConfig, MujocoSource, SimulatedEpisode

SMALL = {'width': 96, 'height': 64, 'depth': False}


@dataclass(frozen=True, eq=False)
class Clip:
    """An episode with its frames rendered."""

    episode: SimulatedEpisode
    frames: list[SceneFrame]

    def object_track(self) -> np.ndarray:
        """Places [T,3] of the object in world, m."""
        return np.array([frame.labels.T_world_object[:3, 3] for frame in self.frames])


def simulate(seed: int = 0, index: int = 0, **settings: object) -> Clip:
    episode = MujocoSource(MujocoConfig(**{**SMALL, **settings})).episode(seed, index)  # type: ignore[arg-type]
    return Clip(episode, list(episode.frames()))
