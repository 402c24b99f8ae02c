"""Held-out insertions whose result is known: simulated views with a thing, without it, and with it elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from hoigen.editing.placement import PlacementError, place
from hoigen.editing.records import Placement, Reference
from hoigen.editing.views import random_views
from hoigen.geometry.transforms import rigid
from hoigen.metrics.editing import EditTruth
from hoigen.sources.mujoco.clutter import Clutter, Look, Sight, build_clutter, draw_looks, lift, look_from, reach
from hoigen.sources.mujoco.draws import Draws
from hoigen.sources.mujoco.render import Renderer

SEED = 3_000_000
SIZE = 128
"""Side of the pictures, pixels."""
SHARE = (0.28, 0.36)
"""The share of a picture's side that the object takes, roughly."""
THINGS = 4
VIEWS = 20
LIFTED, HAND = 0.5, 0.35
"""How often the thing is in the air, and a hand in the way."""
SEEN = 0.35
"""The least share of the outline that must be seen."""
HIDDEN, FREE = 0.1, 0.02
"""A view has an occluder from that hidden share on, and none below the other; those between are left out."""
NEARER = 0.005
AWAY_M = (0.03, 0.06)
"""How far the object of a movement was from where it goes."""
AWAY_UP_M = 3.0
"""Where things wait that must not be seen: above the ceiling."""
TRIES = 6
MOST_SCENES = 40
"""Scenes that may be looked through for each insertion wanted."""


@dataclass(frozen=True, eq=False)
class Elsewhere:
    """The same view with the object at another pose. rgb: [H,W,3] uint8. depth_m: [H,W] float32. mask: [H,W] bool,
    where the object is seen there."""

    rgb: np.ndarray
    depth_m: np.ndarray
    mask: np.ndarray


@dataclass(frozen=True, eq=False)
class Insertion:
    """A thing that is to be put into ``truth.without`` at ``placement``, and what that must look like.

    references: views of the thing alone. occluded: something truly stands before it. before: where it is to be moved
    from in a movement.
    """

    look: Look
    references: tuple[Reference, ...]
    placement: Placement
    truth: EditTruth
    occluded: bool
    before: Elsewhere


def heldout_insertions(count: int) -> Iterator[Insertion]:
    """``count`` insertions, every other one with a true occluder; of looks and sizes that no training scene has."""
    renderer, wanted = Renderer(SIZE, SIZE), {True: count // 2, False: count - count // 2}
    for index in range(MOST_SCENES * count):
        draws = Draws('heldout', SEED, index)
        scene = build_clutter(draw_looks(draws, THINGS), draws)
        for number in range(THINGS):
            found = _insertion(scene, number, renderer, draws)
            if found is not None and wanted[found.occluded]:
                wanted[found.occluded] -= 1
                yield found
                break  # one of each scene
        if not any(wanted.values()):
            return
    raise RuntimeError(
        f'held-out scenes: expected {count} insertions, still without {wanted} (by occluder) after '
        f'{MOST_SCENES * count} scenes'
    )


def _insertion(scene: Clutter, number: int, renderer: Renderer, draws: Draws) -> Insertion | None:
    """One view; None where too little of the thing is seen, or neither clearly in the open nor clearly occluded."""
    stood = scene.pose(number)
    if draws.chance(LIFTED):
        lift(scene, number, draws)
    camera = look_from(scene, number, draws, SIZE, draws.free(*SHARE))
    if draws.chance(HAND):
        reach(scene, number, camera, draws)
    sight = scene.see(renderer, camera, number)
    look = scene.looks[number]
    placement = place(look.asset, sight.T_world_object, camera)
    visible = _seen(placement, sight)
    hidden = 1 - visible.sum() / placement.mask.sum()
    found = None
    if placement.cut == 0 and hidden <= 1 - SEEN and not FREE <= hidden < HIDDEN:
        before = _elsewhere(scene, number, sight, renderer, draws)
        if before is not None:
            truth = EditTruth(
                sight.rgb,
                sight.without,
                _alone(scene, number, sight, renderer),
                placement.mask,
                placement.depth_m,
                sight.depth_without_m,
                visible,
            )
            found = Insertion(
                look, random_views(look.asset, VIEWS, draws.rng), placement, truth, bool(hidden >= HIDDEN), before
            )
    scene.put_hand(None)
    scene.move(number, stood)
    return found


def _seen(placement: Placement, sight: Sight) -> np.ndarray:
    """[H,W] bool, the part of the outline with nothing of the scene before it."""
    scene = np.nan_to_num(sight.depth_without_m, nan=np.inf)
    return placement.mask & ~(scene < placement.depth_m * (1 - NEARER))


def _elsewhere(scene: Clutter, number: int, sight: Sight, renderer: Renderer, draws: Draws) -> Elsewhere | None:
    """The same view with the thing some centimetres away and turned; None where it is never seen well."""
    asset, camera, pose = scene.looks[number].asset, sight.camera, sight.T_world_object
    for _ in range(TRIES):
        way, turn = draws.free(-np.pi, np.pi), Rotation.from_euler('z', draws.free(-np.pi, np.pi)).as_matrix()
        step = draws.free(*AWAY_M) * np.array([np.cos(way), np.sin(way), 0])
        scene.move(number, rigid(turn @ pose[:3, :3], pose[:3, 3] + step))
        try:
            placement = place(asset, scene.pose(number), camera)
        except PlacementError:  # out of view
            continue
        mask = _seen(placement, sight)
        if placement.cut == 0 and mask.sum() >= SEEN * placement.mask.sum():
            there = scene.see(renderer, camera, number)
            scene.move(number, pose)
            return Elsewhere(there.rgb, there.depth_m, mask)
    scene.move(number, pose)
    return None


def _alone(scene: Clutter, number: int, sight: Sight, renderer: Renderer) -> np.ndarray:
    """[H,W,3] uint8, the view with the thing in its place and everything away that could stand before it."""
    others = [(other, scene.pose(other)) for other in range(len(scene.looks)) if other != number]
    joints = scene.data.qpos[scene.joint_qpos].copy()
    for other, pose in others:
        scene.move(other, rigid(pose[:3, :3], pose[:3, 3] + [0, 0, AWAY_UP_M]))
    scene.put_hand(None)
    rgb = renderer.rgb(scene, scene.data, sight.camera)
    for other, pose in others:
        scene.move(other, pose)
    scene.put_hand(joints)
    return rgb
