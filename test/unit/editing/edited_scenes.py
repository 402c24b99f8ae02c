"""Small recorded episodes to be edited, and a stand-in for the model: it pastes the mesh, drawn at its pose."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from hoigen.conditioning import ConditioningConfig, build_clip, build_episode
from hoigen.editing.placement import place
from hoigen.editing.records import Edited, Subject
from hoigen.editing.synthesis import make_room
from hoigen.episodes import write_episode
from hoigen.geometry.shading import draw
from hoigen.records import Camera, Clip, Episode, Provenance
from hoigen.sources.mujoco import MujocoConfig, MujocoSource, SimulatedEpisode

CONFIG = ConditioningConfig(points=400, tracks=80)
MADE = Provenance(0, {'metric': True}, 'a simulated scene', {}, {}, {})


class Paster:
    """Draws the subject's mesh where the scene leaves room for it and paints what is taken away in one colour."""

    GROUND = (1, 200, 3)

    def __init__(self) -> None:
        self.inserted, self.removed = 0, 0

    def insert(
        self,
        rgb: np.ndarray,
        depth_m: np.ndarray,
        camera: Camera,
        subject: Subject,
        T_world_object: np.ndarray,
        *,
        seed: int = 0,
        steps: int | None = None,
    ) -> Edited:
        self.inserted += 1
        placement = place(subject.mesh, T_world_object, camera)
        room = make_room(rgb, depth_m, placement)
        after = np.where(room.paint[..., None], draw(subject.mesh, T_world_object, camera).rgb, rgb)
        whole = placement.mask.sum() / (1 - placement.cut)
        return Edited(
            camera,
            after,
            room.paint,
            room.depth_m,
            float(room.paint.sum() / whole),
            T_world_object,
            1.0,
            self.provenance(seed, steps),
        )

    def remove(
        self,
        rgb: np.ndarray,
        mask: np.ndarray,
        depth_m: np.ndarray | None = None,
        *,
        seed: int = 0,
        steps: int | None = None,
    ) -> np.ndarray:
        self.removed += 1
        return np.where(mask[..., None], np.array(self.GROUND, np.uint8), rgb)

    def provenance(self, seed: int, steps: int | None = None) -> Provenance:
        return Provenance(seed, {'model': 'paster', 'steps': steps}, '', {}, {}, {})


@cache
def simulated(task: str = 'lift', shape: str = 'mug', camera: str = 'corner', **settings: Any) -> SimulatedEpisode:
    config = MujocoConfig(
        **{
            'width': 96,
            'height': 64,
            'frames': 9,
            'rate_hz': 4.0,
            'depth': False,
            'task': task,
            'shape': shape,
            'camera': camera,
            **settings,
        }
    )
    return MujocoSource(config).episode(3)


def write_episode_bag(simulation: SimulatedEpisode, folder: Path) -> Clip:
    """The bag that a recorder makes of a simulated episode, without generated frames; its clip."""
    episode = build_episode(simulation.assets, simulation.frames(), CONFIG)
    write_episode(folder, episode)
    return episode.clip


def write_footage_bag(simulation: SimulatedEpisode, folder: Path) -> Clip:
    """The bag that an extraction makes, of exact geometry: no meshes; its clip."""
    clip = build_clip(simulation.assets, simulation.frames(), CONFIG)
    write_episode(folder, Episode(clip, MADE))
    return clip
