"""The slips that publishers of a scene make most often, each with what would undo it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import product

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from hoigen.conventions import HAND, OBJECT, ROLE_CODE
from hoigen.geometry.camera import resize_camera
from hoigen.geometry.meshes import MeshTable
from hoigen.geometry.transforms import invert, rigid
from hoigen.records import Camera, RecordError

FROM_OPENGL = np.diag([1.0, -1.0, -1.0, 1.0])
FROM_BODY = rigid(np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]]), np.zeros(3))
"""Optical frame (x right, y down, z forward) in a body frame (x forward, y left, z up)."""

UNITS = {'millimetres': 1e-3, 'centimetres': 1e-2}

ROUNDS, PRECISION, BLUR = 60, 1e-4, 9
"""Of the alignment of one depth image to another; BLUR: pixels."""

COARSE, FARTHEST, OTHER = 4, 0.25, 0.2
"""It begins at the best shift by whole blocks of COARSE pixels, up to the part FARTHEST of the image's sides. A larger
difference of log depth than OTHER is another surface, however large it is."""


@dataclass(frozen=True, eq=False)
class Posed:
    """A scene at one timestamp, as published: camera, mesh table, and where the meshes are, as in a SceneFrame."""

    camera: Camera
    table: MeshTable
    poses: Mapping[str, np.ndarray]
    vertices: Mapping[str, np.ndarray]

    def world(self) -> np.ndarray:
        """World vertices [V,3] float64."""
        return self.table.posed(self.poses, self.vertices)


@dataclass(frozen=True, eq=False)
class Slip:
    """What was published wrongly, how to mend it, and the scene as it would be then."""

    says: str
    mend: Callable[[Posed], Posed]


def scene_slips() -> Iterator[Slip]:
    """The slips that change where something is, in the order in which they are tried."""
    for says, mend in (
        (
            "camera/pose is in OpenGL's frame (x right, y up, z backwards): publish the optical frame (x right, y "
            'down, z forward), rotated from it by 180 degrees about x',
            lambda T: T @ FROM_OPENGL,
        ),
        ('camera/pose is the inverse: publish T_world_camera, where the camera is in world', invert),
        (
            "camera/pose is OpenGL's view matrix: publish its inverse, with y down and z forward",
            lambda T: invert(T) @ FROM_OPENGL,
        ),
        (
            'camera/pose is the body frame (x forward, y left, z up): publish the optical frame (x right, y down, z '
            'forward)',
            lambda T: T @ FROM_BODY,
        ),
        ('the quaternion of camera/pose is in the order w, x, y, z: messages have x, y, z, w', _reordered),
    ):
        yield Slip(says, partial(_with_camera, mend=mend))
    yield Slip(
        'the quaternions of mesh_frame are in the order w, x, y, z: messages have x, y, z, w',
        lambda scene: _with_poses(scene, _reordered),
    )
    yield Slip(
        'the quaternions of mesh_frame and camera/pose are in the order w, x, y, z: messages have x, y, z, w',
        lambda scene: _with_poses(_with_camera(scene, _reordered), _reordered),
    )
    for roles in ((OBJECT,), (HAND,), (HAND, OBJECT)):
        yield Slip(
            f'the vertices of {" and ".join(roles)} in mesh_assets are in world already: publish them in the '
            "mesh's own frame, or with the identity as pose",
            partial(_with_poses, mend=lambda T: np.eye(4), roles=roles),
        )
    for unit, metres in UNITS.items():
        yield Slip(
            f'the vertices in mesh_assets are in {unit}: publish metres',
            partial(_with_vertices, metres=metres),
        )
        yield Slip(
            f'vertices and positions are in {unit}: publish metres',
            partial(_shrunk, metres=metres),
        )


def lens_slips(camera: Camera, shown_m: np.ndarray, meshes_m: np.ndarray) -> list[Slip]:
    """The intrinsics with which the meshes' depth [h,w] would lie on the camera's [h,w], if any are found.

    Both are ``camera``'s view at another size, NaN or infinite where unknown.
    """
    known = np.isfinite(shown_m) & np.isfinite(meshes_m)
    if not known.any():
        return []
    far = max(float(depth[known].max()) for depth in (shown_m, meshes_m))
    shown, meshes = (
        np.log(np.where(np.isfinite(depth), depth, far)).astype(np.float32) for depth in (shown_m, meshes_m)
    )
    small = resize_camera(camera, *shown.shape[::-1])
    try:
        _, found = cv2.findTransformECC(
            meshes,
            shown,
            _best_shift(meshes, shown),
            cv2.MOTION_AFFINE,
            (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, ROUNDS, PRECISION),
            None,
            BLUR,
        )
        K = np.vstack([found, [0, 0, 1]]) @ small.K
        mended = Camera(
            np.diag(np.diag(K)) + np.array([[0, 0, K[0, 2]], [0, 0, K[1, 2]], [0, 0, 0]]),
            small.width,
            small.height,
            np.eye(4),
        )
    except (cv2.error, RecordError):  # no alignment, or one that no lens has
        return []
    like, came = (
        f'fx {K[0, 0]:.0f}, fy {K[1, 1]:.0f}, cx {K[0, 2]:.0f}, cy {K[1, 2]:.0f}'
        for K in (resize_camera(mended, camera.width, camera.height).K, camera.K)
    )
    return [
        Slip(
            f'camera/camera_info: k: expected about {like}, with which camera/depth shows the meshes, got {came}',
            lambda scene: replace(scene, camera=replace(mended, T_world_cam=scene.camera.T_world_cam)),
        )
    ]


def _best_shift(meshes: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """[2,3] float32: the shift after which two images [h,w] differ least, in coarse steps."""
    meshes, shown = (
        cv2.resize(image, None, fx=1 / COARSE, fy=1 / COARSE, interpolation=cv2.INTER_AREA) for image in (meshes, shown)
    )
    height, width = meshes.shape

    def difference(shift: tuple[int, int]) -> float:
        (top, left), (up, before) = (tuple(max(0, sign * part) for part in shift) for sign in (1, -1))
        apart = shown[top : height - up, left : width - before] - meshes[up : height - top, before : width - left]
        return float(np.minimum(np.abs(apart), OTHER).mean())

    down, right = (int(FARTHEST * side) for side in (height, width))
    v, u = min(product(range(-down, down + 1), range(-right, right + 1)), key=difference)
    return np.array([[1, 0, COARSE * u], [0, 1, COARSE * v]], np.float32)


def _with_camera(scene: Posed, mend: Callable[[np.ndarray], np.ndarray]) -> Posed:
    return replace(scene, camera=replace(scene.camera, T_world_cam=mend(scene.camera.T_world_cam)))


def _with_poses(scene: Posed, mend: Callable[[np.ndarray], np.ndarray], roles: tuple[str, ...] = ()) -> Posed:
    """``roles``: of whose assets; () is all."""
    codes = [ROLE_CODE[role] for role in roles]
    meant = {name for name, code in zip(scene.table.ids, scene.table.roles, strict=True) if not roles or code in codes}
    return replace(scene, poses={name: mend(T) if name in meant else T for name, T in scene.poses.items()})


def _with_vertices(scene: Posed, metres: float) -> Posed:
    return replace(
        scene,
        table=replace(scene.table, vertices=metres * scene.table.vertices),
        vertices={name: metres * vertices for name, vertices in scene.vertices.items()},
    )


def _shrunk(scene: Posed, metres: float) -> Posed:
    mend = _shrinking(metres)
    return _with_vertices(_with_poses(_with_camera(scene, mend), mend), metres)


def _shrinking(metres: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda T: rigid(T[:3, :3], metres * T[:3, 3])


def _reordered(T: np.ndarray) -> np.ndarray:
    """The pose whose quaternion w, x, y, z was taken for x, y, z, w."""
    w, x, y, z = Rotation.from_matrix(T[:3, :3]).as_quat()
    return rigid(Rotation.from_quat([x, y, z, w]).as_matrix(), T[:3, 3])
