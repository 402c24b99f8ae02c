"""Training examples by simulation: things on a table, each view with and without one, labels by construction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from hoigen.editing.placement import box_of, place
from hoigen.editing.records import Placement, Reference
from hoigen.editing.views import random_views
from hoigen.geometry.shading import draw
from hoigen.sources.mujoco.clutter import (
    TEXTURE,
    Clutter,
    Look,
    Sight,
    build_clutter,
    draw_looks,
    lift,
    look_from,
    reach,
)
from hoigen.sources.mujoco.draws import Draws
from hoigen.sources.mujoco.render import Renderer

LEAST_SEEN = 0.3
"""An example whose object is hidden more than that is left out, as a filter by mask size does for real pictures."""


@dataclass(frozen=True)
class SimulationConfig:
    """What is simulated."""

    size: int = 64
    """Side of the pictures, pixels."""
    things: int = 4
    """Things in a scene."""
    sights: int = 2
    """Views of the scene for each thing."""
    views: int = 20
    """Pictures of each thing alone."""
    lifted: float = 0.5
    """How often a thing is in the air, [0, 1]."""
    hand: float = 0.3
    """How often a hand is in the way, [0, 1]."""
    split: Literal['train', 'heldout'] = 'train'
    """Looks and proportions of one split never come in the other."""

    def __post_init__(self) -> None:
        faults = [
            f'{name}: expected {least} to {most}, got {value}'
            for name, value, least, most in (
                ('size', self.size, 32, 1024),
                ('things', self.things, 1, 8),
                ('sights', self.sights, 1, 64),
                ('views', self.views, 1, 256),
                ('lifted', self.lifted, 0, 1),
                ('hand', self.hand, 0, 1),
            )
            if not least <= value <= most
        ]
        if faults:
            raise ValueError('simulation: ' + '; '.join(faults))


@dataclass(frozen=True, eq=False)
class Example:
    """A scene with and without a thing, and where the thing is: thing counts in ``SceneExamples.looks``; box is the
    placement of the box about it; guide [S,S,3] uint8 its mesh drawn at its pose."""

    thing: int
    sight: Sight
    placement: Placement
    box: Placement
    guide: np.ndarray


@dataclass(frozen=True, eq=False)
class SceneExamples:
    """All that one scene gives. views: of each look."""

    looks: tuple[Look, ...]
    views: tuple[tuple[Reference, ...], ...]
    examples: tuple[Example, ...]


def simulate(
    config: SimulationConfig,
    renderer: Renderer,
    seed: int,
    index: int,
    choose: Callable[[Draws, int, int], tuple[Look, ...]] = draw_looks,
) -> SceneExamples:
    """Scene ``index`` of a seed: always the same, whatever was made before. choose: gives so many things with textures
    of so many pixels a side."""
    draws, texture = Draws(config.split, seed, index), max(TEXTURE, config.size)
    looks = choose(draws, config.things, texture)
    scene = build_clutter(looks, draws, texture)
    examples = [
        example
        for number in range(config.things)
        for _ in range(config.sights)
        if (example := _sight(scene, number, config, renderer, draws)) is not None
    ]
    views = tuple(random_views(look.asset, config.views, draws.rng, config.size) for look in looks)
    return SceneExamples(looks, views, tuple(examples))


def _sight(scene: Clutter, number: int, config: SimulationConfig, renderer: Renderer, draws: Draws) -> Example | None:
    """One view; None where the thing is hardly seen."""
    stood = scene.pose(number)
    if draws.chance(config.lifted):
        lift(scene, number, draws)
    camera = look_from(scene, number, draws, config.size, draws.free(0.55, 0.72))
    if draws.chance(config.hand):
        reach(scene, number, camera, draws)
    sight = scene.see(renderer, camera, number)
    scene.put_hand(None)
    scene.move(number, stood)
    asset = scene.looks[number].asset
    placement = place(asset, sight.T_world_object, camera)
    nearer = np.nan_to_num(sight.depth_without_m, nan=np.inf) < placement.depth_m * 0.995
    if (placement.mask & ~nearer).sum() < LEAST_SEEN * placement.mask.sum():
        return None
    return Example(
        number,
        sight,
        placement,
        place(box_of(asset), sight.T_world_object, camera),
        draw(asset, sight.T_world_object, camera).rgb,
    )
