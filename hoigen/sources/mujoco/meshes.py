"""Triangle meshes with texture coordinates, made from a few numbers. Metres; counter-clockwise from outside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np


@dataclass(frozen=True, eq=False)
class Mesh:
    """vertices: [V,3] float64 m. uv: [V,2] float64. triangles: [F,3] int32."""

    vertices: np.ndarray
    uv: np.ndarray
    triangles: np.ndarray

    def moved(self, offset: Sequence[float]) -> Mesh:
        return Mesh(self.vertices + np.asarray(offset), self.uv, self.triangles)


def join(*parts: Mesh) -> Mesh:
    """One mesh of several."""
    starts = np.cumsum([0] + [len(p.vertices) for p in parts])
    return Mesh(
        np.concatenate([p.vertices for p in parts]),
        np.concatenate([p.uv for p in parts]),
        np.concatenate([p.triangles + s for p, s in zip(parts, starts[:-1], strict=True)]).astype(np.int32),
    )


def _grid(rows: int, columns: int) -> np.ndarray:
    """Triangles of a grid of (rows + 1) x (columns + 1) vertices, row by row."""
    first = (np.arange(rows)[:, None] * (columns + 1) + np.arange(columns)).ravel()
    a, b, c, d = first, first + 1, first + columns + 1, first + columns + 2
    return np.concatenate([np.stack([a, b, d], 1), np.stack([a, d, c], 1)]).astype(np.int32)


def lathe(profile: Sequence[tuple[float, float]], segments: int = 40) -> Mesh:
    """A profile of (radius, height) points turned about z, from the lowest point along the outside.

    Points of radius 0 close the surface. A point given twice makes a crease.
    """
    outline = np.asarray(profile, float)
    length = np.r_[0, np.cumsum(np.linalg.norm(np.diff(outline, axis=0), axis=1))]
    turn = np.linspace(0, 2 * np.pi, segments + 1)
    circle = np.stack([np.cos(turn), np.sin(turn)], 1)
    ring = outline[:, None, :1] * circle[None]
    height = np.broadcast_to(outline[:, 1, None, None], (*ring.shape[:2], 1))
    uv = np.stack(np.broadcast_arrays(turn[None] / (2 * np.pi), (length / length[-1])[:, None]), -1)
    vertices = np.concatenate([ring, height], -1).reshape(-1, 3)
    triangles = _grid(len(outline) - 1, segments)
    corners = vertices[triangles]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    return Mesh(vertices, uv.reshape(-1, 2), triangles[area > 1e-12])


def sphere(radii: Sequence[float], segments: int = 40, rings: int = 20) -> Mesh:
    """An ellipsoid of the three radii."""
    angle = np.linspace(-np.pi / 2, np.pi / 2, rings + 1)
    unit = lathe([(max(np.cos(a), 0.0) if 0 < i < rings else 0.0, np.sin(a)) for i, a in enumerate(angle)], segments)
    return Mesh(unit.vertices * np.asarray(radii), unit.uv, unit.triangles)


def cylinder(radius: float, half: float, bevel: float = 0.002) -> Mesh:
    """A closed cylinder along z with a small bevel; the sides take the middle of the texture's height."""
    profile = [
        (0.0, -half),
        (radius - bevel, -half),
        (radius, -half + bevel),
        (radius, half - bevel),
        (radius - bevel, half),
        (0.0, half),
    ]
    return lathe(creased(profile, 0))


def creased(profile: list[tuple[float, float]], degrees: float = 35) -> list[tuple[float, float]]:
    """The profile with its corners of more than this angle doubled, so that they look like edges."""
    way = np.diff(np.array(profile), axis=0)
    way /= np.linalg.norm(way, axis=1, keepdims=True)
    edge = (way[:-1] * way[1:]).sum(1) < np.cos(np.radians(degrees))
    inner = [point for point, twice in zip(profile[1:-1], edge, strict=True) for point in (point,) * (1 + int(twice))]
    return [profile[0], *inner, profile[-1]]


def box(half: Sequence[float], bevel: float = 0.003) -> Mesh:
    """A box with its edges cut off by a small bevel; each face carries the whole texture."""
    size, axes, faces = np.asarray(half, float), np.eye(3), []
    for axis in range(3):
        for sign in (-1.0, 1.0):
            n, u = sign * axes[axis], axes[(axis + 1) % 3]
            w = np.cross(n, u)
            corners = [(a, b) for b in (-1.0, 1.0) for a in (-1.0, 1.0)]
            places = np.array([n * size + (size - bevel) * (a * u + b * w) for a, b in corners])
            faces.append(Mesh(places, np.array(corners) / 2 + 0.5, np.array([[0, 1, 3], [0, 3, 2]], np.int32)))
    flat = join(*faces)
    return Mesh(flat.vertices, flat.uv, np.concatenate([flat.triangles, _bevels(flat.vertices)]))


def _bevels(vertices: np.ndarray) -> np.ndarray:
    """Triangles that join the six inset faces (4 vertices each): two along each edge, one at each corner."""
    owner, signs = np.repeat(np.arange(6), 4), np.sign(vertices)

    def corner(axis: int, at: tuple[float, ...]) -> int:
        face = 2 * axis + (at[axis] > 0)
        return int(np.flatnonzero((owner == face) & (signs == at).all(1))[0])

    made: list[tuple[int, ...]] = []
    for at in product((-1.0, 1.0), repeat=3):
        made.append(tuple(corner(axis, at) for axis in range(3)))
        for axis in range(3):
            if at[axis] < 0:
                end = tuple(-v if k == axis else v for k, v in enumerate(at))
                one, two = (axis + 1) % 3, (axis + 2) % 3
                a, b, c, d = corner(one, at), corner(one, end), corner(two, at), corner(two, end)
                made += [(a, b, d), (a, d, c)]
    triangles = np.array(made, np.int32)
    p = vertices[triangles]
    inward = (np.cross(p[:, 1] - p[:, 0], p[:, 2] - p[:, 0]) * p.mean(1)).sum(1) < 0
    triangles[inward] = triangles[inward][:, ::-1]
    return triangles


def tube(path: np.ndarray, radius: float | np.ndarray, segments: int = 12) -> Mesh:
    """A round tube along path [P,3] in a plane of constant y, open at its ends."""
    path = np.asarray(path, float)
    along = np.gradient(path, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    side = np.array([0.0, 1.0, 0.0])
    up = np.cross(along, side)
    turn = np.linspace(0, 2 * np.pi, segments + 1)
    radius = np.broadcast_to(np.asarray(radius, float), len(path))[:, None, None]
    ring = radius * (np.cos(turn)[None, :, None] * side + np.sin(turn)[None, :, None] * up[:, None])
    uv = np.stack(np.broadcast_arrays(turn[None] / (2 * np.pi), np.linspace(0.1, 0.3, len(path))[:, None]), -1)
    return Mesh((path[:, None] + ring).reshape(-1, 3), uv.reshape(-1, 2), _grid(len(path) - 1, segments))


def slab(half: Sequence[float], cells: int = 28) -> Mesh:
    """A table top whose upper face lies in z = 0, fine enough for lights to fall off across it."""
    x, y = np.meshgrid(np.linspace(-half[0], half[0], cells + 1), np.linspace(-half[1], half[1], cells + 1))
    top = _sheet(np.stack([x, y, np.zeros_like(x)], -1), np.stack([x, y], -1) / (2 * half[0]) + 0.5)
    rest = box(half, bevel=1e-4).moved((0, 0, -half[2] - 1e-4))
    upper = (rest.vertices[rest.triangles][..., 2] > -1e-3).all(1)
    return join(top, Mesh(rest.vertices, rest.uv * 0.1, rest.triangles[~upper]))


def room(half: float, floor: float, ceiling: float, cells: int = 10) -> tuple[Mesh, Mesh]:
    """The four walls of a square room about the origin, seen from inside, and its floor; heights in m."""
    s = np.linspace(-1, 1, cells + 1) * half
    along, up = np.meshgrid(s, np.linspace(floor, ceiling, cells + 1))
    uv = np.stack([(along + half), up - floor], -1) / (ceiling - floor)
    away = np.full_like(along, half)
    walls = [
        _sheet(np.stack(place, -1), uv)
        for place in ((along, away, up), (away, -along, up), (-along, -away, up), (-away, along, up))
    ]
    x, y = np.meshgrid(s, s)
    return join(*walls), _sheet(np.stack([x, y, np.full_like(x, floor)], -1), np.stack([x, y], -1))


def _sheet(places: np.ndarray, uv: np.ndarray) -> Mesh:
    """A mesh of a grid of places [R,C,3], seen from where its rows run to the right and its columns up."""
    return Mesh(places.reshape(-1, 3), uv.reshape(-1, 2), _grid(places.shape[0] - 1, places.shape[1] - 1))
