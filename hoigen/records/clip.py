"""A scene with its exact geometry, aligned row by row, and one row of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from hoigen.records.camera import Camera
from hoigen.records.check import Check, RecordError, array, layouts_of
from hoigen.records.labels import Labels, check_labels

__all__ = ['Clip', 'ClipFrame']

Subset = np.ndarray | slice
"""Which entries of a dimension: bool mask, indices or a slice."""


@dataclass(frozen=True, eq=False, kw_only=True)
class _Arrays:
    """The arrays of T frames with N points and M tracks; each with T is one row long in a :class:`ClipFrame`."""

    rgb: np.ndarray = field(metadata=array('uint8', 'T', 'H', 'W', 3))
    depth_m: np.ndarray = field(metadata=array('float32', 'T', 'H', 'W', finite=False))
    mask: np.ndarray = field(metadata=array('uint8', 'T', 'H', 'W'))
    points: np.ndarray = field(metadata=array('float32', 'T', 'N', 3))
    point_role: np.ndarray = field(metadata=array('uint8', 'N'))
    point_visible: np.ndarray = field(metadata=array('bool', 'T', 'N'))
    point_rgb: np.ndarray = field(metadata=array('uint8', 'N', 3))
    point_rgb_known: np.ndarray = field(metadata=array('bool', 'N'))
    point_contact: np.ndarray = field(metadata=array('bool', 'T', 'N'))
    tracks: np.ndarray = field(metadata=array('float32', 'T', 'M', 3))
    track_visible: np.ndarray = field(metadata=array('bool', 'T', 'M'))


@dataclass(frozen=True, eq=False, kw_only=True)
class ClipFrame(_Arrays):
    """One frame of a :class:`Clip`: its arrays without the dimension T."""

    stamp_ns: int
    camera: Camera
    labels: Labels

    def __post_init__(self) -> None:
        check = Check(f'ClipFrame at {self.stamp_ns} ns')
        check.arrays(self, {'H': self.camera.height, 'W': self.camera.width}, without='T')
        check.done()


@dataclass(frozen=True, eq=False, kw_only=True)
class Clip(_Arrays):
    """T frames of one scene with its exact geometry; every array's row t is ``stamps_ns[t]``.

    rgb: [T,H,W,3] uint8. depth_m: [T,H,W] float32 of the meshes, infinite where there is none. mask: [T,H,W] uint8 role
    codes. points: [T,N,3] float32 world metres, a row n the same surface point in every frame; point_role: [N] uint8;
    point_visible: [T,N] bool; point_rgb: [N,3] uint8 and point_rgb_known: [N] bool, the colour where the point was
    seen in frame 0. tracks: [T,M,3] float32 world and track_visible: [T,M] bool. point_contact: [T,N] bool, within
    contact distance of the other party.

    Of a recorded scene, depth_m is what was measured or estimated of everything in view, NaN unknown; positions of
    points and tracks are measured where visible and predicted from those around them elsewhere.
    """

    stamps_ns: np.ndarray = field(metadata=array('int64', 'T'))
    cameras: tuple[Camera, ...]
    labels: tuple[Labels, ...]

    def __post_init__(self) -> None:
        check, sizes = Check('Clip'), {'T': len(self.cameras)}
        if self.cameras:
            sizes |= {'H': self.cameras[0].height, 'W': self.cameras[0].width}
        check.arrays(self, sizes)
        check_labels(check, self.labels, sizes['T'])
        if not check.faults:
            steps = np.diff(self.stamps_ns)
            check.that(bool((steps > 0).all()), 'stamps_ns', 'rising stamps', f'a step of {steps.min(initial=1)} ns')
        check.done()

    @classmethod
    def of(cls, rows: Sequence[ClipFrame]) -> Clip:
        """The clip of these frames, at least one, all of one size and with the same points.

        Raises :class:`RecordError` where they are not.
        """
        if not rows:
            raise RecordError('Clip: expected at least 1 frame, got 0')
        check, arrays = Check('Clip'), dict[str, np.ndarray]()
        for name, layout in layouts_of(ClipFrame).items():
            column = [getattr(row, name) for row in rows]
            shapes = sorted({value.shape for value in column})
            check.that(len(shapes) == 1, name, 'frames of one size', shapes)
            if check.faults:
                continue
            if 'T' in layout.shape:
                arrays[name] = np.stack(column)
            else:
                arrays[name] = column[0]
                same = all(np.array_equal(column[0], value) for value in column[1:])
                check.that(same, name, 'the same in every frame', 'others')
        check.done()
        return cls(
            stamps_ns=np.array([row.stamp_ns for row in rows], np.int64),
            cameras=tuple(row.camera for row in rows),
            labels=tuple(row.labels for row in rows),
            **arrays,
        )

    def row(self, t: int) -> ClipFrame:
        """Frame ``t``; its arrays share this clip's memory."""
        arrays = {name: getattr(self, name) for name in layouts_of(ClipFrame)} | self._taken('T', t)
        return ClipFrame(stamp_ns=int(arrays.pop('stamps_ns')), camera=self.cameras[t], labels=self.labels[t], **arrays)

    def frames(self, start: int, stop: int) -> Clip:
        """Frames ``start:stop``, at least one; point_rgb stays what this clip's frame 0 shows."""
        rows = slice(start, stop)
        return replace(self, cameras=self.cameras[rows], labels=self.labels[rows], **self._taken('T', rows))

    def subset(self, points: Subset, tracks: Subset) -> Clip:
        """The clip with only some of its points and tracks."""
        return replace(self, **self._taken('N', points), **self._taken('M', tracks))

    def with_points(self, points: np.ndarray, role: np.ndarray) -> Clip:
        """Also these points, after its own: never visible, without contact and of unknown colour.

        points: [T,K,3] float32 world metres. role: [K] uint8.
        """
        given, sizes = {'points': points, 'point_role': role}, {'T': len(points), 'N': len(role)}
        joined = dict[str, Any]()
        for name, layout in layouts_of(Clip).items():
            if 'N' in layout.shape:
                shape = [sizes[n] if isinstance(n, str) else n for n in layout.shape]
                more = given.get(name, np.zeros(shape, layout.dtype))
                joined[name] = np.concatenate([getattr(self, name), more], layout.shape.index('N'))
        return replace(self, **joined)

    def _taken(self, dimension: str, entries: Subset | int) -> dict[str, Any]:
        """Every array that has ``dimension``, with only these entries of it."""
        return {
            name: getattr(self, name)[(slice(None),) * layout.shape.index(dimension) + (entries,)]
            for name, layout in layouts_of(Clip).items()
            if dimension in layout.shape
        }
