"""A camera at one instant."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hoigen.records.check import Check


@dataclass(frozen=True, eq=False)
class Camera:
    """A pinhole camera without distortion.

    K: [3,3] float64 intrinsics in pixels, integer pixel centres. T_world_cam: [4,4] float64, optical frame to world.
    """

    K: np.ndarray
    width: int
    height: int
    T_world_cam: np.ndarray

    def __post_init__(self) -> None:
        check = Check('Camera')
        check.that(self.width > 0 and self.height > 0, 'width, height', 'positive sizes', (self.width, self.height))
        check.array('K', self.K, 'float64', (3, 3))
        if not check.faults:
            check.that(
                self.K[0, 0] > 0 and self.K[1, 1] > 0,
                'K',
                'focal lengths > 0 (0 means uncalibrated)',
                (float(self.K[0, 0]), float(self.K[1, 1])),
            )
            check.that(
                -0.5 <= self.K[0, 2] <= self.width - 0.5 and -0.5 <= self.K[1, 2] <= self.height - 0.5,
                'K',
                f'a principal point inside {self.width}x{self.height}',
                (float(self.K[0, 2]), float(self.K[1, 2])),
            )
        check.rigid('T_world_cam', self.T_world_cam)
        check.done()
