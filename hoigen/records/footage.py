"""A recording as a camera measured it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hoigen.records.camera import Camera
from hoigen.records.check import Check


@dataclass(frozen=True, eq=False)
class Footage:
    """T instants of a recording as a camera measured them, at one size with one lens.

    rgb: [T,H,W,3] uint8. depth_m: [T,H,W] float32 measured metres along the optical axis, NaN unknown; None without a
    depth camera. K: [3,3] float64 intrinsics; None where the camera was not calibrated.
    """

    stamps_ns: np.ndarray
    rgb: np.ndarray
    depth_m: np.ndarray | None
    K: np.ndarray | None

    def __post_init__(self) -> None:
        check, sizes = Check('Footage'), dict[str, int]()
        check.array('stamps_ns', self.stamps_ns, 'int64', ('T',), sizes=sizes)
        check.array('rgb', self.rgb, 'uint8', ('T', 'H', 'W', 3), sizes=sizes)
        if self.depth_m is not None:
            check.array('depth_m', self.depth_m, 'float32', ('T', 'H', 'W'), sizes=sizes, finite=False)
        if not check.faults:
            check.that(sizes['T'] > 0, 'frames', 'at least 1', 0)
            steps = np.diff(self.stamps_ns)
            check.that(bool((steps > 0).all()), 'stamps_ns', 'rising stamps', f'a step of {steps.min(initial=1)} ns')
            if self.depth_m is not None:
                behind = int((self.depth_m <= 0).sum())
                check.that(not behind, 'depth_m', 'metres > 0, NaN where unknown', f'{behind} values <= 0')
        check.done()
        if self.K is not None:
            Camera(self.K, sizes['W'], sizes['H'], np.eye(4))
