"""Simulated episodes of the tests: small ones with their frames, and one lift as a depth camera records it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from hoigen.conditioning import build_clip
from hoigen.records import Clip, Footage, SceneFrame
from hoigen.sources.mujoco import MujocoConfig, MujocoSource, SimulatedEpisode

SMALL = {'width': 96, 'height': 64, 'depth': False}


@dataclass(frozen=True, eq=False)
class Simulated:
    """An episode with its frames rendered."""

    episode: SimulatedEpisode
    frames: list[SceneFrame]

    def object_track(self) -> np.ndarray:
        """Positions [T,3] of the object in world, m."""
        return np.array([frame.labels.T_world_object[:3, 3] for frame in self.frames])


def simulate(seed: int = 0, index: int = 0, **settings: object) -> Simulated:
    episode = MujocoSource(MujocoConfig(**{**SMALL, **settings})).episode(seed, index)  # type: ignore[arg-type]
    return Simulated(episode, list(episode.frames()))


def simulated_clip(seed: int = 0, **settings: object) -> Clip:
    """The clip of an episode of :func:`simulate`."""
    made = simulate(seed, **settings)
    return build_clip(made.episode.assets, made.frames)


@cache
def lift() -> tuple[Footage, Clip]:
    """17 frames of 320x180 at 8 Hz, seen by a head that sways, with their truth."""
    made = simulate(5, width=320, height=180, frames=17, task='lift', shape='carton', camera='ego', depth=True)
    truth = build_clip(made.episode.assets, made.frames)
    depth = np.stack([frame.depth_m for frame in made.frames])
    return Footage(truth.stamps_ns, truth.rgb, depth, made.frames[0].camera.K), truth
