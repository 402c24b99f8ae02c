"""Held-out simulated clips: seeds, sizes, textures and proportions that no training clip has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from rich.progress import track

from hoigen.conditioning import ConditioningConfig, build_clip
from hoigen.records import Clip, Conditions
from hoigen.sources.mujoco import MujocoConfig, MujocoSource, SimulatedEpisode
from hoigen.sources.mujoco.objects import SHAPES as SHAPE_TABLE
from hoigen.video.generator import Generator
from hoigen.video.style import Style
from hoigen.video.styled import styled
from hoigen.video.views import view_conditions

HELDOUT_SEED = 1_000_000
SHAPES = tuple(SHAPE_TABLE)
CAMERAS = ('front', 'side', 'over', 'ego')


@dataclass(frozen=True, eq=False)
class HeldOut:
    """One held-out clip: its truth [T,H,W,3] uint8 at the size of what is measured, its conditions and its shape."""

    truth: np.ndarray
    clip: Clip
    conditions: Conditions
    shape: str


def heldout_clips(generator: Generator, count: int, *, detail: bool = False) -> list[HeldOut]:
    """The first ``count`` held-out clips at the generator's size, to be measured on as often as is wanted.

    detail: at the simulator's own size, with conditions for a generator that draws details there.
    """
    return [heldout_clip(generator, index, detail) for index in track(range(count), description='held-out clips')]


def heldout_clip(generator: Generator, index: int, detail: bool = False) -> HeldOut:
    """Held-out clip ``index``."""
    episode = heldout_episode(generator, index, size=None if detail else (generator.width, generator.height))
    clip = build_clip(episode.assets, episode.frames(), ConditioningConfig())
    [conditions] = view_conditions(
        [styled(clip, Style())], width=generator.width, height=generator.height, detail=detail
    )
    return HeldOut(clip.rgb, clip, conditions, episode.shape)


def heldout_episode(
    generator: Generator, index: int, cameras: Sequence[str] = CAMERAS, *, size: tuple[int, int] | None
) -> SimulatedEpisode:
    """Held-out episode ``index``: shapes and cameras in turn, so that any number of them covers both evenly.

    size: width and height of its images; None: the simulator's own.
    """
    shape, camera = SHAPES[index % len(SHAPES)], cameras[(index + index // len(SHAPES)) % len(cameras)]
    config = MujocoConfig(frames=generator.frames, shape=shape, camera=camera, split='heldout', depth=False)
    if size is not None:
        config = replace(config, width=size[0], height=size[1])
    return MujocoSource(config).episode(HELDOUT_SEED + index)
