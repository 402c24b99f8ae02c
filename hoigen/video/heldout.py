"""Held-out simulated clips: seeds, sizes, textures and proportions that no training clip has."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from rich.progress import track

from hoigen.conditioning import ConditioningConfig, build_clip, build_conditions
from hoigen.records import Clip, Conditions
from hoigen.sources.mujoco import MujocoConfig, MujocoSource
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
    """Held-out clip ``index``: shapes in turn, so that any number of clips covers them evenly."""
    shape, camera = SHAPES[index % len(SHAPES)], CAMERAS[(index + index // len(SHAPES)) % len(CAMERAS)]
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
    episode = source.episode(HELDOUT_SEED + index)
    clip = build_clip(episode.assets, episode.frames(), ConditioningConfig())
    conditions = build_conditions(clip, width=generator.width, height=generator.height)
    return HeldOut(clip.rgb, clip, conditions, shape)
