"""Make clip files for training (:mod:`hoigen.video.data`), with the simulator or of recorded episodes."""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from rich.progress import track

from hoigen.conditioning import ConditioningConfig, build_clip, build_conditions, scene_images, window
from hoigen.episodes import load_clip
from hoigen.episodes.bags import Bag, find_bags
from hoigen.records import Clip
from hoigen.sources.mujoco import MujocoConfig, MujocoSource, look_of
from hoigen.video.data import DataError, write_clip
from hoigen.video.options import ClipsConfig

CAMERAS = ('front', 'front', 'side', 'over', 'corner', 'shoulder', 'ego')
"""The cameras of a set, in turn by seed: the default camera twice as often."""


def make_clips(config: ClipsConfig) -> int:
    """Write the clips that are not there yet; 1 if an episode could not be used."""
    config.out.mkdir(parents=True, exist_ok=True)
    faults = _simulate(config) if config.from_bags is None else _convert(config, find_bags([config.from_bags]))
    for fault in faults:
        print(fault)
    print(f'{len(list(config.out.glob("*.safetensors")))} clips in {config.out}')
    return 1 if faults else 0


def _simulate(config: ClipsConfig) -> list[str]:
    wanted = range(config.first_seed, config.first_seed + config.count)
    seeds = [s for s in wanted if not all(_path(config, s, n).exists() for n in range(config.looks))]
    with ProcessPoolExecutor(max_workers=config.workers, mp_context=multiprocessing.get_context('spawn')) as pool:
        made = pool.map(_make, [config] * len(seeds), seeds, chunksize=4)
        for _ in track(made, total=len(seeds), description=f'{config.split} clips'):
            pass
    return []


def _path(config: ClipsConfig, seed: int, look: int) -> Path:
    return config.out / (f'{seed:07d}_{look}.safetensors' if look else f'{seed:07d}.safetensors')


def _make(config: ClipsConfig, seed: int) -> None:
    os.environ.setdefault('OMP_NUM_THREADS', '1')
    camera = CAMERAS[seed % len(CAMERAS)]
    source = MujocoSource(
        MujocoConfig(
            width=config.width,
            height=config.height,
            frames=config.frames,
            camera=camera,
            split=config.split,
            depth=False,
        )
    )
    episode = source.episode(seed)
    info = {'seed': seed, 'camera': camera, 'split': config.split, 'shape': episode.shape, 'task': episode.task}
    for number in range(config.looks):
        path = _path(config, seed, number)
        if not path.exists():
            look = look_of(episode, number)
            clip = build_clip(episode.assets, look.frames(), ConditioningConfig(seed=seed))
            _write(config, path, clip, {**info, 'look': number, 'prompt': look.prompt}, look.clean_background())


def _convert(config: ClipsConfig, episodes: list[Bag]) -> list[str]:
    """Clips of recorded episodes; what is wrong with those that give none."""
    with ProcessPoolExecutor(max_workers=config.workers, mp_context=multiprocessing.get_context('spawn')) as pool:
        made = pool.map(_convert_one, [config] * len(episodes), episodes)
        return [fault for fault in track(made, total=len(episodes), description='episodes') if fault]


def _convert_one(config: ClipsConfig, episode: Bag) -> str | None:
    try:
        clip = load_clip(episode.path)
        for start in starts(len(clip.stamps_ns), config.frames):
            path = config.out / f'{episode.name}_{start:05d}.safetensors'
            if not path.exists():
                _write(config, path, window(clip, start, start + config.frames), {'episode': episode.label})
    except (RuntimeError, ValueError, OSError) as error:
        return f'not used: {error}' if str(episode.path) in str(error) else f'not used: {episode.path}: {error}'
    return None


def starts(length: int, frames: int) -> list[int]:
    """First frames of the clips of ``frames`` frames that cover an episode of ``length``."""
    if length < frames:
        raise DataError(f'expected at least {frames} frames, got {length}')
    return [*range(0, length - frames, frames), length - frames]


def _write(config: ClipsConfig, path: Path, clip: Clip, info: dict, clean_background: np.ndarray | None = None) -> None:
    conditions = build_conditions(clip, width=config.width, height=config.height)
    rgb = scene_images(clip, config.width, config.height)
    write_clip(path, rgb, conditions, {'prompt': conditions.prompt, **info}, config.points, clean_background)
