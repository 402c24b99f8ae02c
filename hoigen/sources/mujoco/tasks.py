"""What the hand does: a plan of joint targets for each task, and whether it came true."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import mujoco
import numpy as np

from hoigen.sources.mujoco.control import Keyframe, Plan, Step
from hoigen.sources.mujoco.draws import Draws
from hoigen.sources.mujoco.hand import GRASP_CENTRE, finger_pose
from hoigen.sources.mujoco.objects import SHAPES, Thing
from hoigen.sources.mujoco.scene import Scene

__all__ = ['ANY', 'TASKS', 'Task', 'shapes_of', 'tasks_of']

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


def _home(grip: _Grip, draws: Draws) -> np.ndarray:
    """Where the palm starts: a little behind the way to the grasp, well in view and clear of the thing."""
    return grip.palm + grip.before + (draws.free(0.0, 0.03), draws.free(-0.04, -0.02), draws.free(0.0, 0.025))


def _take(grip: _Grip, draws: Draws) -> tuple[Keyframe, ...]:
    """Reach and close the hand, in the first 54 hundredths of the clip."""
    return (_at(0.0, _home(grip, draws), grip.angles, OPEN_HAND),
            _at(0.2, grip.palm + grip.before, grip.angles, OPEN_HAND),
            _at(0.38, grip.palm, grip.angles, OPEN_HAND), _at(0.54, grip.palm, grip.angles, POWER_GRASP))


def _carry(thing: Thing, name: str, draws: Draws) -> Plan:
    start = _stand(thing, draws)
    grip = _grip(thing, start, draws)
    turn, far = draws.free(0, 2 * np.pi), draws.free(0.06, 0.10)
    move = np.array([far * np.cos(turn), far * np.sin(turn), draws.free(0.065, 0.10)])
    tilt = grip.angles + (draws.free(-0.25, 0.25), draws.free(-0.1, 0.1), draws.free(-0.1, 0.1))
    return Plan(f'lift the {name} and carry it {_direction(move)}', start, (
        *_take(grip, draws), _at(0.97, grip.palm + move, tilt, POWER_GRASP),
        _at(1.0, grip.palm + move, tilt, POWER_GRASP)))


def _turn(thing: Thing, name: str, draws: Draws) -> Plan:
    start = _stand(thing, draws)
    grip = _grip(thing, start, draws)
    above = grip.palm + (0, 0, draws.free(0.06, 0.09))
    sign = -1 if draws.chance(0.5) else 1
    turned = grip.angles + (sign * draws.free(0.7, 1.1), 0, 0)
    way = 'to the left' if sign > 0 else 'to the right'
    return Plan(f'pick up the {name} and turn it {way}', start, (
        *_take(grip, draws), _at(0.70, above, grip.angles, POWER_GRASP), _at(0.97, above, turned, POWER_GRASP),
        _at(1.0, above, turned, POWER_GRASP)))


def _pour(thing: Thing, name: str, draws: Draws) -> Plan:
    start = _stand(thing, draws)
    grip = _grip(thing, start, draws)
    above = grip.palm + (0, 0, draws.free(0.07, 0.10))
    tipped = grip.angles - (0, 0, draws.free(0.9, 1.3))
    return Plan(f'pick up the {name} and pour it out', start, (
        *_take(grip, draws), _at(0.72, above, grip.angles, POWER_GRASP), _at(0.97, above, tipped, POWER_GRASP),
        _at(1.0, above, tipped, POWER_GRASP)))


def _push(thing: Thing, name: str, draws: Draws) -> Plan:
    """The upright palm sweeps the thing to the left."""
    start = _stand(thing, draws)
    start[0] += 0.05
    angles = np.array([draws.free(-0.1, 0.25), draws.free(-0.1, 0.0), draws.free(1.45, 1.6)])
    gap = -GRASP_CENTRE[1] - PALM_SURFACE - thing.width / 2
    touch = start[:3] + _rotation(*angles) @ (0, -0.02, -gap)
    touch[2] = 0.058
    aside = _rotation(angles[0], 0, 0)
    far = draws.free(0.10, 0.15)
    beside = touch + aside @ (0.06, -0.01, 0.01)
    hand = finger_pose(curl=0.12, spread=0.0, thumb_across=0.1, thumb_in=0.0)
    end = touch + aside @ (-far, 0, 0)
    return Plan(f'push the {name} to the left', start, (
        _at(0.0, beside + (draws.free(0, 0.02), draws.free(-0.06, -0.03), draws.free(0.03, 0.06)), angles, OPEN_HAND),
        _at(0.25, beside, angles, hand), _at(0.40, touch, angles, hand), _at(0.92, end, angles, hand),
        _at(1.0, end, angles, hand)))


def _direction(move: np.ndarray) -> str:
    """As the one whose hand it is would say it: forward is +y, right is +x."""
    if abs(move[0]) > abs(move[1]):
        return 'to the right' if move[0] > 0 else 'to the left'
    return 'forward' if move[1] > 0 else 'back'


def _track(scene: Scene, steps: list[Step]) -> tuple[np.ndarray, np.ndarray]:
    """The thing's places [T,3] and its attitudes [T,3,3] in world."""
    poses = np.array([step.qpos[scene.object_qpos] for step in steps])
    attitudes = np.zeros((len(poses), 9))
    for row, pose in zip(attitudes, poses, strict=True):
        mujoco.mju_quat2Mat(row, pose[3:])
    return poses[:, :3], attitudes.reshape(-1, 3, 3)


def _not_held(scene: Scene, steps: list[Step]) -> str | None:
    """The thing must hang free in the hand: lifted, touched, and still where the hand took it."""
    places, _ = _track(scene, steps)
    palm = np.array([step.qpos[scene.joint_qpos[:3]] for step in steps])
    held = round(0.62 * (len(steps) - 1))
    if places[-1, 2] - places[0, 2] < 0.04:
        return 'the object was not lifted'
    if any(len(step.contacts.forces_n) == 0 for step in steps[held:]):
        return 'the hand let go'
    slip = np.linalg.norm((places - palm)[-1]) - np.linalg.norm((places - palm)[held])
    return 'the object slipped' if abs(slip) > 0.02 else None


def _not_turned(scene: Scene, steps: list[Step]) -> str | None:
    _, attitudes = _track(scene, steps)
    held = round(0.62 * (len(steps) - 1))
    cosine = (np.trace(attitudes[held].T @ attitudes[-1]) - 1) / 2
    return _not_held(scene, steps) or (None if np.arccos(np.clip(cosine, -1, 1)) > 0.5 else 'the object did not turn')


def _not_pushed(scene: Scene, steps: list[Step]) -> str | None:
    """The thing must have slid with the hand, upright and on the table."""
    places, attitudes = _track(scene, steps)
    if places[0, 0] - places[-1, 0] < 0.06:
        return 'the object was not moved'
    if (attitudes[:, 2, 2] < 0.94).any() or abs(places[-1, 2] - places[0, 2]) > 0.01:
        return 'the object fell'
    touched = [len(step.contacts.forces_n) > 0 for step in steps]
    return None if sum(touched) > 0.3 * len(touched) else 'the object ran away'


STANDING = ('box', 'cylinder', 'can', 'mug', 'cup', 'bottle', 'carton')
TASKS: dict[str, Task] = {
    'lift': Task(None, _carry, _not_held),
    'turn': Task(('ball', 'box', 'capsule', 'egg', 'mug', 'carton', 'bottle', 'pear'), _turn, _not_turned),
    'pour': Task(('can', 'mug', 'cup', 'bottle', 'carton'), _pour, _not_turned),
    'push': Task(STANDING, _push, _not_pushed),
}
ANY = 'any'


def shapes_of(task: str) -> tuple[str, ...]:
    """The shapes that a task can be done with; 'any' stands for every task."""
    return tuple(SHAPES) if task == ANY or TASKS[task].shapes is None else TASKS[task].shapes


def tasks_of(shape: str) -> tuple[str, ...]:
    """The tasks that can be done with a shape; 'lift' thrice, since it is the main one."""
    return 'lift', 'lift', *(name for name in TASKS if shape in shapes_of(name))
