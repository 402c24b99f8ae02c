"""Scenes of several things on a table, each with a hand sometimes in the way: the same view with and without each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import mujoco
import numpy as np
from scipy.spatial.transform import Rotation

from hoigen.conventions import OBJECT
from hoigen.geometry.camera import project
from hoigen.geometry.transforms import apply, look_at, rigid
from hoigen.records import Camera, MeshAsset
from hoigen.sources.mujoco.control import body_pose
from hoigen.sources.mujoco.draws import Draws
from hoigen.sources.mujoco.hand import ARM_JOINTS, HAND_JOINTS, finger_pose
from hoigen.sources.mujoco.objects import SHAPES, Thing, make_thing
from hoigen.sources.mujoco.render import Renderer
from hoigen.sources.mujoco.scene import add_free_thing, begin_scene, draw_look, finish_scene

SETTLE_S = 0.5
HIDDEN_GROUP = 5  # not drawn
AWAY_M = 3.0  # where the hand waits, above the ceiling
FREE_SHAPES = tuple(shape for shape in SHAPES if shape != 'chest')  # a chest's lid hangs on its base
TEXTURE = 128
"""Side of a thing's texture, pixels; the table's has twice as many."""
WIDE_M = 0.07
"""No thing of ours reaches further from its own axis than this; wider ones are put further apart."""


@dataclass(frozen=True, eq=False)
class Look:
    """A thing and how it looks: ``asset`` is its textured mesh, in the thing's frame; caption: 'red mug'."""

    thing: Thing
    asset: MeshAsset
    caption: str


@dataclass(frozen=True, eq=False)
class Sight:
    """One view of a scene with and without one of its things.

    rgb, without: [H,W,3] uint8. depth_m, depth_without_m: [H,W] float32 along the optical axis, NaN where nothing is.
    """

    camera: Camera
    T_world_object: np.ndarray
    rgb: np.ndarray
    without: np.ndarray
    depth_m: np.ndarray
    depth_without_m: np.ndarray


@dataclass(frozen=True, eq=False)
class Clutter:
    """A compiled scene. looks: its things; bodies, geoms: of each of them in the model. joint_qpos: the hand's."""

    model: mujoco.MjModel
    data: mujoco.MjData
    looks: tuple[Look, ...]
    bodies: tuple[int, ...]
    joint_qpos: np.ndarray

    def pose(self, number: int) -> np.ndarray:
        """``T_world_object`` of a thing."""
        return body_pose(self.data, self.bodies[number])

    def move(self, number: int, T_world_object: np.ndarray) -> None:
        """Put a thing somewhere, without physics."""
        first = self.model.jnt_qposadr[self.model.body_jntadr[self.bodies[number]]]
        quaternion = Rotation.from_matrix(T_world_object[:3, :3]).as_quat(scalar_first=True)
        self.data.qpos[first : first + 7] = np.concatenate([T_world_object[:3, 3], quaternion])
        self._place()

    def put_hand(self, joints: np.ndarray | None) -> None:
        """Put the hand to joint positions [30], or away."""
        away = np.zeros(len(HAND_JOINTS))
        away[ARM_JOINTS.index('ARTz')] = AWAY_M
        self.data.qpos[self.joint_qpos] = away if joints is None else joints
        self._place()

    def see(self, renderer: Renderer, camera: Camera, number: int) -> Sight:
        """A view with and without a thing; without it there is no shadow of it either."""
        rgb, depth = renderer.rgb(self, self.data, camera), renderer.depth(self, self.data, camera)
        own = self.model.geom_bodyid == self.bodies[number]
        groups = self.model.geom_group.copy()
        self.model.geom_group[own] = HIDDEN_GROUP
        without, depth_without = renderer.rgb(self, self.data, camera), renderer.depth(self, self.data, camera)
        self.model.geom_group[:] = groups
        return Sight(camera, self.pose(number), rgb, without, depth, depth_without)

    def _place(self) -> None:
        mujoco.mj_kinematics(self.model, self.data)
        mujoco.mj_comPos(self.model, self.data)
        mujoco.mj_camlight(self.model, self.data)


def draw_looks(draws: Draws, count: int, texture: int = TEXTURE) -> tuple[Look, ...]:
    """``count`` things of any shape, each with a look of its own; texture: its side, pixels."""
    found = []
    for number in range(count):
        thing = make_thing(draws.pick(FREE_SHAPES), draws)
        picture, colour = draw_look(draws, texture)
        mesh = thing.mesh
        asset = MeshAsset(
            f'thing_{number}',
            OBJECT,
            mesh.vertices.astype(np.float32),
            mesh.triangles,
            mesh.uv.astype(np.float32),
            np.ascontiguousarray(picture),
        )
        found.append(Look(thing, asset, f'{colour} {thing.noun}'))
    return tuple(found)


def build_clutter(looks: Sequence[Look], draws: Draws, texture: int = TEXTURE) -> Clutter:
    """The things dropped close together on a table, at rest; their looks are as given, all others are drawn."""
    spec = begin_scene(draws, 2 * texture)
    for look in looks:
        assert look.asset.texture is not None
        add_free_thing(spec, look.asset.id, look.thing, look.asset.texture, draws)
    model = finish_scene(spec, draws)
    scene = Clutter(
        model,
        mujoco.MjData(model),
        tuple(looks),
        tuple(model.body(look.asset.id).id for look in looks),
        np.array([model.joint(name).qposadr[0] for name in HAND_JOINTS]),
    )
    scene.put_hand(None)
    turn, ring = draws.free(0, 2 * np.pi), max(draws.free(0.055, 0.085), _ring_of_wide(looks))
    for number, look in enumerate(looks):
        angle = turn + 2 * np.pi * number / len(looks)
        at = [ring * np.cos(angle), ring * np.sin(angle), look.thing.half_height + 0.004]
        yaw = Rotation.from_euler('z', draws.free(-np.pi, np.pi)).as_matrix()
        scene.move(number, rigid(yaw, np.array(at)))
    hold = scene.data.qpos[scene.joint_qpos].copy()
    for _ in range(round(SETTLE_S / model.opt.timestep)):
        scene.data.qpos[scene.joint_qpos] = hold  # the hand takes no part
        scene.data.qvel[: len(HAND_JOINTS)] = 0
        mujoco.mj_step(model, scene.data)
    scene.put_hand(None)
    return scene


def _ring_of_wide(looks: Sequence[Look]) -> float:
    """The radius on which things do not touch, m; 0 if none is wide, for those may be pushed apart."""
    widest = max(float(np.hypot(look.asset.vertices[:, 0], look.asset.vertices[:, 1]).max()) for look in looks)
    if widest <= WIDE_M or len(looks) == 1:
        return 0.0
    return widest / float(np.sin(np.pi / len(looks)))


def lift(scene: Clutter, number: int, draws: Draws) -> None:
    """Hold a thing in the air somewhere above its place, turned anyhow."""
    turned = Rotation.random(random_state=int(draws.rng.integers(2**31))).as_matrix()
    at = scene.pose(number)[:3, 3] + [draws.free(-0.03, 0.03), draws.free(-0.03, 0.03), draws.free(0.02, 0.10)]
    scene.move(number, rigid(turned, at))


def reach(scene: Clutter, number: int, camera: Camera, draws: Draws) -> None:
    """Put the hand between a thing and the camera, a little aside, so that it hides a part of the thing."""
    towards = camera.T_world_cam[:3, 3] - scene.pose(number)[:3, 3]
    towards /= np.linalg.norm(towards)
    aside = np.array([draws.free(-0.06, 0.06), draws.free(-0.06, 0.06), draws.free(0.0, 0.05)])
    joints = np.zeros(len(HAND_JOINTS))
    joints[:3] = scene.pose(number)[:3, 3] + towards * draws.free(0.05, 0.11) + aside
    joints[3:6] = draws.free(-np.pi, np.pi), draws.free(-0.6, 0.6), draws.free(-1.0, 1.0)
    joints[8:] = finger_pose(draws.free(0.1, 0.8), draws.free(0, 0.25), draws.free(0, 1), draws.free(0, 1))
    scene.put_hand(joints)


def look_from(scene: Clutter, number: int, draws: Draws, size: int, share: float) -> Camera:
    """A camera [size,size] from anywhere above the table in whose middle, roughly, a thing takes ``share`` of the
    side."""
    azimuth, elevation = draws.free(-np.pi, np.pi), draws.free(np.radians(8), np.radians(62))
    distance = draws.free(0.35, 0.65)
    way = np.array([np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)])
    vertices = apply(scene.pose(number), scene.looks[number].asset.vertices)
    target = (vertices.min(0) + vertices.max(0)) / 2
    up = np.array([0.12 * draws.free(-1, 1), 0.12 * draws.free(-1, 1), 1.0])
    pose = look_at(target + distance * way, target, tuple(up))
    middle = (size - 1) / 2
    camera = Camera(np.array([[size, 0, middle], [0, size, middle], [0, 0, 1.0]]), size, size, pose)
    pixels = project(camera, vertices)[0]
    across = float(np.ptp(pixels, axis=0).max())
    K = camera.K.copy()
    K[0, 0] = K[1, 1] = size * share * size / across
    jitter = draws.free(-0.06, 0.06) * size, draws.free(-0.06, 0.06) * size
    shift = (np.array(jitter) - ((pixels.max(0) + pixels.min(0)) / 2 - middle)) / K[0, 0]
    turned = Rotation.from_euler('yx', [-shift[0], shift[1]]).as_matrix()
    return Camera(K, size, size, rigid(pose[:3, :3] @ turned, pose[:3, 3]))
