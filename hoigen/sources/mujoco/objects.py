"""The objects that can be handled: a visual mesh, convex colliders, and how a hand takes hold of them.

An object's frame has its origin at the middle of its height and z up as it stands on the table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from hoigen.sources.mujoco import meshes
from hoigen.sources.mujoco.draws import Draws
from hoigen.sources.mujoco.meshes import Mesh


@dataclass(frozen=True)
class Collider:
    """A convex piece: kind 'sphere', 'capsule', 'cylinder', 'ellipsoid', 'box' (MuJoCo sizes) or 'mesh' (points)."""

    kind: str
    size: tuple[float, ...] = ()
    at: tuple[float, float, float] = (0, 0, 0)
    axis: tuple[float, float, float] = (0, 0, 1)
    points: np.ndarray | None = field(default=None, compare=False)


@dataclass(frozen=True, eq=False)
class Lid:
    """What makes the thing a lid: the base it is hinged to, standing at z = 0 of its own frame. hinge: [3] m, where
    in the base's frame the lid's origin and axis (x) are. reach: from the axis to the edge of the lip, m."""

    base: Mesh
    base_colliders: tuple[Collider, ...]
    hinge: np.ndarray
    reach: float


@dataclass(frozen=True, eq=False)
class Thing:
    """An object to be handled. half_height: of the standing object, m. width: across, where it is held, m. side: held
    from the side, thumb up, rather than from above. grasp_height: where to take hold, above the origin, m.
    keep_yaw: the range of its yaw as it stands, rad. lid: if the thing is a lid, all about that."""

    noun: str
    mesh: Mesh
    colliders: tuple[Collider, ...]
    half_height: float
    width: float
    side: bool
    grasp_height: float = 0.0
    keep_yaw: tuple[float, float] = (-np.pi, np.pi)
    lid: Lid | None = None


def _ball(draws: Draws) -> Thing:
    r = draws.look(0.029, 0.040)
    return Thing('ball', meshes.sphere((r, r, r)), (Collider('sphere', (r,)),), r, 2 * r, side=False)


def _box(draws: Draws) -> Thing:
    x, y, z = draws.look(0.022, 0.034), draws.look(0.024, 0.045), draws.look(0.026, 0.040)
    return Thing('box', meshes.box((x, y, z)), (Collider('box', (x, y, z)),), z, 2 * x, False, keep_yaw=(-0.4, 0.4))


def _cylinder(draws: Draws) -> Thing:
    r, half = draws.look(0.024, 0.036), draws.look(0.026, 0.042)
    return Thing('cylinder', meshes.cylinder(r, half), (Collider('cylinder', (r, half)),), half, 2 * r, False)


def _capsule(draws: Draws) -> Thing:
    r, half = draws.look(0.023, 0.031), draws.look(0.018, 0.036)
    angle = np.linspace(0, np.pi / 2, 9)
    bottom = [(r * np.sin(a), -half - r * np.cos(a)) for a in angle]
    upright = meshes.lathe([*bottom, *[(a, -b) for a, b in bottom[::-1]]])
    lying = Mesh(upright.vertices[:, [2, 0, 1]], upright.uv, upright.triangles)
    return Thing(
        'capsule', lying, (Collider('capsule', (r, half), axis=(1, 0, 0)),), r, 2 * r, False, keep_yaw=(-0.5, 0.5)
    )


def _egg(draws: Draws) -> Thing:
    x, y, z = draws.look(0.030, 0.044), draws.look(0.026, 0.036), draws.look(0.025, 0.034)
    return Thing(
        'egg', meshes.sphere((x, y, z)), (Collider('ellipsoid', (x, y, z)),), z, 2 * y, False, keep_yaw=(-0.5, 0.5)
    )


def _can(draws: Draws) -> Thing:
    r, half = draws.look(0.027, 0.035), draws.look(0.042, 0.062)
    rim = 0.0035
    profile = [
        (0.0, -half + 0.003),
        (r - 3 * rim, -half),
        (r - 2 * rim, -half),
        (r - 0.001, -half + 2 * rim),
        (r, -half + 3 * rim),
        (r, half - 3 * rim),
        (r - 0.001, half - 2 * rim),
        (r - 1.6 * rim, half - 0.001),
        (r - 2 * rim, half),
        (r - 2.6 * rim, half - rim),
        (0.0, half - rim),
    ]
    return Thing('can', meshes.lathe(meshes.creased(profile)), (Collider('cylinder', (r, half)),), half, 2 * r, True)


def _mug(draws: Draws) -> Thing:
    r, half = draws.look(0.031, 0.040), draws.look(0.040, 0.052)
    wall, floor = 0.004, 0.008
    profile = [
        (0.0, -half),
        (r - 0.003, -half),
        (r, -half + 0.003),
        (r, half - 0.0015),
        (r - wall / 2, half),
        (r - wall, half - 0.0015),
        (r - wall, -half + floor + 0.003),
        (r - wall - 0.003, -half + floor),
        (0.0, -half + floor),
    ]
    angle = np.linspace(-0.5 * np.pi, 0.5 * np.pi, 12)
    reach, tall = 0.024, half * draws.look(0.55, 0.72)
    path = np.stack([r - 0.003 + reach * np.cos(angle) ** 0.7, 0 * angle, tall * np.sin(angle)], 1)
    handle = meshes.tube(path, 0.0055)
    grips = tuple(
        Collider('capsule', (0.0055, float(np.linalg.norm(b - a)) / 2), tuple((a + b) / 2), tuple(b - a))
        for a, b in zip(path[:-1:3], path[3::3], strict=False)
    )
    return Thing(
        'mug',
        meshes.join(meshes.lathe(meshes.creased(profile)), handle),
        (Collider('cylinder', (r, half)), *grips),
        half,
        2 * r,
        True,
        keep_yaw=(1.2, 2.2),
    )


def _cup(draws: Draws) -> Thing:
    half = draws.look(0.040, 0.055)
    bottom = draws.look(0.024, 0.029)
    top = bottom + draws.look(0.004, 0.009)
    wall = 0.003
    profile = [
        (0.0, -half),
        (bottom, -half),
        (top, half - 0.001),
        (top - wall / 2, half),
        (top - wall, half - 0.001),
        (bottom - wall, -half + 0.006),
        (0.0, -half + 0.006),
    ]
    return Thing(
        'cup', meshes.lathe(meshes.creased(profile)), (_frustum(bottom, top, -half, half),), half, top + bottom, True
    )


def _bottle(draws: Draws) -> Thing:
    r, half = draws.look(0.026, 0.034), draws.look(0.070, 0.092)
    shoulder = half * draws.look(0.15, 0.40)
    neck, cap = 0.4 * r, 0.47 * r
    curve = [
        (neck + (r - neck) * (0.5 + 0.5 * np.cos(a)), shoulder + 0.32 * half * a / np.pi)
        for a in np.linspace(0, np.pi, 9)
    ]
    profile = [
        (0.0, -half),
        (r - 0.004, -half),
        (r, -half + 0.004),
        *curve,
        (neck, half - 0.016),
        (cap, half - 0.016),
        (cap, half - 0.002),
        (cap - 0.002, half),
        (0.0, half),
    ]
    body_half = (shoulder + half) / 2
    top = curve[-1][1]
    colliders = (
        Collider('cylinder', (r, body_half), (0, 0, shoulder - body_half)),
        _frustum(r, neck, shoulder, top),
        Collider('cylinder', (cap, (half - top) / 2), (0, 0, (half + top) / 2)),
    )
    return Thing(
        'bottle',
        meshes.lathe(meshes.creased(profile)),
        colliders,
        half,
        2 * r,
        True,
        grasp_height=min(0.0, shoulder - 0.045),
    )


def _pear(draws: Draws) -> Thing:
    """An ellipsoid with a waist in its upper half, its blossom end cut flat to stand on."""
    r, waist = draws.look(0.029, 0.037), draws.look(0.50, 0.66)
    half = r * draws.look(1.15, 1.35)
    angle = np.linspace(0, np.pi, 25)
    height = -half * np.cos(angle)
    narrowing = 1 - (1 - waist) * np.sin(np.pi / 2 * np.maximum(height, 0) / half) ** 0.7
    outline = np.stack([r * np.sin(angle) ** 0.8 * narrowing, np.maximum(height, -0.88 * half)], 1)
    outline = np.array([(0, -0.88 * half), *outline[(outline[:, 0] > 0.3 * r) | (height > 0)][:-1], (0, half)])
    outline[:, 1] -= 0.06 * half
    pieces = (outline[outline[:, 1] <= 0.15 * half], outline[outline[:, 1] >= -0.05 * half])
    return Thing(
        'pear', meshes.lathe([(a, b) for a, b in outline]), tuple(_turned(p) for p in pieces), 0.94 * half, 2 * r, False
    )


def _carton(draws: Draws) -> Thing:
    x, half = draws.look(0.025, 0.033), draws.look(0.055, 0.075)
    roof, crest = half - 0.8 * x, half - 0.008
    brick = meshes.box((x, x, (roof + half) / 2), bevel=0.0015).moved((0, 0, (roof - half) / 2))
    gable = np.array(
        [
            (-x, -x, roof),
            (x, -x, roof),
            (x, x, roof),
            (-x, x, roof),
            (-x, 0, crest),
            (x, 0, crest),
            (-x, 0, half),
            (x, 0, half),
        ],
        float,
    )
    faces = np.array(
        [(0, 1, 5), (0, 5, 4), (2, 3, 4), (2, 4, 5), (1, 2, 5), (3, 0, 4), (4, 5, 7), (4, 7, 6), (5, 4, 6), (5, 6, 7)],
        np.int32,
    )
    corners = gable[faces].reshape(-1, 3)
    uv = np.stack([corners[:, 0] / (2 * x) + 0.5, corners[:, 2] / (2 * half) + 0.5], 1)
    top = Mesh(corners, uv, np.arange(3 * len(faces), dtype=np.int32).reshape(-1, 3))
    return Thing(
        'carton',
        meshes.join(brick, top),
        (Collider('box', (x, x, (roof + half) / 2), (0, 0, (roof - half) / 2)), Collider('mesh', points=gable[:6])),
        half,
        2 * x,
        True,
        keep_yaw=(-0.3, 0.3),
    )


def _bowl(draws: Draws) -> Thing:
    r, half = draws.look(0.040, 0.048), draws.look(0.024, 0.030)
    foot, wall = 0.5 * r, 0.0035
    angle = np.linspace(0.25, np.pi / 2, 8)
    outer = [(foot + (r - foot) * np.sin(a) ** 1.5, half - 2 * half * np.cos(a) ** 1.2) for a in angle]
    inner = [(max(a - wall, 0.0), b + wall * 0.6) for a, b in outer[-2::-1]]
    profile = [(0.0, -half), (foot, -half), *outer, (r - wall / 2, half + 0.0005), *inner, (0.0, inner[-1][1] - 0.002)]
    return Thing('bowl', meshes.lathe(profile), (_turned(np.array(profile[1 : len(outer) + 2])),), half, 2 * r, False)


def _chest(draws: Draws) -> Thing:
    """The lid of an open box; its frame lies on the hinge, x along the axis, the lid towards -y."""
    x, y, height = draws.look(0.045, 0.065), draws.look(0.038, 0.050), draws.look(0.085, 0.110)
    wall, thick, lip = 0.005, 0.008, draws.look(0.026, 0.034)
    plates = [
        ((x, y, wall / 2), (0, 0, wall / 2)),
        *(((wall / 2, y, height / 2), (s * (x - wall / 2), 0, height / 2)) for s in (-1, 1)),
        *(((x - wall, wall / 2, height / 2), (0, s * (y - wall / 2), height / 2)) for s in (-1, 1)),
    ]
    base = meshes.join(*(meshes.box(half, bevel=0.001).moved(at) for half, at in plates))
    half = (x + 0.002, y + lip / 2, thick / 2)
    at = (0.0, -(y + lip / 2), thick / 2 + 0.001)
    lid = Lid(base, tuple(Collider('box', half, at) for half, at in plates), np.array([0, y, height]), 2 * y + lip)
    return Thing(
        'box', meshes.box(half, bevel=0.002).moved(at), (Collider('box', half, at),), height, 2 * x, False, lid=lid
    )


def _turned(outline: np.ndarray, segments: int = 16) -> Collider:
    """The convex hull of an outline of (radius, height) points turned about z."""
    turn = np.arange(segments) * 2 * np.pi / segments
    ring = outline[:, None, :1] * np.stack([np.cos(turn), np.sin(turn)], -1)[None]
    height = np.broadcast_to(outline[:, None, 1:], (len(outline), segments, 1))
    return Collider('mesh', points=np.concatenate([ring, height], -1).reshape(-1, 3))


def _frustum(low_radius: float, high_radius: float, low: float, high: float) -> Collider:
    return _turned(np.array([(low_radius, low), (high_radius, high)]), segments=24)


SHAPES: dict[str, Callable[[Draws], Thing]] = {
    'ball': _ball,
    'box': _box,
    'cylinder': _cylinder,
    'capsule': _capsule,
    'egg': _egg,
    'can': _can,
    'mug': _mug,
    'cup': _cup,
    'bottle': _bottle,
    'pear': _pear,
    'carton': _carton,
    'bowl': _bowl,
    'chest': _chest,
}


def make_thing(shape: str, draws: Draws) -> Thing:
    """A thing of this shape with proportions of the draws' own split."""
    return SHAPES[shape](draws)
