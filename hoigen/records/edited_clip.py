"""Frames into which an object was put, or from which one was taken, and what is then true of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hoigen.records.check import Check
from hoigen.records.clip import Clip
from hoigen.records.labels import Labels
from hoigen.records.mesh_asset import MeshAsset
from hoigen.records.provenance import Provenance


@dataclass(frozen=True, eq=False)
class EditedObject:
    """The object that was put into a frame.

    T_world_object: [4,4] float64, of the object's frame (front +x, up +z). visibility: the fraction of it that is seen,
    in [0, 1]. agreement: intersection over union of its mask with the pixels that changed, NaN if unknown.
    """

    caption: str
    T_world_object: np.ndarray
    visibility: float
    agreement: float

    def __post_init__(self) -> None:
        check = Check('EditedObject')
        check.rigid('T_world_object', self.T_world_object)
        check.that(0 <= self.visibility <= 1, 'visibility', 'a fraction in [0, 1]', self.visibility)
        check.done()


@dataclass(frozen=True, eq=False)
class EditedFrame:
    """One frame after an edit.

    rgb: [H,W,3] uint8. depth_m: [H,W] float32, infinite where there is nothing, NaN unknown. mask: [H,W] bool, where
    the object that was put in is seen. labels: None in a stream without labels. inserted: None where an object was only
    taken away.
    """

    stamp_ns: int
    rgb: np.ndarray
    depth_m: np.ndarray
    mask: np.ndarray
    labels: Labels | None
    inserted: EditedObject | None

    def __post_init__(self) -> None:
        check, sizes = Check(f'EditedFrame at {self.stamp_ns} ns'), dict[str, int]()
        check.array('rgb', self.rgb, 'uint8', ('H', 'W', 3), sizes=sizes)
        check.array('depth_m', self.depth_m, 'float32', ('H', 'W'), sizes=sizes, finite=False)
        check.array('mask', self.mask, 'bool', ('H', 'W'), sizes=sizes)
        check.done()


@dataclass(frozen=True, eq=False)
class EditedClip:
    """The edited frames of a clip.

    scene: these frames with the conditions that are true of them (masks, points, tracks, contact), for all that reads
    clips; None of frames that were edited one by one as they came. assets: the mesh that was put in, a box where only
    its size is known, which each frame's ``inserted`` places; () where it is among the scene's, or nothing was put in.
    """

    frames: tuple[EditedFrame, ...]
    provenance: Provenance
    scene: Clip | None = None
    assets: tuple[MeshAsset, ...] = ()

    def __post_init__(self) -> None:
        check = Check('EditedClip')
        unknown = sum(frame.labels is None for frame in self.frames)
        check.that(not unknown, 'labels', 'of every frame', f'none in {unknown} of {len(self.frames)}')
        if self.scene is not None:
            stamps = self.scene.stamps_ns.tolist()
            check.that(stamps == self.stamps_ns, 'scene.stamps_ns', "the frames'", 'others')
        check.done()

    @property
    def stamps_ns(self) -> list[int]:
        return [frame.stamp_ns for frame in self.frames]

    @property
    def labels(self) -> tuple[Labels, ...]:
        return tuple(frame.labels for frame in self.frames if frame.labels is not None)
