"""Triangle meshes with texture coordinates, made from a few numbers. Metres; counter-clockwise from outside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ['Mesh', 'box', 'cylinder', 'join', 'lathe', 'room', 'slab', 'sphere', 'tube']


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
    return Mesh(np.concatenate([p.vertices for p in parts]), np.concatenate([p.uv for p in parts]),
                np.concatenate([p.triangles + s for p, s in zip(parts, starts[:-1], strict=True)]).astype(np.int32))


def _grid(rows: int, columns: int) -> np.ndarray:
    """Triangles of a grid of (rows + 1) x (columns + 1) vertices, row by row."""
    first = (np.arange(rows)[:, None] * (columns + 1) + np.arange(columns)).ravel()
    a, b, c, d = first, first + 1, first + columns + 1, first + columns + 2
    return np.concatenate([np.stack([a, b, d], 1), np.stack([a, d, c], 1)]).astype(np.int32)


def lathe(profile: Sequence[tuple[float, float]], segments: int = 40, v_range: tuple[float, float] = (0, 1)) -> Mesh:
    """A profile of (radius, height) points turned about z, from the lowest point along the outside.

    Points of radius 0 close the surface. A point given twice makes a crease.
    """
    outline = np.asarray(profile, float)
    length = np.r_[0, np.cumsum(np.linalg.norm(np.diff(outline, axis=0), axis=1))]
    v = v_range[0] + (v_range[1] - v_range[0]) * length / length[-1]
    turn = np.linspace(0, 2 * np.pi, segments + 1)
    circle = np.stack([np.cos(turn), np.sin(turn)], 1)
    ring = outline[:, None, :1] * circle[None]
    height = np.broadcast_to(outline[:, 1, None, None], (*ring.shape[:2], 1))
    uv = np.stack(np.broadcast_arrays(turn[None] / (2 * np.pi), v[:, None]), -1)
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
    low, high = [(0.0, -half), (radius - bevel, -half), (radius, -half + bevel)], [
        (radius, half - bevel), (radius - bevel, half), (0.0, half)]
    return lathe(_creased([*low, *high]))


def _creased(profile: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """The profile with its inner points doubled, so that no normal is averaged across an edge."""
    return [profile[0], *(p for point in profile[1:-1] for p in (point, point)), profile[-1]]


def box(half: Sequence[float], bevel: float = 0.003) -> Mesh:
    """A box with its edges rounded off by a small bevel; each face carries the whole texture."""
    faces = []
    axes = np.eye(3)
    half = np.asarray(half, float)
    for axis in range(3):
        for sign in (-1.0, 1.0):
            n, u = sign * axes[axis], axes[(axis + 1) % 3]
            w = np.cross(n, u)
            corners = [(-1, -1), (1, -1), (-1, 1), (1, 1)]
            flat = np.array([n * half + (half - bevel) * (a * u + b * w) for a, b in corners])
            uv = np.array([(a / 2 + 0.5, b / 2 + 0.5) for a, b in corners], float)
            faces.append(Mesh(flat, uv, np.array([[0, 1, 3], [0, 3, 2]], np.int32)))
    return _with_bevels(join(*faces), half, bevel)


def _with_bevels(faces: Mesh, half: np.ndarray, bevel: float) -> Mesh:
    """Joins the six inset faces by strips along the twelve edges and triangles at the eight corners."""
    extra = []
    vertices = faces.vertices
    owner = np.repeat(np.arange(6), 4)
    sign = np.sign(vertices)

    def corner(face: int, signs: np.ndarray) -> int:
        return int(np.flatnonzero((owner == face) & (sign == signs).all(1))[0])

    for axis in range(3):
        for s in ((-1, -1), (-1, 1), (1, -1), (1, 1)):
            one, two = (axis + 1) % 3, (axis + 2) % 3
            low, high = np.zeros(3), np.zeros(3)
            low[[axis, one, two]] = (-1, *s)
            high[[axis, one, two]] = (1, *s)
            face_one, face_two = 2 * one + (s[0] > 0), 2 * two + (s[1] > 0)
            quad = [corner(face_one, low), corner(face_one, high), corner(face_two, low), corner(face_two, high)]
            extra += [(quad[0], quad[1], quad[3]), (quad[0], quad[3], quad[2])]
    for x in (-1.0, 1.0):
        for y in (-1.0, 1.0):
            for z in (-1.0, 1.0):
                signs = np.array([x, y, z])
                extra.append(tuple(corner(2 * a + (signs[a] > 0), signs) for a in range(3)))
    triangles = np.array(extra, np.int32)
    points = vertices[triangles]
    inward = (np.cross(points[:, 1] - points[:, 0], points[:, 2] - points[:, 0]) * points.mean(1)).sum(1) < 0
    triangles[inward] = triangles[inward][:, ::-1]
    return Mesh(vertices, faces.uv, np.concatenate([faces.triangles, triangles]))


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
    triangles = _grid(len(path) - 1, segments)[:, ::-1]
    return Mesh((path[:, None] + ring).reshape(-1, 3), uv.reshape(-1, 2), np.ascontiguousarray(triangles))


def slab(half_x: float, half_y: float, thickness: float, cells: int = 28) -> Mesh:
    """A table top whose upper face lies in z = 0, fine enough for lights to fall off across it."""
    x, y = np.meshgrid(np.linspace(-half_x, half_x, cells + 1), np.linspace(-half_y, half_y, cells + 1))
    top = Mesh(np.stack([x, y, np.zeros_like(x)], -1).reshape(-1, 3),
               np.stack([x / (2 * half_x) + 0.5, y / (2 * half_x) + 0.5], -1).reshape(-1, 2), _grid(cells, cells))
    sides = box((half_x, half_y, thickness / 2), bevel=1e-4).moved((0, 0, -thickness / 2 - 1e-4))
    normals_up = (sides.vertices[sides.triangles][..., 2] > -1e-3).all(1)
    return join(top, Mesh(sides.vertices, sides.uv * 0.1, sides.triangles[~normals_up]))


def room(half_x: float, half_y: float, floor: float, ceiling: float, cells: int = 10) -> tuple[Mesh, Mesh]:
    """Walls (inward) and floor of a room about the origin; heights in m."""
    walls = []
    height = ceiling - floor
    corners = np.array([[-half_x, half_y], [half_x, half_y], [half_x, -half_y], [-half_x, -half_y], [-half_x, half_y]])
    s = np.linspace(0, 1, cells + 1)
    for start, end in zip(corners[:-1], corners[1:], strict=True):
        width = float(np.linalg.norm(end - start))
        xy = start + s[:, None] * (end - start)
        z = floor + s * height
        grid = np.concatenate([np.broadcast_to(xy[None], (cells + 1, cells + 1, 2)),
                               np.broadcast_to(z[:, None, None], (cells + 1, cells + 1, 1))], -1)
        uv = np.stack(np.broadcast_arrays(s[None] * width / height, s[:, None]), -1)
        walls.append(Mesh(grid.reshape(-1, 3), uv.reshape(-1, 2), _grid(cells, cells)))
    x, y = np.meshgrid(np.linspace(-half_x, half_x, cells + 1), np.linspace(-half_y, half_y, cells + 1))
    ground = Mesh(np.stack([x, y, np.full_like(x, floor)], -1).reshape(-1, 3),
                  np.stack([x, y], -1).reshape(-1, 2), _grid(cells, cells))
    return join(*walls), ground
