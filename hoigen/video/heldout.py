"""Held-out simulated clips: seeds, sizes, textures and proportions that no training clip has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rich.progress import track

from hoigen.conditioning import ConditioningConfig, build_clip, build_conditions
from hoigen.records import Clip, Conditions
from hoigen.sources.mujoco import MujocoConfig, MujocoSource, SimulatedEpisode
from hoigen.sources.mujoco.objects import SHAPES as SHAPE_TABLE
from hoigen.video.generator import Generator

HELDOUT_SEED = 1_000_000
SHAPES = tuple(SHAPE_TABLE)
CAMERAS = ('front', 'side', 'over', 'ego')


@dataclass(frozen=True, eq=False)
class HeldOut:
    """One held-out clip: its truth [T,H,W,3] uint8 at the model's size, its conditions and its shape."""

    truth: np.ndarray
    clip: Clip
    conditions: Conditions
    shape: str


def heldout_clips(generator: Generator, count: int) -> list[HeldOut]:
    """The first ``count`` held-out clips at the generator's size, to be measured on as often as is wanted."""
    return [heldout_clip(generator, index) for index in track(range(count), description='held-out clips')]


def heldout_clip(generator: Generator, index: int) -> HeldOut:
    """Held-out clip ``index``."""
    episode = heldout_episode(generator, index)
    clip = build_clip(episode.assets, episode.frames(), ConditioningConfig())
    conditions = build_conditions(clip, width=generator.width, height=generator.height)
    return HeldOut(clip.rgb, clip, conditions, episode.shape)


def heldout_episode(generator: Generator, index: int, cameras: Sequence[str] = CAMERAS) -> SimulatedEpisode:
    """Held-out episode ``index``: shapes and cameras in turn, so that any number of them covers both evenly."""
    shape, camera = SHAPES[index % len(SHAPES)], cameras[(index + index // len(SHAPES)) % len(cameras)]
    source = MujocoSource(
        MujocoConfig(
            width=generator.width,
            height=generator.height,
            frames=generator.frames,
            shape=shape,
            camera=camera,
            split='heldout',
            depth=False,
        )
    )
    return source.episode(HELDOUT_SEED + index)
