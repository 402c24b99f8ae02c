"""One instant of a source."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hoigen.records.camera import Camera
from hoigen.records.check import Check
from hoigen.records.labels import Labels


@dataclass(frozen=True, eq=False)
class SceneFrame:
    """One instant of a source.

    rgb: [H,W,3] uint8. depth_m: [H,W] float32 or None. poses: T_world_asset [4,4] float64 by asset id; vertices:
    [V,3] float32 world metres by asset id, for deforming assets. An asset is in one of the two, never both.
    """

    stamp_ns: int
    camera: Camera
    rgb: np.ndarray
    depth_m: np.ndarray | None
    poses: dict[str, np.ndarray]
    vertices: dict[str, np.ndarray]
    labels: Labels

    def __post_init__(self) -> None:
        check = Check(f'SceneFrame at {self.stamp_ns} ns')
        size = (self.camera.height, self.camera.width)
        check.that(self.stamp_ns >= 0, 'stamp_ns', '>= 0', self.stamp_ns)
        check.array('rgb', self.rgb, 'uint8', (*size, 3))
        if self.depth_m is not None:
            check.array('depth_m', self.depth_m, 'float32', size, finite=False)
        for name, pose in self.poses.items():
            check.rigid(f'pose of {name!r}', pose)
        for name, vertices in self.vertices.items():
            check.array(f'vertices of {name!r}', vertices, 'float32', ('V', 3))
        both = sorted(self.poses.keys() & self.vertices.keys())
        check.that(not both, 'poses, vertices', 'each asset in one of them', f'{both} in both')
        check.done()
