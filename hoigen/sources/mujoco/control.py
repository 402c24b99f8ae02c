"""Scripted motions as joint targets over time, and their simulation by contact physics."""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np

from hoigen.records import Contacts
from hoigen.sources.mujoco.scene import Scene

__all__ = ['Keyframe', 'Plan', 'Step', 'contacts_of', 'simulate']

SETTLE_S = 0.3


@dataclass(frozen=True, eq=False)
class Keyframe:
    """Joint targets [30] float64 (``HAND_JOINTS`` order) to be reached at ``time``, a share of the clip."""

    time: float
    target: np.ndarray


@dataclass(frozen=True, eq=False)
class Plan:
    """A motion and where the thing stands before it: [7] position (m) and quaternion (w, x, y, z)."""

    sentence: str
    object_start: np.ndarray
    keyframes: tuple[Keyframe, ...]


@dataclass(frozen=True, eq=False)
class Step:
    """The state of one recorded instant: qpos, the commanded joint targets [30], and the contacts."""

    qpos: np.ndarray
    action: np.ndarray
    contacts: Contacts


def simulate(scene: Scene, plan: Plan, duration_s: float, frames: int) -> list[Step]:
    """Run the motion and record ``frames`` instants, evenly spaced from the first to the last.

    Every joint goes from target to target along a minimum-jerk path; position servos do the rest.
    """
    model, data, keyframes = scene.model, mujoco.MjData(scene.model), plan.keyframes
    data.qpos[scene.joint_qpos] = data.ctrl[scene.joint_ctrl] = keyframes[0].target
    data.qpos[scene.object_qpos] = plan.object_start
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
        steps.append(Step(data.qpos.copy(), data.ctrl[scene.joint_ctrl].copy(), contacts_of(scene, data)))
    return steps


def _target(keyframes: tuple[Keyframe, ...], time: float) -> np.ndarray:
    after = next((k for k, key in enumerate(keyframes) if key.time > time), len(keyframes) - 1)
    before, end = keyframes[max(after - 1, 0)], keyframes[after]
    s = min(max((time - before.time) / max(end.time - before.time, 1e-9), 0.0), 1.0)
    return before.target + s * s * s * (10 - 15 * s + 6 * s * s) * (end.target - before.target)


def contacts_of(scene: Scene, data: mujoco.MjData) -> Contacts:
    """Contacts between hand and object: places in world, normals from object to hand, normal forces."""
    rows = []
    force = np.zeros(6)
    for k in range(data.ncon):
        contact = data.contact[k]
        first, second = (int(scene.model.geom_bodyid[g]) for g in contact.geom)
        if scene.body not in (first, second):
            continue
        other = second if first == scene.body else first
        if scene.model.body_rootid[other] != scene.hand_root:
            continue
        mujoco.mj_contactForce(scene.model, data, k, force)
        if force[0] > 0:
            outward = contact.frame[:3] * (1 if first == scene.body else -1)  # the frame points first -> second
            rows.append((*contact.pos, *outward, force[0]))
    table = np.array(rows, np.float32).reshape(-1, 7)
    return Contacts(table[:, :3].copy(), table[:, 3:6].copy(), table[:, 6].copy())
