"""All assets of a scene as one vertex buffer and one triangle list, so that posing and drawing are one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hoigen.conventions import ROLE_CODE
from hoigen.geometry.transforms import apply
from hoigen.records import MeshAsset, MeshFrame


@dataclass(frozen=True, eq=False)
class MeshTable:
    """Assets in the order of their ids: the order in which a source lists them never matters.

    roles: [A] uint8 role codes. vertices: [V,3] float64 metres, each in its asset's frame. starts: [A+1] int64, asset
    a owns vertices ``starts[a]:starts[a+1]``. triangles: [F,3] int32 rows of vertices. triangle_asset: [F] int32.
    """

    ids: tuple[str, ...]
    roles: np.ndarray
    vertices: np.ndarray
    starts: np.ndarray
    triangles: np.ndarray
    triangle_asset: np.ndarray

    def posed(self, poses: Mapping[str, np.ndarray], vertices: Mapping[str, np.ndarray]) -> np.ndarray:
        """World vertices [V,3] float64, from ``T_world_asset`` [4,4] or world vertices [V_a,3] of every asset."""
        world = np.empty_like(self.vertices)
        for index, name in enumerate(self.ids):
            rows = slice(self.starts[index], self.starts[index + 1])
            world[rows] = vertices[name] if name in vertices else apply(poses[name], self.vertices[rows])
        return world


def world_vertices(asset: MeshAsset, places: MeshFrame) -> np.ndarray:
    """World vertices [V,3] of one asset."""
    known = places.vertices.get(asset.id)
    return apply(places.poses[asset.id], asset.vertices) if known is None else known


def mesh_table(assets: Sequence[MeshAsset]) -> MeshTable:
    """The table of ``assets``; their ids are unique."""
    ordered = sorted(assets, key=lambda asset: asset.id)
    starts = np.cumsum([0, *(len(asset.vertices) for asset in ordered)])
    return MeshTable(
        ids=tuple(asset.id for asset in ordered),
        roles=np.array([ROLE_CODE[asset.role] for asset in ordered], np.uint8),
        vertices=np.concatenate([asset.vertices for asset in ordered]).astype(float),
        starts=starts,
        triangles=np.concatenate(
            [asset.triangles + start for asset, start in zip(ordered, starts, strict=False)]
        ).astype(np.int32),
        triangle_asset=np.repeat(np.arange(len(ordered), dtype=np.int32), [len(a.triangles) for a in ordered]),
    )
