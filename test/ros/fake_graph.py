"""Small stand-ins for simulator and video model, with their signatures; run as a program it is one node of a graph.

``python fake_graph.py synthesizer --ros-args ...`` does what ``python -m hoigen.ros.nodes synthesizer`` does, in a
fraction of the time.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).parents[1]))

from synthetic_scene import moving_scene

from hoigen.conditioning import pasted_baseline
from hoigen.records import Conditions, Fidelity, GeneratedClip, Labels, MeshAsset, Provenance, SceneFrame
from hoigen.ros.nodes import condition_builder, episode_recorder, sim_source, synthesizer
from hoigen.ros.nodes.base import spin
from hoigen.ros.nodes.synthesizer import SynthesizerConfig
from hoigen.video.sampling import DEFAULT, Sampling

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
    """Gives the moving scene as every episode; the camera sways by the seed and number, so that they differ."""

    def episode(self, seed: int, index: int) -> FakeEpisode:
        assets, frames = moving_scene(FRAMES, 0.01 * (seed + index), WIDTH, HEIGHT)
        return FakeEpisode(index, assets, tuple(frames))


class FakeGenerator:
    """Pastes the coloured points, step by step, over noise of the seed that shows in one corner.

    ``fidelity``: of the clip that it makes of a seed.
    """

    width, height = 48, 32

    def __init__(self, steps: int = 3, step_s: float = 0.0, fidelity: Callable[[int], float] = lambda seed: 0.75
                 ) -> None:
        self._steps, self._step_s, self._fidelity = steps, step_s, fidelity
        self.asked: list[Sampling] = []

    def generate(self, conditions: Conditions, labels: tuple[Labels, ...], *, seed: int, sampling: Sampling = DEFAULT,
                 on_step: Callable[[int, int, np.ndarray | None], None] | None = None) -> GeneratedClip:
        frames, steps = pasted_baseline(conditions), sampling.steps or self._steps
        frames[:, :4, :4] = np.random.default_rng(seed).integers(0, 256, (len(frames), 4, 4, 3))
        for step in range(1, steps + 1):
            time.sleep(self._step_s)
            if on_step is not None:
                on_step(step, steps, frames[-1])
        self.asked.append(sampling)
        mean = self._fidelity(seed)
        mask = np.linspace(mean - 0.1, mean + 0.1, len(frames), dtype=np.float32)
        return GeneratedClip(conditions.stamps_ns, conditions.cameras, frames,
                             Fidelity(mask, mask, np.ones_like(mask)), labels,
                             Provenance(seed, {'model': 'fake'}, '', {}, {}, {}))


def fidelity_of(seed: int) -> float:
    """What the model of a graph of stand-ins reaches with a seed."""
    return 0.9 if seed % 2 else 0.7


def fake_model(config: SynthesizerConfig) -> FakeGenerator:
    """A model that is there, unless the parameters ask for another."""
    if config.model != 'tiny':
        raise FileNotFoundError(f'model {config.model}: expected one of tiny')
    return FakeGenerator(step_s=0.1, fidelity=fidelity_of)


def main() -> int:
    node = sys.argv.pop(1)
    if node == 'sim_source':
        return spin(lambda: sim_source.SimSource(lambda config: FakeSource()))
    if node == 'synthesizer':
        return spin(lambda: synthesizer.Synthesizer(fake_model))
    return {'condition_builder': condition_builder, 'episode_recorder': episode_recorder}[node].main()


if __name__ == '__main__':
    sys.exit(main())
