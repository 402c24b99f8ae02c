"""The tasks: which shapes each is done with, its plan, and whether what happened was the task."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from hoigen.geometry.transforms import angle_between
from hoigen.sources.mujoco import plans
from hoigen.sources.mujoco.control import Plan, Step
from hoigen.sources.mujoco.draws import Draws
from hoigen.sources.mujoco.objects import SHAPES, Thing

ANY = 'any'
HELD_FROM = 0.62  # the share of a clip after which a thing that is taken must be held


@dataclass(frozen=True)
class Task:
    """shapes: what it is done with. plan: draws a motion for a thing and its name. failed: why what happened was not
    the task, or None."""

    shapes: tuple[str, ...]
    plan: Callable[[Thing, str, Draws], Plan]
    failed: Callable[[Sequence[Step]], str | None]


def _not_held(steps: Sequence[Step]) -> str | None:
    """The thing must hang free in the hand: lifted, touched, and still where the hand took it."""
    held = round(HELD_FROM * (len(steps) - 1))
    if _height(steps[-1]) - _height(steps[0]) < 0.04:
        return 'the object was not lifted'
    if any(len(step.contacts.forces_n) == 0 for step in steps[held:]):
        return 'the hand let go'
    slip = _from_palm(steps[-1]) - _from_palm(steps[held])
    return 'the object slipped' if abs(slip) > 0.02 else None


def _not_turned(steps: Sequence[Step]) -> str | None:
    """Held, and turned by more than 30 degrees after it was taken."""
    taken = steps[round(HELD_FROM * (len(steps) - 1))]
    angle = angle_between(taken.thing_pose[:3, :3], steps[-1].thing_pose[:3, :3])
    return _not_held(steps) or (None if angle > np.radians(30) else 'the object did not turn')


def _not_pushed(steps: Sequence[Step]) -> str | None:
    """The thing must have slid with the hand, upright and on the table."""
    poses = np.array([step.thing_pose for step in steps])
    if np.linalg.norm(poses[-1, :2, 3] - poses[0, :2, 3]) < 0.06:
        return 'the object was not moved'
    if (poses[:, 2, 2] < 0.94).any() or abs(poses[-1, 2, 3] - poses[0, 2, 3]) > 0.01:
        return 'the object fell'
    touched = sum(len(step.contacts.forces_n) > 0 for step in steps)
    return None if touched > 0.3 * len(steps) else 'the object ran away'


def _not_opened(steps: Sequence[Step]) -> str | None:
    """The lid must stand open by more than 45 degrees, and by the hand: no jump between two frames."""
    angles = [np.arccos(np.clip(step.thing_pose[2, 2], -1, 1)) for step in steps]
    if angles[0] > np.radians(2) or angles[-1] < np.radians(45):
        return 'the lid was not opened'
    touched = sum(len(step.contacts.forces_n) > 0 for step in steps)
    return None if touched > 0.3 * len(steps) else 'the lid was thrown open'


def _height(step: Step) -> float:
    return float(step.thing_pose[2, 3])


def _from_palm(step: Step) -> float:
    return float(np.linalg.norm(step.thing_pose[:3, 3] - step.palm))


FREE = tuple(shape for shape in SHAPES if shape != 'chest')
TASKS: dict[str, Task] = {
    'lift': Task(FREE, plans.lift, _not_held),
    'turn': Task(('ball', 'box', 'capsule', 'egg', 'mug', 'carton', 'bottle', 'pear'), plans.turn, _not_turned),
    'pour': Task(('can', 'mug', 'cup', 'bottle', 'carton'), plans.pour, _not_turned),
    'push': Task(('box', 'cylinder', 'can', 'mug', 'cup', 'bottle', 'carton'), plans.push, _not_pushed),
    'open': Task(('chest',), plans.open_lid, _not_opened),
}


def shapes_of(task: str) -> tuple[str, ...]:
    """The shapes that a task is done with; 'any' draws from those that can be lifted."""
    return FREE if task == ANY else TASKS[task].shapes


def tasks_of(shape: str) -> tuple[str, ...]:
    """The tasks that 'any' draws from: those the shape can be used in, and 'lift' twice more as the main one."""
    able = tuple(name for name, task in TASKS.items() if shape in task.shapes)
    return ('lift', 'lift', *able) if 'lift' in able else able
