"""A scene with its exact geometry, aligned row by row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hoigen.records.camera import Camera
from hoigen.records.check import Check
from hoigen.records.labels import Labels

__all__ = ['Clip']


@dataclass(frozen=True, eq=False)
class Clip:
    """T instants of one scene with its exact geometry; every array's row t is ``stamps_ns[t]``.

    rgb: [T,H,W,3] uint8. depth_m: [T,H,W] float32 of the meshes, infinite where there is none. mask: [T,H,W] uint8 role
    codes. points: [T,N,3] float32 world metres, a row n the same surface point in every frame; point_role: [N] uint8;
    point_visible: [T,N] bool; point_rgb: [N,3] uint8 and point_rgb_known: [N] bool, the colour where the point was
    seen in frame 0. tracks: [T,M,3] float32 world and track_visible: [T,M] bool. point_contact: [T,N] bool, within
    contact distance of the other party.

    Of a recorded scene, depth_m is what was measured or estimated of everything in view, NaN unknown; places of points
    and tracks are measured where visible and predicted from those around them elsewhere.
    """

    stamps_ns: np.ndarray
    cameras: tuple[Camera, ...]
    rgb: np.ndarray
    depth_m: np.ndarray
    mask: np.ndarray
    points: np.ndarray
    point_role: np.ndarray
    point_visible: np.ndarray
    point_rgb: np.ndarray
    point_rgb_known: np.ndarray
    point_contact: np.ndarray
    tracks: np.ndarray
    track_visible: np.ndarray
    labels: tuple[Labels, ...]

    def __post_init__(self) -> None:
        check, sizes = Check('Clip'), {'T': len(self.cameras)}
        if self.cameras:
            sizes |= {'H': self.cameras[0].height, 'W': self.cameras[0].width}
        for name, dtype, shape in (
            ('stamps_ns', 'int64', ('T',)),
            ('rgb', 'uint8', ('T', 'H', 'W', 3)),
            ('depth_m', 'float32', ('T', 'H', 'W')),
            ('mask', 'uint8', ('T', 'H', 'W')),
            ('points', 'float32', ('T', 'N', 3)),
            ('point_role', 'uint8', ('N',)),
            ('point_visible', 'bool', ('T', 'N')),
            ('point_rgb', 'uint8', ('N', 3)),
            ('point_rgb_known', 'bool', ('N',)),
            ('point_contact', 'bool', ('T', 'N')),
            ('tracks', 'float32', ('T', 'M', 3)),
            ('track_visible', 'bool', ('T', 'M')),
        ):
            check.array(name, getattr(self, name), dtype, shape, sizes=sizes, finite=name != 'depth_m')
        check.that(len(self.labels) == sizes['T'] > 0, 'labels', f'{sizes["T"]} rows, at least 1', len(self.labels))
        if not check.faults:
            steps = np.diff(self.stamps_ns)
            check.that(bool((steps > 0).all()), 'stamps_ns', 'rising stamps', f'a step of {steps.min(initial=1)} ns')
        check.done()
