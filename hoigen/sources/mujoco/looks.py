"""One simulated episode in other looks: the same physics and cameras, other surfaces, light and exposure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import mujoco
import numpy as np

from hoigen.records import SceneFrame
from hoigen.sources.mujoco.draws import Draws
from hoigen.sources.mujoco.scene import COLLISION_GROUP, Scene, build_scene
from hoigen.sources.mujoco.source import SimulatedEpisode, pose_data, texture_size
from hoigen.sources.mujoco.textures import colour_name

__all__ = ['Look', 'look_of']

PARTS = ('hand', 'sleeve', 'table', 'wall')
"""What a look's words name besides the object, by material."""
MATERIALS = {'hand': 'MatViz', 'sleeve': 'sleeve', 'table': 'table', 'wall': 'wall'}


@dataclass(frozen=True, eq=False)
class Look:
    """An episode in one look. prompt: the task and the look in words. gain: [3], gamma and noise of its exposure."""

    episode: SimulatedEpisode
    prompt: str
    gain: np.ndarray
    gamma: float
    noise: float
    number: int

    def frames(self) -> Iterator[SceneFrame]:
        """The episode's frames, exposed."""
        for t, frame in enumerate(self.episode.frames()):
            yield replace(frame, rgb=self._exposed(frame.rgb, t))

    def clean_background(self) -> np.ndarray | None:
        """What the camera sees without hand and object and their shadows, [H,W,3] uint8; None where it moves."""
        poses = [camera.T_world_cam for camera in self.episode.cameras]
        if any((pose != poses[0]).any() for pose in poses):
            return None
        scene, model = self.episode.scene, self.episode.scene.model
        shown = model.geom_group.copy()
        model.geom_group[[*scene.hand_geoms, *scene.thing_geoms]] = COLLISION_GROUP
        data = mujoco.MjData(model)
        pose_data(scene, data, self.episode.steps[0])
        try:
            picture = self.episode.renderer.rgb(scene, data, self.episode.cameras[0])
        finally:
            model.geom_group[:] = shown
        return self._exposed(picture, len(self.episode.steps))

    def _exposed(self, rgb: np.ndarray, number: int) -> np.ndarray:
        grain = np.random.default_rng((self.episode.seed, self.episode.index, self.number, number))
        light = self.gain * (rgb / 255) ** self.gamma + self.noise * grain.standard_normal(rgb.shape)
        return np.rint(255 * light.clip(0, 1)).astype(np.uint8)


def look_of(episode: SimulatedEpisode, number: int) -> Look:
    """Look ``number`` of an episode; 0 is its own, as :meth:`SimulatedEpisode.frames` gives it."""
    if number == 0:
        return Look(episode, _prompt(episode.plan.sentence, episode.scene), np.ones(3), 1.0, 0.0, 0)
    e = episode
    draws = Draws(e.config.split, e.seed, e.index, e.attempt + 1, number)
    scene = build_scene(e.scene.thing, draws, texture_size(e.config))
    for places in ('body_pos', 'body_quat'):  # a chest stands where its task put it
        getattr(scene.model, places)[:] = getattr(e.scene.model, places)
    sentence = e.plan.sentence.replace(f'{e.scene.colour} {e.scene.thing.noun}', f'{scene.colour} {scene.thing.noun}')
    warm = draws.free(-0.06, 0.06) * np.array([1.0, 0.0, -1.0])
    return Look(
        replace(e, scene=scene, plan=replace(e.plan, sentence=sentence)),
        _prompt(sentence, scene),
        draws.free(0.8, 1.2) * (1 + warm),
        draws.free(0.85, 1.2),
        draws.free(0.0, 0.02),
        number,
    )


def _prompt(sentence: str, scene: Scene) -> str:
    hand, sleeve, table, wall = (colour_name(_colour(scene.model, MATERIALS[part])) for part in PARTS)
    return f'{sentence}, {hand} hand, {sleeve} sleeve, {table} table, {wall} wall'


def _colour(model: mujoco.MjModel, material: str) -> np.ndarray:
    """The mean colour [3] in 0..1 of a material."""
    m = model.material(material)
    texture = m.texid[mujoco.mjtTextureRole.mjTEXROLE_RGB]
    if texture < 0:
        return m.rgba[:3]
    t = model.tex(texture)
    first = int(t.adr[0])
    pixels = model.tex_data[first : first + int(t.height[0] * t.width[0] * t.nchannel[0])]
    return pixels.reshape(-1, 3).mean(axis=0) / 255
