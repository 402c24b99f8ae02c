"""Scripted motions as joint targets over time, and their simulation by contact physics."""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np

from hoigen.geometry.transforms import rigid
from hoigen.records import Contacts
from hoigen.sources.mujoco.scene import THING, Scene, hand_id

__all__ = ['Keyframe', 'Plan', 'Step', 'body_pose', 'simulate']

SETTLE_S = 0.3


@dataclass(frozen=True, eq=False)
class Keyframe:
    """Joint targets [30] float64 (``HAND_JOINTS`` order) to be reached at ``time``, a share of the clip.

    eased: the hand comes to rest here and has left its last rest on a minimum-jerk path; otherwise it goes straight
    through, as on the samples of an arc.
    """

    time: float
    target: np.ndarray
    eased: bool = True


@dataclass(frozen=True, eq=False)
class Plan:
    """A motion and where the thing stands before it: [7] position (m) and quaternion (w, x, y, z); of a thing with a
    lid, where its base stands."""

    sentence: str
    start: np.ndarray
    keyframes: tuple[Keyframe, ...]


@dataclass(frozen=True, eq=False)
class Step:
    """One recorded instant. qpos: the whole state. action: [30] commanded joint targets. palm: [3] m, the grasp
    centre in world. thing_pose: T_world_thing [4,4]."""

    qpos: np.ndarray
    action: np.ndarray
    palm: np.ndarray
    thing_pose: np.ndarray
    contacts: Contacts


def simulate(scene: Scene, plan: Plan, duration_s: float, frames: int) -> list[Step]:
    """Run the motion and record ``frames`` instants, evenly spaced from the first to the last.

    The joints are led along the keyframes; position servos and contacts do the rest.
    """
    model, data, keyframes = scene.model, mujoco.MjData(scene.model), plan.keyframes
    data.qpos[scene.joint_qpos] = data.ctrl[scene.joint_ctrl] = keyframes[0].target
    _stand(scene, data, plan.start)
    for _ in range(round(SETTLE_S / model.opt.timestep)):
        mujoco.mj_step(model, data)
    steps, done = [], 0
    for frame in range(frames):
        until = round(frame * duration_s / (frames - 1) / model.opt.timestep)
        for n in range(done, until):
            data.ctrl[scene.joint_ctrl] = _target(keyframes, n * model.opt.timestep / duration_s)
            mujoco.mj_step(model, data)
        done = max(done, until)
        mujoco.mj_forward(model, data)
        steps.append(
            Step(
                data.qpos.copy(),
                data.ctrl[scene.joint_ctrl],
                data.qpos[scene.joint_qpos[:3]],
                body_pose(data, scene.thing_body),
                _contacts(scene, data),
            )
        )
    return steps


def body_pose(data: mujoco.MjData, body: int) -> np.ndarray:
    """T_world_body [4,4] float64."""
    return rigid(data.xmat[body].reshape(3, 3), data.xpos[body])


def _stand(scene: Scene, data: mujoco.MjData, start: np.ndarray) -> None:
    if scene.thing.lid is None:
        data.qpos[scene.thing_qpos] = start
    else:
        base = scene.model.body_parentid[scene.thing_body]
        scene.model.body_pos[base], scene.model.body_quat[base] = start[:3], start[3:]


def _target(keyframes: tuple[Keyframe, ...], time: float) -> np.ndarray:
    after = next((k for k, key in enumerate(keyframes) if key.time > time), len(keyframes) - 1)
    before, end = keyframes[max(after - 1, 0)], keyframes[after]
    s = min(max((time - before.time) / max(end.time - before.time, 1e-9), 0.0), 1.0)
    if end.eased:
        s = s * s * s * (10 - 15 * s + 6 * s * s)
    return before.target + s * (end.target - before.target)


def _contacts(scene: Scene, data: mujoco.MjData) -> Contacts:
    """Contacts between object and hand, by the ids of their meshes; a body of the hand that has none is named alike."""
    bodies, rows = [], []
    force = np.zeros(6)
    for k in range(data.ncon):
        contact = data.contact[k]
        first, second = (int(scene.model.geom_bodyid[g]) for g in contact.geom)
        if scene.thing_body not in (first, second):
            continue
        other = second if first == scene.thing_body else first
        if scene.model.body_rootid[other] != scene.hand_root:
            continue
        mujoco.mj_contactForce(scene.model, data, k, force)
        if force[0] > 0:
            outward = contact.frame[:3] * (1 if first == scene.thing_body else -1)  # the frame points first -> second
            bodies.append((THING, hand_id(scene.model.body(other).name)))
            rows.append((*contact.pos, *outward, force[0], max(0.0, -contact.dist)))
    table = np.array(rows, np.float32).reshape(-1, 8)
    columns = (np.ascontiguousarray(table[:, rows]) for rows in (slice(3), slice(3, 6), 6, 7))
    return Contacts(tuple(bodies), *columns)
