"""What is true of the scene at one instant."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from hoigen.records.check import Check

__all__ = ['Contacts', 'Labels']


@dataclass(frozen=True, eq=False)
class Contacts:
    """Hand-object contacts of one instant, in world.

    positions_m: [C,3] float32. normals: [C,3] float32 unit vectors from object to hand. forces_n: [C] float32 >= 0,
    along the normal. A source without contact sensing gives C = 0.
    """

    positions_m: np.ndarray = field(default_factory=lambda: np.zeros((0, 3), np.float32))
    normals: np.ndarray = field(default_factory=lambda: np.zeros((0, 3), np.float32))
    forces_n: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32))

    def __post_init__(self) -> None:
        check = Check('Contacts')
        sizes: dict[str, int] = {}
        check.array('positions_m', self.positions_m, 'float32', ('C', 3), sizes=sizes)
        check.array('normals', self.normals, 'float32', ('C', 3), sizes=sizes)
        check.array('forces_n', self.forces_n, 'float32', ('C',), sizes=sizes)
        check.done()


@dataclass(frozen=True, eq=False)
class Labels:
    """What is true of the scene at one instant.

    joint_names / joint_positions: J names and [J] float32 (rad, or m for sliding joints). action: [A] float32, the
    actuators' commands. T_world_object: [4,4] float64, None where nobody knows it. task: a sentence. episode / frame:
    counts from 0; last: this frame ends the episode.
    """

    joint_names: tuple[str, ...]
    joint_positions: np.ndarray
    action: np.ndarray
    T_world_object: np.ndarray | None
    contacts: Contacts
    task: str
    episode: int
    frame: int
    last: bool

    def __post_init__(self) -> None:
        check = Check('Labels')
        check.array('joint_positions', self.joint_positions, 'float32', (len(self.joint_names),))
        check.array('action', self.action, 'float32', ('A',))
        if self.T_world_object is not None:
            check.rigid('T_world_object', self.T_world_object)
        check.that(self.episode >= 0 and self.frame >= 0, 'episode, frame', 'counts >= 0', (self.episode, self.frame))
        check.done()
