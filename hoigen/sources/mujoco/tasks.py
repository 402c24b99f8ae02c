"""What the hand does: a plan of joint targets for each task, and whether it came true."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hoigen.sources.mujoco.control import Keyframe, Plan, Step
from hoigen.sources.mujoco.draws import Draws
from hoigen.sources.mujoco.hand import GRASP_CENTRE, finger_pose
from hoigen.sources.mujoco.objects import Thing
from hoigen.sources.mujoco.scene import Scene

__all__ = ['TASKS', 'Task']

PALM_SURFACE = 0.011  # half the palm's thickness, m
OPEN_HAND = finger_pose(curl=0.25, spread=0.1, thumb_across=0.35, thumb_in=0.0)
POWER_GRASP = finger_pose(curl=1.1, spread=0.0, thumb_across=0.8, thumb_in=1.0)
WRIST_STRAIGHT = np.zeros(2)


@dataclass(frozen=True)
class Task:
    """plan draws a motion; failed tells why what happened is not the task, or gives None."""

    shapes: tuple[str, ...] | None
    plan: Callable[[Thing, str, Draws], Plan]
    failed: Callable[[Scene, list[Step]], str | None]


@dataclass(frozen=True, eq=False)
class _Grip:
    """Where the palm goes to hold a thing. palm: grasp centre in world, m. angles: yaw, pitch, roll, rad.
    before: the way there comes from palm + before."""

    palm: np.ndarray
    angles: np.ndarray
    before: np.ndarray


def _rotation(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """The hand's attitude as the arm's hinges make it: Rz(yaw) Rx(pitch) Ry(roll)."""
    (cy, sy), (cp, sp), (cr, sr) = ((np.cos(a), np.sin(a)) for a in (yaw, pitch, roll))
    about_z = np.array([[cy, -sy, 0], [sy, cy, 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    about_y = np.array([[cr, 0, sr], [0, 1, 0], [-sr, 0, cr]])
    return about_z @ about_x @ about_y


def _stand(thing: Thing, draws: Draws) -> np.ndarray:
    yaw = draws.free(*thing.keep_yaw)
    return np.array([draws.free(-0.05, 0.05), draws.free(-0.05, 0.05), thing.half_height,
                     np.cos(yaw / 2), 0, 0, np.sin(yaw / 2)])


def _grip(thing: Thing, start: np.ndarray, draws: Draws) -> _Grip:
    """From the side, thumb up, round tall things; from above, fingers down, round low ones."""
    yaw = draws.free(-0.2, 0.2)
    if thing.side:
        pitch, roll, reach, before = draws.free(-0.15, -0.05), draws.free(1.28, 1.42), 0.0, (0.04, -0.08, 0.015)
    else:
        pitch, roll, reach, before = draws.free(-0.55, -0.45), draws.free(-0.1, 0.05), -0.015, (0.0, -0.02, 0.07)
    attitude = _rotation(yaw, pitch, roll)
    gap = -GRASP_CENTRE[1] - PALM_SURFACE - 0.004 - thing.width / 2
    palm = start[:3] + (0, 0, thing.grasp_height) + attitude @ (0, reach, -gap)
    return _Grip(palm, np.array([yaw, pitch, roll]), _rotation(yaw, 0, 0) @ before)


def _at(time: float, palm: np.ndarray, angles: np.ndarray, fingers: np.ndarray) -> Keyframe:
    return Keyframe(time, np.concatenate([palm, angles, WRIST_STRAIGHT, fingers]))


def _lift(thing: Thing, name: str, draws: Draws) -> Plan:
    start = _stand(thing, draws)
    grip = _grip(thing, start, draws)
    turn, far = draws.free(0, 2 * np.pi), draws.free(0.06, 0.10)
    carry = np.array([far * np.cos(turn), far * np.sin(turn), draws.free(0.065, 0.10)])
    home = grip.palm + grip.before + (draws.free(0.0, 0.03), draws.free(-0.04, -0.02), draws.free(0.0, 0.025))
    tilt = grip.angles + (draws.free(-0.25, 0.25), draws.free(-0.1, 0.1), draws.free(-0.1, 0.1))
    keyframes = (
        _at(0.0, home, grip.angles, OPEN_HAND), _at(0.2, grip.palm + grip.before, grip.angles, OPEN_HAND),
        _at(0.38, grip.palm, grip.angles, OPEN_HAND), _at(0.54, grip.palm, grip.angles, POWER_GRASP),
        _at(0.97, grip.palm + carry, tilt, POWER_GRASP), _at(1.0, grip.palm + carry, tilt, POWER_GRASP))
    return Plan(f'lift the {name} and carry it {_direction(carry)}', start, keyframes)


def _direction(move: np.ndarray) -> str:
    """As the one whose hand it is would say it: forward is +y, right is +x."""
    if abs(move[0]) > abs(move[1]):
        return 'to the right' if move[0] > 0 else 'to the left'
    return 'forward' if move[1] > 0 else 'back'


def _not_held(scene: Scene, steps: list[Step]) -> str | None:
    """The thing must hang free in the hand: lifted, touched, and still where the hand took it."""
    track = np.array([step.qpos[scene.object_qpos][:3] for step in steps])
    palm = np.array([step.qpos[scene.joint_qpos[:3]] for step in steps])
    held = round(0.62 * (len(steps) - 1))
    if track[-1, 2] - track[0, 2] < 0.05:
        return 'the object was not lifted'
    if any(len(step.contacts.forces_n) == 0 for step in steps[held:]):
        return 'the hand let go'
    slip = np.linalg.norm((track - palm)[-1]) - np.linalg.norm((track - palm)[held])
    return 'the object slipped' if abs(slip) > 0.02 else None


TASKS: dict[str, Task] = {'lift': Task(None, _lift, _not_held)}
