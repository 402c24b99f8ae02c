"""A rigged hand mesh of the user's, and its surface where the 21 keypoints of a hand are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hoigen.geometry.alignment import align
from hoigen.perception.records import PerceptionError
from hoigen.records import Check
from hoigen.untrusted.arrays import UnreadableFile, read_arrays

PHALANGES = ('proximal', 'intermediate', 'distal')
JOINTS = (
    'wrist',
    *(f'thumb-{bone}' for bone in ('metacarpal', 'phalanx-proximal', 'phalanx-distal', 'tip')),
    *(
        f'{finger}-finger-{bone}'
        for finger in ('index', 'middle', 'ring', 'pinky')
        for bone in ('metacarpal', *(f'phalanx-{name}' for name in PHALANGES), 'tip')
    ),
)
"""The 25 joints of a WebXR hand."""
METACARPALS = (5, 10, 15, 20)
"""Joints of which there is no keypoint: they move with the palm."""
AT_KEYPOINT = np.array([j for j in range(25) if j not in METACARPALS])
"""The joint at each of the 21 keypoints."""
PALM = np.array([0, 5, 9, 13, 17])
"""Keypoints that hold still against each other: wrist and knuckles."""
LEAST_RATIO, MOST_RATIO = 0.4, 2.5
"""A bone against its length in the mesh; what is outside is no hand."""


@dataclass(frozen=True, eq=False)
class Rig:
    """A hand at rest. vertices: [V,3] float64 m. triangles: [F,3] int32. joints: [25,3] float64 m, in the order of
    JOINTS. weights: [V,25] float64, how much each joint carries a vertex, 1 in sum."""

    vertices: np.ndarray
    triangles: np.ndarray
    joints: np.ndarray
    weights: np.ndarray

    def __post_init__(self) -> None:
        check, sizes = Check('Rig'), {'J': len(JOINTS)}
        for name, kind, shape in (
            ('vertices', 'float64', ('V', 3)),
            ('triangles', 'int32', ('F', 3)),
            ('joints', 'float64', ('J', 3)),
            ('weights', 'float64', ('V', 'J')),
        ):
            check.array(name, getattr(self, name), kind, shape, sizes=sizes)
        if not check.faults:
            low, high = self.triangles.min(initial=0), self.triangles.max(initial=0)
            check.that(low >= 0 and high < len(self.vertices), 'triangles', 'rows of vertices', f'{low} to {high}')
            bones = np.linalg.norm(np.diff(self.joints[AT_KEYPOINT][PALM], axis=0), axis=1)
            check.that(bool((bones > 0).all()), 'joints', 'wrist and knuckles apart', 'some at one position')
        check.done()


def load_rig(path: Path) -> Rig:
    """The rig of a GLB or glTF file with one skinned mesh and the joints of WebXR hands, as JOINTS names them.

    The file is read in a limited child process. PerceptionError for one that is missing or cannot be read.
    """
    if not path.is_file():
        raise PerceptionError(f'{path}: expected a rigged hand (GLB), got nothing there')
    try:
        return Rig(**read_arrays('hoigen.perception.hands.rig_file', str(path.absolute())))
    except (UnreadableFile, TypeError, ValueError) as error:
        raise PerceptionError(f'{path}: expected a rigged hand with the joints of WebXR; {error}') from None


def pose(rig: Rig, keypoints: np.ndarray) -> np.ndarray:
    """World vertices [T,V,3] float32 of the rig posed to keypoints [T,21,3] of one hand in T frames.

    Each bone has the median of its length over the frames and points where its keypoints do, rotated against the bone
    before it by the smallest angle; the palm is rotated to wrist and knuckles. Flesh is stretched along bones, and
    across them as the palm is. PerceptionError where the bones are not those of a hand.
    """
    points, rest = keypoints.astype(np.float64), rig.joints
    palm = rest[AT_KEYPOINT][PALM]
    wrist = np.stack([align(palm, p[PALM], scaled=False).rotation for p in points])
    size = float(np.median(_apart(points, PALM[1:], PALM[:1])) / np.median(_apart(palm, [1, 2, 3, 4], [0])))
    places = np.repeat(points[:, :1], len(JOINTS), 1)
    turns = np.repeat(wrist[:, None], len(JOINTS), 1)
    stretch = np.full((len(points), len(JOINTS)), size)
    axes = np.zeros((len(JOINTS), 3))
    for number, keypoint in enumerate(range(1, 21)):
        joint = AT_KEYPOINT[keypoint]
        root = number % 4 == 0
        before, origin = (0, 0) if root else (keypoint - 1, joint - 1)
        way = points[:, keypoint] - points[:, before]
        length = np.linalg.norm(way, axis=1, keepdims=True)
        places[:, joint] = places[:, origin] + np.median(length) * way / length
        if root and joint - 1 in METACARPALS:
            origin = joint - 1
            places[:, origin] = places[:, 0] + size * wrist @ (rest[origin] - rest[0])
        if origin:  # the wrist turns with the palm alone
            bone = rest[joint] - rest[origin]
            axes[[origin, joint]] = bone / np.linalg.norm(bone)
            posed = places[:, joint] - places[:, origin]
            turns[:, origin] = _swing(turns[:, origin], axes[origin], posed)
            stretch[:, origin] = np.linalg.norm(posed, axis=1) / np.linalg.norm(bone)
            turns[:, joint], stretch[:, joint] = turns[:, origin], stretch[:, origin]
    if not (stretch > LEAST_RATIO).all() or not (stretch < MOST_RATIO).all():
        raise PerceptionError(
            f"keypoints: expected bones {LEAST_RATIO} to {MOST_RATIO} times the mesh's, "
            f'got {stretch.min():.2f} to {stretch.max():.2f}'
        )
    along = axes[:, :, None] * axes[:, None]
    shaped = size * np.eye(3) + (stretch - size)[..., None, None] * along
    moves = turns @ shaped
    offsets = places - np.einsum('tjab,jb->tja', moves, rest)
    carried = np.einsum('vj,tjab->tvab', rig.weights, moves, optimize=True)
    return (np.einsum('tvab,vb->tva', carried, rig.vertices) + rig.weights @ offsets).astype(np.float32)


def _apart(points: np.ndarray, one: np.ndarray | list[int], other: np.ndarray | list[int]) -> np.ndarray:
    return np.linalg.norm(points[..., one, :] - points[..., other, :], axis=-1)


def _swing(turns: np.ndarray, axis: np.ndarray, onto: np.ndarray) -> np.ndarray:
    """Rotations [T,3,3] followed by the smallest one that takes their ``axis`` [3] to the directions ``onto`` [T,3]."""
    start, end = turns @ axis, onto / np.linalg.norm(onto, axis=1, keepdims=True)
    x, y, z = np.cross(start, end).T
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(-1, 3, 3)
    cosine = (start * end).sum(1)[:, None, None]
    return (np.eye(3) + cross + cross @ cross / np.maximum(1 + cosine, 1e-6)) @ turns
