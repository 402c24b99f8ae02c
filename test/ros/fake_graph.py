"""Small stand-ins for simulator, perception and video model, with their signatures; as a program, one node of a graph.

``python fake_graph.py synthesizer --ros-args ...`` does what ``python -m hoigen.ros.nodes synthesizer`` does, in a
fraction of the time: what only some of the stand-ins need is imported by these.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np

sys.path.append(str(Path(__file__).parents[1]))

from hoigen.editing.records import Edited, Reference, Subject
from hoigen.geometry.transforms import as_carried
from hoigen.look.images import webp
from hoigen.records import (
    Camera,
    Clip,
    ConditionImages,
    Conditions,
    Fidelity,
    Footage,
    GeneratedClip,
    Labels,
    MeshAsset,
    Provenance,
    SceneFrame,
)
from hoigen.ros.options.pose_editor import PoseEditorOptions
from hoigen.ros.options.synthesizer import SynthesizerOptions
from hoigen.video.sampling import DEFAULT, Sampling

if TYPE_CHECKING:
    from rclpy.lifecycle import LifecycleNode

FRAMES, WIDTH, HEIGHT = 5, 60, 40


@dataclass(frozen=True)
class FakeEpisode:
    """The moving scene under another episode's number."""

    index: int
    assets: tuple[MeshAsset, ...]
    scene: tuple[SceneFrame, ...]

    def frames(self) -> Iterator[SceneFrame]:
        for frame in self.scene:
            labels = replace(frame.labels, episode=self.index, last=frame is self.scene[-1])
            yield replace(frame, labels=labels)


class FakeSource:
    """Gives the moving scene as every episode; the camera sways by the seed and number, so that they differ.

    Its poses are as messages carry them, as the simulator's are.
    """

    def __init__(self, frames: int = FRAMES) -> None:
        self._frames = frames

    def episode(self, seed: int, index: int) -> FakeEpisode:
        from synthetic_scene import moving_scene

        assets, frames = moving_scene(self._frames, 0.01 * (seed + index), WIDTH, HEIGHT)
        return FakeEpisode(index, assets, tuple(map(_carried, frames)))


def _carried(frame: SceneFrame) -> SceneFrame:
    camera = replace(frame.camera, T_world_cam=as_carried(frame.camera.T_world_cam))
    return replace(frame, camera=camera, poses={name: as_carried(T) for name, T in frame.poses.items()})


def at_once(step: int) -> None:
    """A model that needs no time for a step."""


class FakeGenerator:
    """Pastes the coloured points, step by step, over noise of the seed that shows in one corner.

    ``after_step`` is called with each step's number; ``fidelity``: of the clip that it makes of a seed.
    """

    width, height, detailed = 48, 32, False

    def __init__(
        self,
        steps: int = 3,
        after_step: Callable[[int], object] = at_once,
        fidelity: Callable[[int], float] = lambda seed: 0.75,
    ) -> None:
        self._steps, self.after_step, self._fidelity = steps, after_step, fidelity
        self.asked: list[Sampling] = []

    def condition_images(self, conditions: Conditions, sampling: Sampling) -> ConditionImages:
        stamps = conditions.stamps_ns.tolist()
        return {'coloured': dict(zip(stamps, map(webp, conditions.coloured), strict=True))}

    def generate(
        self,
        conditions: Conditions,
        labels: tuple[Labels, ...],
        *,
        seed: int,
        sampling: Sampling = DEFAULT,
        on_step: Callable[[int, int, np.ndarray | None], None] | None = None,
    ) -> GeneratedClip:
        from hoigen.conditioning import pasted_baseline

        frames, steps = pasted_baseline(conditions), sampling.steps or self._steps
        frames[:, :4, :4] = np.random.default_rng(seed).integers(0, 256, (len(frames), 4, 4, 3))
        for step in range(1, steps + 1):
            if on_step is not None:
                on_step(step, steps, frames[-1])
            self.after_step(step)
        self.asked.append(sampling)
        mean = self._fidelity(seed)
        mask = np.linspace(mean - 0.1, mean + 0.1, len(frames), dtype=np.float32)
        return GeneratedClip(
            conditions.stamps_ns,
            conditions.cameras,
            frames,
            Fidelity(mask, mask, np.ones_like(mask)),
            labels,
            Provenance(seed, {'model': 'fake'}, '', {}, {}, {}),
        )


def fidelity_of(seed: int) -> float:
    """What the model of a graph of stand-ins reaches with a seed."""
    return 0.9 if seed % 2 else 0.7


def fake_model(config: SynthesizerOptions) -> FakeGenerator:
    """A model that is there, unless the parameters ask for another."""
    if config.model != 'tiny':
        raise FileNotFoundError(f'model {config.model}: expected one of tiny')
    return FakeGenerator(after_step=lambda step: time.sleep(0.1), fidelity=fidelity_of)


class FakeInserter:
    """Paints the object red where the scene lets it be seen, step by step; the seed shows in one corner."""

    def __init__(self, steps: int = 3, after_step: Callable[[int], object] = at_once) -> None:
        self._steps, self.after_step = steps, after_step
        self.asked: list[dict[str, object]] = []

    def insert(
        self,
        rgb: np.ndarray,
        depth_m: np.ndarray,
        camera: Camera,
        subject: Subject,
        T_world_object: np.ndarray,
        *,
        seed: int = 0,
        steps: int | None = None,
        on_step: Callable[[int, int, np.ndarray], None] | None = None,
    ) -> Edited:
        from hoigen.editing.placement import place
        from hoigen.editing.synthesis import make_room

        self.asked.append({'depth_m': depth_m, 'T_world_object': T_world_object, 'seed': seed, 'steps': steps})
        placement = place(subject.mesh, T_world_object, camera)
        room = make_room(rgb, depth_m, placement)
        frame = np.where(room.paint[..., None], np.array([200, 0, 0], np.uint8), rgb)
        frame[:2, :2] = seed % 256
        steps = steps or self._steps
        for step in range(1, steps + 1):
            if on_step is not None:
                on_step(step, steps, frame)
            self.after_step(step)
        return Edited(
            camera,
            frame,
            room.paint,
            room.depth_m,
            float(room.paint.sum() / placement.mask.sum()),
            T_world_object,
            1.0,
            self.provenance(seed, steps),
        )

    def provenance(self, seed: int, steps: int | None = None) -> Provenance:
        return Provenance(seed, {'model': 'fake', 'steps': steps or self._steps}, '', {}, {}, {})


def fake_subject(side_m: float = 0.1) -> Subject:
    """A cube about its origin."""
    from hoigen.editing.placement import box_of

    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], np.float32) * side_m / 2
    cube = box_of(MeshAsset('cube', 'object', corners, np.array([[0, 1, 2]], np.int32)))
    return Subject('a red cube', (Reference(np.full((8, 8, 3), 200, np.uint8), None),), cube)


def fake_insertion(config: PoseEditorOptions) -> tuple[FakeInserter, Subject]:
    """A model that is there, unless the parameters ask for another, and a cube."""
    if config.model != 'insertion-tiny':
        raise FileNotFoundError(f'model {config.model}: expected one of insertion-tiny')
    return FakeInserter(), fake_subject(0.1 * config.scale)


def fake_clip(footage: Footage) -> Clip:
    """Twelve points on a plane 1 m before a camera that stands still, under the footage's own pictures."""
    frames, height, width = footage.rgb.shape[:3]
    K = np.array([[width, 0, (width - 1) / 2], [0, width, (height - 1) / 2], [0, 0, 1.0]])
    camera = Camera(K if footage.K is None else footage.K, width, height, np.eye(4))
    x, y = np.meshgrid(np.linspace(-0.2, 0.2, 4), np.linspace(-0.1, 0.1, 3))
    points = np.stack([x, y, np.ones_like(x)], -1).reshape(-1, 3).astype(np.float32)
    role = np.repeat(np.array([1, 2], np.uint8), 6)
    depth = np.ones((frames, height, width), np.float32) if footage.depth_m is None else footage.depth_m
    mask = np.zeros((frames, height, width), np.uint8)
    mask[:, :, width // 3 :] = 1
    labels = Labels(episode=0, frame=0, last=False, task='fake it')
    return Clip(
        stamps_ns=footage.stamps_ns,
        cameras=(camera,) * frames,
        rgb=footage.rgb,
        depth_m=depth,
        mask=mask,
        points=np.stack([points] * frames),
        point_role=role,
        point_visible=np.ones((frames, 12), bool),
        point_rgb=np.full((12, 3), 90, np.uint8),
        point_rgb_known=np.ones(12, bool),
        point_contact=np.zeros((frames, 12), bool),
        tracks=np.stack([points[:4]] * frames),
        track_visible=np.ones((frames, 4), bool),
        labels=tuple(replace(labels, frame=row, last=row == frames - 1) for row in range(frames)),
    )


class FakeRecording:
    """Two stretches of plain pictures with depth and lens."""

    faults = ()

    def describe(self) -> str:
        return 'fake'

    def stretches(self, frames: int) -> Iterator[Footage]:
        K = np.array([[60.0, 0, 29.5], [0, 60.0, 19.5], [0, 0, 1]])
        for number in range(2):
            yield Footage(
                10**9 * (1 + number) + np.arange(frames) * 10**7,
                np.full((frames, HEIGHT, WIDTH, 3), 99, np.uint8),
                np.ones((frames, HEIGHT, WIDTH), np.float32),
                K,
            )

    def close(self) -> None:
        pass


class FakePerceiver:
    """Finds a clip in all footage but black pictures, which raise, and white ones, of which there is no point map."""

    def __init__(self, config: object = None) -> None:
        self.asked: list[tuple[Footage, str]] = []

    def __call__(self, footage: Footage, source: str) -> SimpleNamespace:
        self.asked.append((footage, source))
        if not footage.rgb.any():
            raise ValueError('no hand in view')
        made = Provenance(0, {'masks': 'fake', 'metric': True}, source, {}, {}, {})
        if (footage.rgb > 250).all():
            return SimpleNamespace(clip=None, reason='no point map', notes=(), provenance=made)
        return SimpleNamespace(clip=fake_clip(footage), reason='', notes=('all is well',), provenance=made)


def main() -> int:
    from hoigen.ros.nodes.base import spin

    node = sys.argv.pop(1)
    module = import_module(f'hoigen.ros.nodes.{node}')
    stand_in: dict[str, Callable[[], LifecycleNode]] = {
        'sim_source': lambda: module.SimSource(lambda config: FakeSource()),
        'synthesizer': lambda: module.Synthesizer(fake_model),
        'pose_editor': lambda: module.PoseEditor(fake_insertion),
        'perception': lambda: module.Perception(FakePerceiver),
    }
    return spin(stand_in[node]) if node in stand_in else int(module.main())


if __name__ == '__main__':
    sys.exit(main())
