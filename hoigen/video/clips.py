"""Make clip files for training (:mod:`hoigen.video.data`), with the simulator or of recorded episodes."""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich.progress import track

from hoigen.conditioning import ConditioningConfig, build_clip, build_conditions, scene_images, window
from hoigen.episodes import load_clip
from hoigen.episodes.bags import Bag, find_bags
from hoigen.records import Clip
from hoigen.sources.mujoco import MujocoConfig, MujocoSource
from hoigen.video.data import STORED_POINTS, DataError, write_clip

CAMERAS = ('front', 'front', 'side', 'over', 'corner', 'shoulder', 'ego')
"""The cameras of a set, in turn by seed: the default camera twice as often."""


@dataclass(frozen=True)
class ClipsConfig:
    """A set of clips for training, simulated or of recorded episodes.

    A simulated clip is named by its seed, one of an episode by folder, episode and first frame, so a stopped run goes
    on where it was and a longer one only adds. An episode longer than ``frames`` gives several clips, the last one up
    to its end.
    """

    out: Path
    """Folder of the clips."""
    from_bags: Path | None = None
    """Recorded episodes instead of simulated ones: a bag, its .mcap file, or a folder with bags at any depth."""
    count: int = 1000
    """Clips to simulate, from as many seeds."""
    split: Literal['train', 'heldout'] = 'train'
    """Textures, colours, sizes and proportions to draw from; those of heldout are in no training clip."""
    first_seed: int = 0
    """Seed of the first simulated clip; the next ones follow."""
    width: int = 192
    """Width of the images, pixels, divisible by 16."""
    height: int = 128
    """Height of the images, pixels, divisible by 16."""
    frames: int = 17
    """Frames of a clip, 4k+1."""
    points: int = STORED_POINTS
    """Points kept of each point cloud; a model needs as many as its `cloud` (tiny 512, cogvideox-5b 8192)."""
    workers: int = 2
    """Processes that make clips."""

    def __post_init__(self) -> None:
        if self.frames % 4 != 1 or self.height % 16 or self.width % 16:
            raise DataError(
                f'clips: expected 4k+1 frames and a size divisible by 16, '
                f'got {self.frames} frames of {self.width}x{self.height}'
            )


def make_clips(config: ClipsConfig) -> int:
    """Write the clips that are not there yet; 1 if an episode could not be used."""
    config.out.mkdir(parents=True, exist_ok=True)
    faults = _simulate(config) if config.from_bags is None else _convert(config, find_bags([config.from_bags]))
    for fault in faults:
        print(fault)
    print(f'{len(list(config.out.glob("*.safetensors")))} clips in {config.out}')
    return 1 if faults else 0


def _simulate(config: ClipsConfig) -> list[str]:
    seeds = [s for s in range(config.first_seed, config.first_seed + config.count) if not _path(config, s).exists()]
    with ProcessPoolExecutor(max_workers=config.workers, mp_context=multiprocessing.get_context('spawn')) as pool:
        made = pool.map(_make, [config] * len(seeds), seeds, chunksize=4)
        for _ in track(made, total=len(seeds), description=f'{config.split} clips'):
            pass
    return []


def _path(config: ClipsConfig, seed: int) -> Path:
    return config.out / f'{seed:07d}.safetensors'


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
    clip = build_clip(episode.assets, episode.frames(), ConditioningConfig(seed=seed))
    info = {'seed': seed, 'camera': camera, 'split': config.split, 'shape': episode.shape, 'task': episode.task}
    _write(config, _path(config, seed), clip, info)


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


def _write(config: ClipsConfig, path: Path, clip: Clip, info: dict) -> None:
    conditions = build_conditions(clip, width=config.width, height=config.height)
    rgb = scene_images(clip, config.width, config.height)
    write_clip(path, rgb, conditions, {**info, 'prompt': conditions.prompt}, config.points)
