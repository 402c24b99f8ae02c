"""Episodes of simulated hand-object interaction as scene frames with exact geometry and labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from itertools import product

import mujoco
import numpy as np

from hoigen.conventions import HAND, OBJECT
from hoigen.geometry.camera import project, resize_camera
from hoigen.geometry.meshes import MeshTable, mesh_table
from hoigen.geometry.raster import visible_fractions
from hoigen.geometry.transforms import apply, as_carried
from hoigen.records import Action, Camera, Hands, Joints, Labels, MeshAsset, Objects, SceneFrame
from hoigen.sources.mujoco.cameras import place_cameras
from hoigen.sources.mujoco.config import MujocoConfig
from hoigen.sources.mujoco.control import Plan, Step, body_pose, simulate
from hoigen.sources.mujoco.draws import Draws
from hoigen.sources.mujoco.hand import HAND_JOINTS, HAND_KEYPOINTS, HAND_UNITS
from hoigen.sources.mujoco.objects import make_thing
from hoigen.sources.mujoco.render import Renderer
from hoigen.sources.mujoco.scene import THING, Scene, build_scene, hand_id
from hoigen.sources.mujoco.tasks import ANY, TASKS, shapes_of, tasks_of

__all__ = ['EpisodeError', 'MujocoSource', 'SimulatedEpisode']

CHECK_HEIGHT = 64  # pixels of the pictures in which visibility is checked
FIRST_OBJECT, ANY_OBJECT, ANY_HAND, TOGETHER = 0.02, 0.006, 0.03, 0.11  # least shares of the picture


class EpisodeError(RuntimeError):
    """No attempt at an episode gave a clip worth keeping."""


@dataclass(frozen=True, eq=False)
class SimulatedEpisode:
    """One kept clip; its frames are rendered as they are asked for, always the same, with poses as messages carry them.

    assets: what the frames' poses place. task, shape: names of TASKS and SHAPES; plan.sentence says it in words.
    attempt: how many simulations came before the one that was kept. steps, cameras: one per frame.
    """

    assets: tuple[MeshAsset, ...]
    task: str
    shape: str
    seed: int
    attempt: int
    index: int
    config: MujocoConfig
    scene: Scene
    plan: Plan
    steps: tuple[Step, ...]
    cameras: tuple[Camera, ...]
    renderer: Renderer

    def frames(self) -> Iterator[SceneFrame]:
        """The clip's instants in order, from stamp 0."""
        data, table = mujoco.MjData(self.scene.model), mesh_table(self.assets)
        for number, (step, camera) in enumerate(zip(self.steps, self.cameras, strict=True)):
            pose_data(self.scene, data, step)
            rgb = self.renderer.rgb(self.scene, data, camera)
            depth = self.renderer.depth(self.scene, data, camera) if self.config.depth else None
            poses = {key: as_carried(body_pose(data, body)) for key, body in self.scene.asset_bodies.items()}
            camera = replace(camera, T_world_cam=as_carried(camera.T_world_cam))
            labels = self._labels(number, poses, camera, table)
            yield SceneFrame(round(number * 1e9 / self.config.rate_hz), camera, rgb, depth, poses, {}, labels)

    def _labels(self, number: int, poses: Mapping[str, np.ndarray], camera: Camera, table: MeshTable) -> Labels:
        step = self.steps[number]
        ids = (THING, *(asset.id for asset in self.assets if asset.role == OBJECT and asset.id != THING))
        seen = visible_fractions(camera, table, table.posed(poses, {}), ids)
        return Labels(
            episode=self.index,
            frame=number,
            last=number == len(self.steps) - 1,
            task=self.plan.sentence,
            objects=Objects(ids, np.stack([poses[name] for name in ids]), seen),
            hands=_right_hand(poses, camera),
            joints=Joints(HAND_JOINTS, step.qpos[self.scene.joint_qpos].astype(np.float32)),
            action=Action(HAND_JOINTS, HAND_UNITS, step.action.astype(np.float32)),
            contacts=step.contacts,
        )


def _right_hand(poses: Mapping[str, np.ndarray], camera: Camera) -> Hands:
    """The hand whose assets have these poses; its wrist is the joint at the palm, its frame the palm's."""
    keypoints = np.array([[apply(poses[hand_id(body)], np.array([0, 0, along_m])) for body, along_m in HAND_KEYPOINTS]])
    pixels, depth = project(camera, keypoints)
    pixels = np.where(depth[..., None] > 0, pixels, np.nan)
    return Hands(('right',), poses[hand_id('palm')][None], keypoints.astype(np.float32), pixels.astype(np.float32))


class MujocoSource:
    """Simulates and renders episodes; each is the same bit for bit for the same config, seed and index."""

    def __init__(self, config: MujocoConfig) -> None:
        self.config = config
        self._renderer = Renderer(config.width, config.height)

    def episode(self, seed: int, index: int = 0) -> SimulatedEpisode:
        """Simulate until the task succeeded and hand and object stay in view; raise after ``attempts`` failures."""
        return self.views(seed, (self.config.camera,), index)[0]

    def views(self, seed: int, cameras: Sequence[str], index: int = 0) -> tuple[SimulatedEpisode, ...]:
        """One physical episode through several cameras, each of which must see hand and object all the time."""
        config, views = self.config, [replace(self.config, camera=name) for name in cameras]
        choice = Draws(config.split, seed, index)
        shape = config.shape if config.shape != ANY else choice.pick(shapes_of(config.task))
        name = config.task if config.task != ANY else choice.pick(tasks_of(shape))
        reasons = []
        for attempt in range(config.attempts):
            result = self._attempt(shape, name, views, (seed, index, attempt))
            if not isinstance(result, str):
                return result
            reasons.append(result)
        raise EpisodeError(
            f'{name} with a {shape}, seed {seed}, index {index}: none of {config.attempts} attempts '
            f'was good: {", ".join(sorted(set(reasons)))}'
        )

    def attempt(self, shape: str, task: str, seed: int, index: int, attempt: int) -> SimulatedEpisode | str:
        """One simulation; gives why it was not good, if it was not."""
        result = self._attempt(shape, task, [self.config], (seed, index, attempt))
        return result if isinstance(result, str) else result[0]

    def _attempt(
        self, shape: str, task: str, views: list[MujocoConfig], key: tuple[int, int, int]
    ) -> tuple[SimulatedEpisode, ...] | str:
        config, (seed, index, attempt) = self.config, key
        draws = Draws(config.split, seed, index, attempt + 1)
        thing = make_thing(shape, draws)
        scene = build_scene(thing, draws, texture_size(config))
        plan = TASKS[task].plan(thing, f'{scene.colour} {thing.noun}', draws)
        steps = simulate(scene, plan, (config.frames - 1) / config.rate_hz, config.frames)
        failed = TASKS[task].failed(steps)
        if failed:
            return failed
        episodes, seen = [], _must_see(scene, steps)
        for view in views:  # each from the same draws, so that a camera stands where it stands alone
            placed = place_cameras(view.camera, deepcopy(draws), seen, config.width, config.height)
            unseen = self._unseen(scene, steps, placed)
            if unseen:
                return unseen
            episodes.append(
                SimulatedEpisode(
                    scene.assets,
                    task,
                    shape,
                    seed,
                    attempt,
                    index,
                    view,
                    scene,
                    plan,
                    tuple(steps),
                    tuple(placed),
                    self._renderer,
                )
            )
        return tuple(episodes)

    def _unseen(self, scene: Scene, steps: list[Step], cameras: list[Camera]) -> str | None:
        """Why the clip's pictures do not show hand and object well enough, or None."""
        data = mujoco.MjData(scene.model)
        for number, (step, camera) in enumerate(zip(steps, cameras, strict=True)):
            pose_data(scene, data, step)
            geoms = self._renderer.geoms(scene, data, _small(camera))
            hand, thing = np.isin(geoms, scene.hand_geoms).mean(), np.isin(geoms, scene.thing_geoms).mean()
            if thing < (ANY_OBJECT if number else FIRST_OBJECT):
                return 'the object was hidden or too small'
            if hand < ANY_HAND or hand + thing < TOGETHER:
                return 'the hand was hidden or too small'
        return None


def texture_size(config: MujocoConfig) -> int:
    """Pixels of the table's texture, by the size of the pictures."""
    return 256 if config.height <= 192 else 512


def pose_data(scene: Scene, data: mujoco.MjData, step: Step) -> None:
    """Put the scene's bodies and lights where they were at this step."""
    data.qpos[:] = step.qpos
    mujoco.mj_kinematics(scene.model, data)
    mujoco.mj_comPos(scene.model, data)
    mujoco.mj_camlight(scene.model, data)


def _must_see(scene: Scene, steps: list[Step]) -> np.ndarray:
    """Points [T,P,3] about palm, fingers and object that a camera has to keep in view: the corners of their boxes."""
    data = mujoco.MjData(scene.model)
    corners = {
        scene.asset_bodies[a.id]: _corners(a.vertices)
        for a in scene.assets
        if a.role == OBJECT or (a.role == HAND and a.id not in ('hand/forearm', 'hand/wrist'))
    }
    rows = []
    for step in steps:
        pose_data(scene, data, step)
        rows.append(np.concatenate([apply(body_pose(data, body), points) for body, points in corners.items()]))
    return np.array(rows)


def _corners(vertices: np.ndarray) -> np.ndarray:
    """The corners [8,3] of the box about vertices [V,3]."""
    sides = np.stack([vertices.min(0), vertices.max(0)])
    return np.array([[sides[i, 0], sides[j, 1], sides[k, 2]] for i, j, k in product((0, 1), repeat=3)])


def _small(camera: Camera) -> Camera:
    """The same view in fewer pixels."""
    if camera.height <= CHECK_HEIGHT:
        return camera
    return resize_camera(camera, round(camera.width * CHECK_HEIGHT / camera.height), CHECK_HEIGHT)
