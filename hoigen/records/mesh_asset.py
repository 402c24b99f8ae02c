"""A mesh, sent once for an episode."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hoigen.conventions import ROLES
from hoigen.records.check import Check


@dataclass(frozen=True, eq=False)
class MeshAsset:
    """One rigid or deforming triangle mesh, sent once.

    vertices: [V,3] float32 metres in the asset's frame. triangles: [F,3] int32, counter-clockwise from outside. uv:
    [V,2] float32 places in the texture [h,w,3] uint8, (0, 0) its lower left corner, repeated beyond [0, 1]; both None
    where the look is not known.
    """

    id: str
    role: str
    vertices: np.ndarray
    triangles: np.ndarray
    uv: np.ndarray | None = None
    texture: np.ndarray | None = None

    def __post_init__(self) -> None:
        check = Check(f'MeshAsset {self.id!r}')
        check.that(bool(self.id), 'id', 'a name', repr(self.id))
        check.that(self.role in ROLES, 'role', f'one of {ROLES}', repr(self.role))
        sizes: dict[str, int] = {}
        check.array('vertices', self.vertices, 'float32', ('V', 3), sizes=sizes)
        check.array('triangles', self.triangles, 'int32', ('F', 3))
        check.that((self.uv is None) == (self.texture is None), 'uv, texture', 'both or none', 'one of them')
        if self.uv is not None and self.texture is not None:
            check.array('uv', self.uv, 'float32', ('V', 2), sizes=sizes)
            check.array('texture', self.texture, 'uint8', ('h', 'w', 3))
        if not check.faults:
            check.that(
                len(self.vertices) >= 3 and len(self.triangles) >= 1,
                'mesh',
                'at least one triangle',
                f'{len(self.vertices)} vertices, {len(self.triangles)} triangles',
            )
        if not check.faults:
            low, high = int(self.triangles.min()), int(self.triangles.max())
            check.that(
                low >= 0 and high < len(self.vertices),
                'triangles',
                f'indices in [0, {len(self.vertices) - 1}]',
                f'[{low}, {high}]',
            )
        check.done()
