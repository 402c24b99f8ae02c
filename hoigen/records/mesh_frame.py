"""Where the meshes of a scene are in one frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hoigen.records.check import Check


@dataclass(frozen=True, eq=False)
class MeshFrame:
    """Where every asset is in one frame. An asset is in one of the two, never both.

    poses: ``T_world_asset`` [4,4] float64 by asset id. vertices: [V,3] float32 world metres by asset id, of those that
    deform.
    """

    poses: Mapping[str, np.ndarray]
    vertices: Mapping[str, np.ndarray]

    def __post_init__(self) -> None:
        check = Check('MeshFrame')
        for name, pose in self.poses.items():
            check.rigid(f'pose of {name!r}', pose)
        for name, vertices in self.vertices.items():
            check.array(f'vertices of {name!r}', vertices, 'float32', ('V', 3))
        both = sorted(self.poses.keys() & self.vertices.keys())
        check.that(not both, 'poses, vertices', 'each asset in one of them', f'{both} in both')
        check.done()
