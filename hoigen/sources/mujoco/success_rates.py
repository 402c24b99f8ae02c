"""Measure how often a single attempt at each task succeeds: ``python -m hoigen.sources.mujoco.success_rates``."""

from __future__ import annotations

from dataclasses import dataclass

import tyro

from hoigen.sources.mujoco.config import MujocoConfig
from hoigen.sources.mujoco.source import MujocoSource, SimulatedEpisode
from hoigen.sources.mujoco.tasks import TASKS, shapes_of


@dataclass(frozen=True)
class RatesConfig:
    """seeds: attempts per task and shape. camera, split: as in the source. tasks: which; empty = all."""

    seeds: int = 40
    camera: str = 'front'
    split: str = 'train'
    tasks: tuple[str, ...] = ()


def measure(config: RatesConfig) -> None:
    """Print a table of first attempts: done (by the physics), kept (also in view in every frame), or why not."""
    print(f'| task | shape | done, of {config.seeds} | kept | why not |\n|---|---|---|---|---|')
    for task in config.tasks or TASKS:
        for shape in shapes_of(task):
            source = MujocoSource(
                MujocoConfig(192, 128, camera=config.camera, task=task, shape=shape, split=config.split, depth=False)
            )
            results = [source.attempt(shape, task, seed, 0, 0) for seed in range(config.seeds)]
            kept = sum(isinstance(r, SimulatedEpisode) for r in results)
            reasons = [r for r in results if isinstance(r, str)]
            unseen = sum('hidden' in r for r in reasons)
            why = '; '.join(f'{r}: {reasons.count(r)}' for r in sorted(set(reasons)))
            print(f'| {task} | {shape} | {kept + unseen} | {kept} | {why} |', flush=True)


if __name__ == '__main__':
    measure(tyro.cli(RatesConfig))
