"""Pose-aligned examples by simulation: things that stand on a table, each in a picture without the others."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import track

from hoigen.editing.asset_reference.aligned import AlignmentLimits, Distance, alignment
from hoigen.editing.asset_reference.conditions import asset_views, code_of, describe
from hoigen.geometry.orientation import apparent
from hoigen.geometry.shading import draw
from hoigen.sources.mujoco.clutter import HIDDEN_GROUP, Clutter, build_clutter, draw_looks, look_from
from hoigen.sources.mujoco.draws import Draws
from hoigen.sources.mujoco.render import Renderer
from hoigen.whole_files import whole_file


@dataclass(frozen=True)
class ScenesConfig:
    """What is simulated. size: side of the pictures, pixels. views, view_size: pictures of each thing alone. things: in
    a scene. sights: of each thing."""

    size: int = 64
    views: int = 8
    view_size: int = 32
    things: int = 4
    sights: int = 3
    split: str = 'train'
    limits: AlignmentLimits = field(default_factory=AlignmentLimits)


def simulate_assets(
    config: ScenesConfig, renderer: Renderer, seed: int, index: int, distance: Distance | None = None
) -> dict[str, Any]:
    """Scene ``index`` of a seed, always the same: E examples of N things, as arrays.

    rgb, points: [E,S,S,3] uint8, a thing on a table and its point map as colours. thing: [E]. caption, plain: [E] text,
    with and without the colour. views, view_points: [N,V,s,s,3] uint8. box: [N,2,3] metres. K, T_world_cam,
    T_world_object: [E,...] float64.
    """
    draws = Draws(config.split, seed, index)
    looks = draw_looks(draws, config.things)
    scene = build_clutter(looks, draws)
    sights = [
        {**sight, 'thing': np.array(number)}
        for number in range(config.things)
        for _ in range(config.sights)
        if (sight := _sight(scene, number, config, renderer, draws, distance)) is not None
    ]
    views = [asset_views(look.asset, config.views, config.view_size) for look in looks]
    boxes = [(code.low, code.high) for code in (code_of(look.asset) for look in looks)]
    return {
        **{name: np.stack([sight[name] for sight in sights]) for name in (sights[0] if sights else ())},
        'views': np.stack([v.rgb for v in views]),
        'view_points': np.stack([v.points for v in views]),
        'box': np.array(boxes),
    }


def _sight(
    scene: Clutter, number: int, config: ScenesConfig, renderer: Renderer, draws: Draws, distance: Distance | None
) -> dict[str, np.ndarray] | None:
    """One view; None where what is seen of the thing is not the asset at its pose."""
    camera = look_from(scene, number, draws, config.size, draws.free(0.5, 0.68))
    T_world_object = scene.pose(number)
    model, look = scene.model, scene.looks[number]
    groups, own = model.geom_group.copy(), model.geom_bodyid == scene.bodies[number]
    model.geom_group[np.isin(model.geom_bodyid, scene.bodies) & ~own] = HIDDEN_GROUP
    rgb, geoms = renderer.rgb(scene, scene.data, camera), renderer.geoms(scene, scene.data, camera)
    model.geom_group[:] = groups
    fits = alignment(rgb, np.isin(geoms, np.flatnonzero(own)), look.asset, T_world_object, camera, distance)
    if fits.faults(config.limits):
        return None
    points = code_of(look.asset).encode(draw(look.asset, T_world_object, camera).points)
    orientation = apparent(camera, T_world_object)
    return {
        'rgb': rgb,
        'points': points,
        'caption': np.array(describe(f'a {look.caption}', orientation)),
        'plain': np.array(describe(f'a {look.thing.noun}', orientation)),
        'K': camera.K,
        'T_world_cam': camera.T_world_cam,
        'T_world_object': T_world_object,
    }


def make_scenes(config: ScenesConfig, folder: Path, count: int, seed: int, distance: Distance | None = None) -> None:
    """Scenes 0 to ``count`` as ``scene_*.npz`` in a folder; those that are there stay."""
    folder.mkdir(parents=True, exist_ok=True)
    missing = [index for index in range(count) if not _path(folder, index).is_file()]
    if not missing:
        return
    renderer = Renderer(config.size, config.size)
    for index in track(missing, f'simulating {len(missing)} scenes'):
        scene = simulate_assets(config, renderer, seed, index, distance)
        if 'rgb' not in scene:
            continue
        with whole_file(_path(folder, index)) as file:
            np.savez(file, **scene)


def _path(folder: Path, index: int) -> Path:
    return folder / f'scene_{index:06d}.npz'
