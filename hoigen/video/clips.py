"""Make training and held-out clips with the simulator: episodes -> conditions -> files of :mod:`hoigen.video.data`."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich.progress import track

from hoigen.conditioning import ConditioningConfig, build_clip, build_conditions
from hoigen.sources.mujoco import MujocoConfig, MujocoSource
from hoigen.video.data import write_clip

CAMERAS = ('front', 'front', 'side', 'over', 'corner', 'shoulder', 'ego')
"""The cameras of a set, in turn by seed: the default camera twice as often."""


@dataclass(frozen=True)
class ClipsConfig:
    """A set of simulated clips.

    A clip is named by its seed, so a stopped run goes on where it was and a longer one only adds.
    """

    out: Path
    count: int = 1000
    split: Literal['train', 'heldout'] = 'train'
    first_seed: int = 0
    width: int = 192
    height: int = 128
    frames: int = 17
    workers: int = 2


def make_clips(config: ClipsConfig) -> None:
    """Write the clips that are not there yet."""
    config.out.mkdir(parents=True, exist_ok=True)
    seeds = [s for s in range(config.first_seed, config.first_seed + config.count) if not _path(config, s).exists()]
    with ProcessPoolExecutor(max_workers=config.workers, mp_context=multiprocessing.get_context('spawn')) as pool:
        made: Iterator[None] = pool.map(_make, [config] * len(seeds), seeds, chunksize=4)
        for _ in track(made, total=len(seeds), description=f'{config.split} clips'):
            pass


def _path(config: ClipsConfig, seed: int) -> Path:
    return config.out / f'{seed:07d}.safetensors'


def _make(config: ClipsConfig, seed: int) -> None:
    os.environ.setdefault('OMP_NUM_THREADS', '1')
    camera = CAMERAS[seed % len(CAMERAS)]
    source = MujocoSource(MujocoConfig(width=config.width, height=config.height, frames=config.frames, camera=camera,
                                       split=config.split, depth=False))
    episode = source.episode(seed)
    clip = build_clip(episode.assets, episode.frames(), ConditioningConfig(seed=seed))
    conditions = build_conditions(clip, width=config.width, height=config.height)
    info = {'seed': seed, 'camera': camera, 'split': config.split, 'shape': episode.shape, 'task': episode.task,
            'prompt': conditions.prompt}
    write_clip(_path(config, seed), clip.rgb, conditions, info)
