"""The records of editing: what is to be put where, and the frame that came of it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from itertools import count

import numpy as np

from hoigen.geometry.orientation import Orientation
from hoigen.records import Camera, Check, MeshAsset, Provenance

__all__ = ['Edited', 'Placement', 'Reference', 'Subject', 'Synthesis', 'inserted_id']


def inserted_id(taken: Collection[str]) -> str:
    """The id of an object that is put in: none of those that are taken."""
    return next(name for n in count(1) if (name := 'inserted' if n == 1 else f'inserted_{n}') not in taken)


@dataclass(frozen=True, eq=False)
class Reference:
    """One picture of an object. rgb: [S,S,3] uint8, the object alone on white, filling the picture. orientation: how
    it is turned in this picture, None where nobody knows."""

    rgb: np.ndarray
    orientation: Orientation | None

    def __post_init__(self) -> None:
        check = Check('Reference')
        check.array('rgb', self.rgb, 'uint8', ('S', 'S', 3))
        check.done()


@dataclass(frozen=True, eq=False)
class Subject:
    """An object to be put into pictures.

    caption: a few words ('a red mug with white dots'). references: pictures of it, at least one. mesh: its shape, which
    gives outline, depth and labels at any pose. exact: False where only its size is known and the mesh is a box of that
    size (``box_of``).
    """

    caption: str
    references: tuple[Reference, ...]
    mesh: MeshAsset
    exact: bool = True

    def __post_init__(self) -> None:
        check = Check('Subject')
        check.that(len(self.references) > 0, 'references', 'at least one picture', 0)
        check.done()


@dataclass(frozen=True, eq=False)
class Placement:
    """A 6DoF pose as a picture model reads it (SpatialHand, key design 1): where in the picture, how deep, how turned.

    mask: [H,W] bool, where the object would be seen if nothing stood before it. depth_m: [H,W] float32, its front
    surface, infinite outside the mask. insertion_depth_m: of the object's origin along the optical axis. cut: the
    share of the object that lies outside the picture.
    """

    camera: Camera
    T_world_object: np.ndarray
    mask: np.ndarray
    depth_m: np.ndarray
    insertion_depth_m: float
    orientation: Orientation
    cut: float

    def __post_init__(self) -> None:
        check, size = Check('Placement'), (self.camera.height, self.camera.width)
        check.rigid('T_world_object', self.T_world_object)
        check.array('mask', self.mask, 'bool', size)
        check.array('depth_m', self.depth_m, 'float32', size, finite=False)
        check.done()


@dataclass(frozen=True, eq=False)
class Synthesis:
    """A scene with room made for an object (geometry-aware synthesis: SpatialHand, key design 2).

    paint: [H,W] bool, where the object is in front and is to be painted. rgb: [H,W,3] uint8, the scene, grey where
    painted. depth_m: [H,W] float32, the scene's depth, the object's where painted. occluded: the share of the object's
    mask that the scene hides.
    """

    paint: np.ndarray
    rgb: np.ndarray
    depth_m: np.ndarray
    occluded: float

    def __post_init__(self) -> None:
        check, sizes = Check('Synthesis'), dict[str, int]()
        check.array('paint', self.paint, 'bool', ('H', 'W'), sizes=sizes)
        check.array('rgb', self.rgb, 'uint8', ('H', 'W', 3), sizes=sizes)
        check.array('depth_m', self.depth_m, 'float32', ('H', 'W'), sizes=sizes, finite=False)
        check.done()


@dataclass(frozen=True, eq=False)
class Edited:
    """An edited frame with the labels that are true of it.

    rgb: [H,W,3] uint8. mask: [H,W] bool, where the object is seen: of the re-rendered mesh, or where the
    picture changed inside the box of an object of which only the size is known. depth_m: [H,W] float32, infinite where
    nothing is, NaN unknown. visibility: the share of the object that is seen, in [0, 1]; 0 when it is wholly hidden or
    out of view. T_world_object: [4,4] float64. agreement: intersection over union of the mask with where the picture
    changed, NaN where that cannot be told.
    """

    camera: Camera
    rgb: np.ndarray
    mask: np.ndarray
    depth_m: np.ndarray
    visibility: float
    T_world_object: np.ndarray
    agreement: float
    provenance: Provenance

    def __post_init__(self) -> None:
        check, size = Check('Edited'), (self.camera.height, self.camera.width)
        check.array('rgb', self.rgb, 'uint8', (*size, 3))
        check.array('mask', self.mask, 'bool', size)
        check.array('depth_m', self.depth_m, 'float32', size, finite=False)
        check.that(0 <= self.visibility <= 1, 'visibility', 'a share in [0, 1]', self.visibility)
        check.rigid('T_world_object', self.T_world_object)
        check.done()
