"""A small rigged hand as a file: a box about every bone, and a vertex at each joint that moves with it alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from gltf_builder import Builder

from hoigen.perception.hands.rig import JOINTS, METACARPALS

RADIUS_M = 0.008
BOX = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0], [-1, -1, 1], [1, -1, 1], [1, 1, 1], [-1, 1, 1]], float)
FACES = [[0, 2, 1], [0, 3, 2], [4, 5, 6], [4, 6, 7], *([i, (i + 1) % 4, 4 + (i + 1) % 4] for i in range(4))]
FACES += [[i, 4 + (i + 1) % 4, 4 + i] for i in range(4)]


def rest_joints() -> np.ndarray:
    """[25,3] m: a flat right hand that points along +y, its palm to -z."""
    found = np.zeros((len(JOINTS), 3))
    steps = {'thumb': [(0.025, 0.02), (0.022, 0.032), (0.014, 0.028), (0.01, 0.024)]}
    roots = {'index': 0.02, 'middle': 0.0, 'ring': -0.018, 'pinky': -0.034}
    for finger, x in roots.items():
        steps[finger] = [(x / 2, 0.025), (x / 2, 0.065), (0, 0.042), (0, 0.025), (0, 0.02)]
    at = 1
    for ways in steps.values():
        found[at : at + len(ways), :2] = np.cumsum(ways, axis=0)
        at += len(ways)
    return found


def write_rig(path: Path, names: tuple[str, ...] = JOINTS) -> Path:
    """A GLB with the joints, named ``names``; its joints have frames that lean, as those of published rigs do."""
    joints = rest_joints()
    vertices: list[np.ndarray] = []
    faces: list[list[int]] = []
    carried: list[int] = []
    for j, place in enumerate(joints):
        tip = JOINTS[j].endswith('tip')
        end = place if tip else joints[11] if j == 0 else joints[j + 1]
        way = end - place if not tip else np.array([0, RADIUS_M, 0])
        side = np.cross(way, [0, 0, 1.0])
        frame = np.stack([RADIUS_M * side / np.linalg.norm(side), [0, 0, RADIUS_M], way])
        faces += [[len(vertices) + 1 + v for v in face] for face in FACES]
        vertices += [place, *(place + BOX @ frame)]
        carried += [j] * 9
    builder = Builder()
    weights = np.zeros((len(vertices), 4), np.float32)
    weights[:, 0] = 0.5  # not of sum 1
    rows = np.zeros((len(vertices), 4), np.uint8)
    rows[:, 0] = carried
    primitive = builder.primitive(np.array(vertices, np.float32), np.array(faces, np.uint16).ravel())
    primitive['attributes'] |= {'JOINTS_0': builder.accessor(rows), 'WEIGHTS_0': builder.accessor(weights)}
    binds = np.tile(np.eye(4, dtype=np.float32), (len(names), 1, 1))
    binds[:, :3, :3] = [[0, -1, 0], [1, 0, 0], [0, 0, 1]]
    binds[:, :3, 3] = -np.einsum('jab,jb->ja', binds[:, :3, :3], joints)
    matrices = builder.accessor(np.ascontiguousarray(binds.swapaxes(1, 2).reshape(-1, 16)))
    builder.json['nodes'] = [{'mesh': 0, 'skin': 0}, *({'name': name} for name in names)]
    builder.json['skins'] = [{'joints': [1 + j for j in range(len(names))], 'inverseBindMatrices': matrices}]
    path.write_bytes(builder.glb())
    return path


def joint_vertices() -> np.ndarray:
    """The vertices at the 21 joints that have keypoints."""
    return np.array([9 * j for j in range(len(JOINTS)) if j not in METACARPALS])
