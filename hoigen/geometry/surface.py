"""Points fixed to a mesh's surface, which move exactly as the mesh does."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from hoigen.compiling import numba

CANDIDATES = 4
"""Random places per wanted sample, among which the evenly spread ones are kept."""


@dataclass(frozen=True, eq=False)
class SurfaceSamples:
    """triangle: [N] int32 rows of a triangle list. weights: [N,3] float64 barycentric weights of its corners."""

    triangle: np.ndarray
    weights: np.ndarray

    def at(self, vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
        """The samples' places [N,3] float64 on triangles [F,3] over vertices [V,3] as posed now."""
        return np.einsum('nk,nkx->nx', self.weights, vertices[triangles[self.triangle]])

    def take(self, rows: np.ndarray) -> SurfaceSamples:
        return SurfaceSamples(self.triangle[rows], self.weights[rows])


def seed_of(seed: int, name: str) -> np.random.Generator:
    """A generator of its own for ``name``, the same in every process and whatever else is drawn."""
    digest = hashlib.sha256(f'{seed}/{name}'.encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], 'little'))


def triangle_areas(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """[F] float64 areas in square metres."""
    a, b, c = (vertices[triangles[:, corner]].astype(float) for corner in range(3))
    return np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2


def barycentric(points: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Weights [N,3] of points [N,3] in the planes of triangles with corners [N,3,3], none below 0."""
    a, u, v = corners[:, 0], corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    p = points - a
    uu, uv, vv = (np.einsum('nx,nx->n', *pair) for pair in ((u, u), (u, v), (v, v)))
    pu, pv = np.einsum('nx,nx->n', p, u), np.einsum('nx,nx->n', p, v)
    scale = np.maximum(uu * vv - uv * uv, np.finfo(float).tiny)
    second, third = (vv * pu - uv * pv) / scale, (uu * pv - uv * pu) / scale
    weights = np.clip(np.stack([1 - second - third, second, third], axis=1), 0, 1)
    return weights / weights.sum(axis=1, keepdims=True)


def sample_surface(vertices: np.ndarray, triangles: np.ndarray, count: int, rng: np.random.Generator) -> SurfaceSamples:
    """``count`` samples spread evenly over the area of triangles [F,3] over vertices [V,3].

    Any first part of the samples is spread evenly as well. The mesh has an area.
    """
    cumulated = np.cumsum(triangle_areas(vertices, triangles))
    total = CANDIDATES * count
    places = (np.arange(total) + rng.random(total)) / total * cumulated[-1]
    triangle = np.minimum(np.searchsorted(cumulated, places, side='right'), len(triangles) - 1).astype(np.int32)
    root, along = np.sqrt(rng.random(total)), rng.random(total)
    samples = SurfaceSamples(triangle, np.stack([1 - root, root * (1 - along), root * along], axis=1))
    return samples.take(spread(samples.at(vertices, triangles), count))


def spread(points: np.ndarray, count: int) -> np.ndarray:
    """Rows [count] int64 of points [C,2] or [C,3]: each is the one farthest from those before it, row 0 is first."""
    if count > len(points):
        raise ValueError(f'points: expected at least {count}, got {len(points)}')
    columns = np.zeros((3, len(points)), np.float32)
    columns[: points.shape[1]] = points.T
    return _spread(columns[0], columns[1], columns[2], count)


@numba.njit(cache=True, nogil=True)
def _spread(x: np.ndarray, y: np.ndarray, z: np.ndarray, count: int) -> np.ndarray:
    chosen = np.zeros(count, np.int64)
    gap = np.full(len(x), np.float32(np.inf))
    for row in range(1, count):
        last = chosen[row - 1]
        for other in range(len(x)):  # three simple loops: each becomes vector instructions
            square = (x[other] - x[last]) ** 2 + (y[other] - y[last]) ** 2 + (z[other] - z[last]) ** 2
            gap[other] = min(gap[other], square)
        widest = gap[0]
        for other in range(len(x)):
            widest = max(widest, gap[other])
        while gap[chosen[row]] != widest:
            chosen[row] += 1
    return chosen
