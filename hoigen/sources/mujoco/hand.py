"""The Adroit hand of the gymnasium-robotics wheel on an arm of our own: three slides and three hinges.

The arm's hinges turn about the palm's grasp centre, so that a wanted palm pose *is* the arm's joint vector:
slides = the grasp centre in world (m), hinges = yaw, pitch, roll (rad), with
``R_world_hand = Rz(yaw) Rx(pitch) Ry(roll)``.
At zero the hand points to +y, the palm looks down and the thumb points to -x.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import mujoco
import numpy as np
from scipy.spatial.transform import Rotation

__all__ = ['ARM_JOINTS', 'FINGER_JOINTS', 'HAND_JOINTS', 'HAND_KEYPOINTS', 'HAND_UNITS', 'adroit_spec', 'finger_pose']

ARM_JOINTS = ('ARTx', 'ARTy', 'ARTz', 'ARRz', 'ARRx', 'ARRy')
WRIST_JOINTS = ('WRJ1', 'WRJ0')
FINGER_JOINTS = (
    'FFJ3',
    'FFJ2',
    'FFJ1',
    'FFJ0',
    'MFJ3',
    'MFJ2',
    'MFJ1',
    'MFJ0',
    'RFJ3',
    'RFJ2',
    'RFJ1',
    'RFJ0',
    'LFJ4',
    'LFJ3',
    'LFJ2',
    'LFJ1',
    'LFJ0',
    'THJ4',
    'THJ3',
    'THJ2',
    'THJ1',
    'THJ0',
)
HAND_JOINTS = ARM_JOINTS + WRIST_JOINTS + FINGER_JOINTS
HAND_UNITS = tuple('m' if joint.startswith('ART') else 'rad' for joint in HAND_JOINTS)

_BONES = (('proximal', 0.0), ('middle', 0.0), ('distal', 0.0), ('distal', 0.026))
HAND_KEYPOINTS = (
    *(('palm', 0.0), ('thproximal', 0.0), ('thmiddle', 0.0), ('thdistal', 0.0), ('thdistal', 0.0275)),
    *((finger + bone, tip_m) for finger in ('ff', 'mf', 'rf', 'lf') for bone, tip_m in _BONES),
)
"""Where the keypoints of labels are: bodies, whose origins are joints, and metres along a distal one to the site that
the hand's file calls its tip, 4 to 8 mm under the skin."""

GRASP_CENTRE = np.array([0.004, -0.062, 0.502])  # in the forearm's frame: 6 cm before the palm
FOREARM_AT_REST = np.array([[-1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0]])  # forearm frame to world


def finger_pose(curl: float, spread: float, thumb_across: float, thumb_in: float, thumb_out: float = 1.2) -> np.ndarray:
    """Joint targets [22] float64 rad in ``FINGER_JOINTS`` order.

    curl: 0 is a flat hand, 1 a power grasp. spread: of the fingers. thumb_out: 0 lies beside the palm, 1.2 stands out
    from it; thumb_across: then turned towards the fingers; thumb_in: then bent.
    """
    target = dict.fromkeys(FINGER_JOINTS, 0.0)
    for finger in ('FF', 'MF', 'RF', 'LF'):
        target |= {f'{finger}J2': 0.75 * curl, f'{finger}J1': 1.0 * curl, f'{finger}J0': 1.0 * curl}
    target |= {'FFJ3': -spread, 'RFJ3': -0.5 * spread, 'LFJ3': -spread, 'LFJ4': 0.3 * curl}
    target |= {
        'THJ4': thumb_across,
        'THJ3': thumb_out,
        'THJ2': 0.2 * thumb_in,
        'THJ1': -0.3 * thumb_in,
        'THJ0': -0.6 * thumb_in,
    }
    return np.array([target[joint] for joint in FINGER_JOINTS])


@cache
def _loaded() -> mujoco.MjSpec:
    found = find_spec('gymnasium_robotics')
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError(
            'the Adroit hand comes with the package gymnasium-robotics: pip install gymnasium-robotics'
        )
    path = Path(found.submodule_search_locations[0], 'envs/assets/adroit_hand/adroit_relocate.xml')
    spec = mujoco.MjSpec.from_file(str(path))
    _keep_only_the_hand(spec)
    _mount_on_arm(spec)
    return spec


def adroit_spec() -> mujoco.MjSpec:
    """A fresh specification with the hand on its arm, and nothing else in the world."""
    return _loaded().copy()


def _keep_only_the_hand(spec: mujoco.MjSpec) -> None:
    for body in [b for b in spec.worldbody.bodies if b.name != 'forearm']:
        spec.delete(body)
    for element in [*spec.worldbody.geoms, *spec.worldbody.lights, *spec.worldbody.cameras, *spec.worldbody.sites]:
        spec.delete(element)
    for name in ('V_thbase', 'V_thhub'):  # 1 mm boxes that hold a place for a mass
        spec.delete(spec.geom(name))
    for site in list(spec.sites):
        spec.delete(site)
    for material in spec.materials:
        if material.name != 'MatViz':
            material.textures = [''] * len(material.textures)
    for geom in spec.geoms:
        if geom.material == 'MatColl':
            geom.material = ''
    for material in [m for m in spec.materials if m.name != 'MatViz']:
        spec.delete(material)
    for texture in list(spec.textures):
        spec.delete(texture)


def _mount_on_arm(spec: mujoco.MjSpec) -> None:
    forearm = spec.body('forearm')
    for joint in list(forearm.joints):
        spec.delete(joint)
    for actuator in [a for a in spec.actuators if a.name.startswith('A_AR')]:
        spec.delete(actuator)
    forearm.pos = -FOREARM_AT_REST @ GRASP_CENTRE
    forearm.alt.type = mujoco.mjtOrientation.mjORIENTATION_QUAT
    forearm.quat = Rotation.from_matrix(FOREARM_AT_REST).as_quat(scalar_first=True)
    world_axes = {'x': 0, 'y': 1, 'z': 2}
    for name in ARM_JOINTS:
        axis = FOREARM_AT_REST.T[:, world_axes[name[-1]]]
        slide = name[2] == 'T'
        forearm.add_joint(
            name=name,
            axis=axis,
            pos=GRASP_CENTRE,
            range=(-1.5, 1.5) if slide else (-2.4, 2.4),
            type=mujoco.mjtJoint.mjJNT_SLIDE if slide else mujoco.mjtJoint.mjJNT_HINGE,
        )
    for name in ARM_JOINTS:
        _servo(spec, name, stiffness=2e4 if name[2] == 'T' else 2e3, damping=640.0 if name[2] == 'T' else 40.0)
    for name in WRIST_JOINTS:
        actuator = spec.actuator(f'A_{name}')
        actuator.gainprm[0], actuator.biasprm[1], actuator.biasprm[2] = 60.0, -60.0, -1.0
    for body in spec.bodies:
        body.gravcomp = 1.0


def _servo(spec: mujoco.MjSpec, joint: str, stiffness: float, damping: float) -> None:
    actuator = spec.add_actuator(name=f'A_{joint}', target=joint, trntype=mujoco.mjtTrn.mjTRN_JOINT)
    actuator.gaintype, actuator.biastype = mujoco.mjtGain.mjGAIN_FIXED, mujoco.mjtBias.mjBIAS_AFFINE
    actuator.gainprm[0], actuator.biasprm[1], actuator.biasprm[2] = stiffness, -stiffness, -damping
    actuator.ctrllimited, actuator.ctrlrange = True, spec.joint(joint).range
