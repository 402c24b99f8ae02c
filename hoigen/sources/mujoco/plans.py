"""Motions of the hand for each task, drawn at random: where it goes, how it holds, what it is called.

Left and right, forward and back are those of the hand's owner: right is +x, forward is +y.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from hoigen.sources.mujoco.control import Keyframe, Plan
from hoigen.sources.mujoco.draws import Draws
from hoigen.sources.mujoco.hand import GRASP_CENTRE, finger_pose
from hoigen.sources.mujoco.objects import Thing

PALM_SURFACE_M = 0.011  # half the palm's thickness
FINGER_RADIUS_M = 0.008
FINGERTIP = np.array([0.0, 0.117, -GRASP_CENTRE[1]])  # of straight fingers, from the grasp centre at zero angles
OPEN_HAND = finger_pose(curl=0.25, spread=0.1, thumb_across=0.35, thumb_in=0.0)
FLAT_HAND = finger_pose(curl=0.12, spread=0.0, thumb_across=0.1, thumb_in=0.0)
PRYING_HAND = finger_pose(curl=0.10, spread=0.0, thumb_across=-0.2, thumb_in=0.0, thumb_out=0.1)
POWER_GRASP = finger_pose(curl=1.1, spread=0.0, thumb_across=0.8, thumb_in=1.0)
WRIST_STRAIGHT = np.zeros(2)


@dataclass(frozen=True, eq=False)
class _Grip:
    """How to hold a thing. palm: grasp centre in world, m. angles: yaw, pitch, roll, rad. way: from the grasp to
    where the hand waits before it, m."""

    palm: np.ndarray
    angles: np.ndarray
    way: np.ndarray

    @property
    def before(self) -> np.ndarray:
        return self.palm + self.way


def lift(thing: Thing, name: str, draws: Draws) -> Plan:
    """Pick it up and carry it a little way through the air."""
    start = _stand(thing, draws)
    grip = _grip(thing, start, draws)
    turn, far = draws.free(0, 2 * np.pi), draws.free(0.06, 0.10)
    move = _vector(far * np.cos(turn), far * np.sin(turn), draws.free(0.065, 0.10))
    tilt = _vector(draws.free(-0.25, 0.25), draws.free(-0.1, 0.1), draws.free(-0.1, 0.1))
    end = grip.palm + move, grip.angles + tilt, POWER_GRASP
    return Plan(
        f'lift the {name} and carry it {_direction(move)}',
        start,
        (*_take(grip, draws), _at(0.97, *end), _at(1.0, *end)),
    )


def turn(thing: Thing, name: str, draws: Draws) -> Plan:
    """Pick it up and turn it about the vertical."""
    start = _stand(thing, draws)
    grip = _grip(thing, start, draws)
    above = grip.palm + _vector(0, 0, draws.free(0.06, 0.09))
    sign = -1 if draws.chance(0.5) else 1
    end = above, grip.angles + _vector(sign * draws.free(0.7, 1.1), 0, 0), POWER_GRASP
    return Plan(
        f'pick up the {name} and turn it to the {"left" if sign > 0 else "right"}',
        start,
        (*_take(grip, draws), _at(0.70, above, grip.angles, POWER_GRASP), _at(0.97, *end), _at(1.0, *end)),
    )


def pour(thing: Thing, name: str, draws: Draws) -> Plan:
    """Pick it up and tip it over to the thumb's side."""
    start = _stand(thing, draws)
    grip = _grip(thing, start, draws)
    above = grip.palm + _vector(0, 0, draws.free(0.07, 0.10))
    end = above, grip.angles - _vector(0, 0, draws.free(0.9, 1.3)), POWER_GRASP
    return Plan(
        f'pick up the {name} and pour it out',
        start,
        (*_take(grip, draws), _at(0.72, above, grip.angles, POWER_GRASP), _at(0.97, *end), _at(1.0, *end)),
    )


def push(thing: Thing, name: str, draws: Draws) -> Plan:
    """Sweep it to the left with the upright palm."""
    start = _stand(thing, draws)
    start[0] += 0.05
    angles = _vector(draws.free(-0.1, 0.25), draws.free(-0.1, 0.0), draws.free(1.45, 1.6))
    gap = -GRASP_CENTRE[1] - PALM_SURFACE_M - thing.width / 2
    touch = start[:3] + _rotation(*angles) @ _vector(0, -0.02, -gap)
    touch[2] = 0.058  # the lower edge of the hand stays clear of the table
    aside = _rotation(angles[0], 0, 0)
    end = touch - aside @ _vector(draws.free(0.10, 0.15), 0, 0), angles, FLAT_HAND
    beside = touch + aside @ _vector(0.06, -0.01, 0.01)
    home = beside + _vector(draws.free(0, 0.02), draws.free(-0.06, -0.03), draws.free(0.03, 0.06))
    return Plan(
        f'push the {name} to the left',
        start,
        (
            _at(0.0, home, angles, OPEN_HAND),
            _at(0.25, beside, angles, FLAT_HAND),
            _at(0.40, touch, angles, FLAT_HAND),
            _at(0.92, *end),
            _at(1.0, *end),
        ),
    )


def open_lid(thing: Thing, name: str, draws: Draws) -> Plan:
    """Put the fingertips under the lid's lip and follow its arc."""
    if thing.lid is None:
        raise ValueError(f'open: expected a thing with a lid, got a {thing.noun}')
    start = _vector(draws.free(-0.04, 0.04), draws.free(0.0, 0.05), 0, 1, 0, 0, 0)
    end = draws.free(1.05, 1.35)
    low, high = draws.free(-0.15, -0.05), draws.free(0.0, 0.3)
    arc = []
    for time, s in zip(np.linspace(0.42, 0.92, 13), np.linspace(0, 1, 13), strict=True):
        share = s**3 * (10 - 15 * s + 6 * s**2)
        angle, pitch = share * end, low + share * (high - low)  # fingers down at first: the forearm clears the table
        out, normal = _vector(0, -np.cos(angle), np.sin(angle)), _vector(0, np.sin(angle), np.cos(angle))
        tip = start[:3] + thing.lid.hinge + (thing.lid.reach - 0.018) * out - (FINGER_RADIUS_M + 0.004) * normal
        palm = tip - _rotation(0, pitch, 0) @ FINGERTIP
        arc.append(_at(float(time), palm, _vector(0, pitch, 0), PRYING_HAND, eased=False))
    under, angles = arc[0].target[:3], _vector(0, low, 0)
    home = under + _vector(draws.free(-0.03, 0.03), draws.free(-0.10, -0.07), draws.free(0.0, 0.03))
    return Plan(
        f'open the {name}',
        start,
        (
            _at(0.0, home, angles, PRYING_HAND),
            _at(0.22, under + _vector(0, -0.045, -0.006), angles, PRYING_HAND),
            *arc,
            _at(1.0, arc[-1].target[:3], arc[-1].target[3:6], PRYING_HAND),
        ),
    )


def _stand(thing: Thing, draws: Draws) -> np.ndarray:
    """Somewhere near the middle of the table: position [3] and quaternion [4]."""
    turn = Rotation.from_euler('z', draws.free(*thing.keep_yaw)).as_quat(scalar_first=True)
    return _vector(draws.free(-0.05, 0.05), draws.free(-0.05, 0.05), thing.half_height, *turn)


def _grip(thing: Thing, start: np.ndarray, draws: Draws) -> _Grip:
    """From the side, thumb up, round tall things; from above, fingers down, round low ones."""
    yaw = draws.free(-0.2, 0.2)
    if thing.side:
        pitch, roll, reach, way = draws.free(-0.15, -0.05), draws.free(1.28, 1.42), 0.0, _vector(0.04, -0.08, 0.015)
    else:
        pitch, roll, reach, way = draws.free(-0.55, -0.45), draws.free(-0.1, 0.05), -0.015, _vector(0.0, -0.02, 0.07)
    gap = -GRASP_CENTRE[1] - PALM_SURFACE_M - 0.004 - thing.width / 2
    hold = start[:3] + _vector(0, 0, thing.grasp_height)
    return _Grip(
        hold + _rotation(yaw, pitch, roll) @ _vector(0, reach, -gap),
        _vector(yaw, pitch, roll),
        _rotation(yaw, 0, 0) @ way,
    )


def _take(grip: _Grip, draws: Draws) -> tuple[Keyframe, ...]:
    """Reach and close the hand, in the first 54 hundredths of the clip; it starts in view and clear of the thing."""
    home = grip.before + _vector(draws.free(0.0, 0.03), draws.free(-0.04, -0.02), draws.free(0.0, 0.025))
    return (
        _at(0.0, home, grip.angles, OPEN_HAND),
        _at(0.2, grip.before, grip.angles, OPEN_HAND),
        _at(0.38, grip.palm, grip.angles, OPEN_HAND),
        _at(0.54, grip.palm, grip.angles, POWER_GRASP),
    )


def _at(time: float, palm: np.ndarray, angles: np.ndarray, fingers: np.ndarray, eased: bool = True) -> Keyframe:
    return Keyframe(time, np.concatenate([palm, angles, WRIST_STRAIGHT, fingers]), eased)


def _vector(*values: float) -> np.ndarray:
    return np.array(values, float)


def _rotation(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """The hand's attitude as the arm's hinges make it: Rz(yaw) Rx(pitch) Ry(roll)."""
    return Rotation.from_euler('ZXY', (yaw, pitch, roll)).as_matrix()


def _direction(move: np.ndarray) -> str:
    if abs(move[0]) > abs(move[1]):
        return 'to the right' if move[0] > 0 else 'to the left'
    return 'forward' if move[1] > 0 else 'back'
