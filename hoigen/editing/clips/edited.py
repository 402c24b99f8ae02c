"""Records of an edit over all frames of a clip: what is asked for, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from hoigen.editing.records import Subject
from hoigen.records import Clip, MeshAsset, Provenance

__all__ = ['ClipEdit', 'EditedClip', 'EditedFrame']


@dataclass(frozen=True, eq=False)
class ClipEdit:
    """What is done to a clip of T frames.

    kind: an object is put in, the recorded one is taken away, or both (move). subjects: what is put in, in each frame
    (one for all, unless it deforms). poses: [T,4,4] float64 its ``T_world_object``. task: what is done now, None as
    recorded.
    """

    kind: Literal['insert', 'move', 'remove']
    subjects: tuple[Subject, ...] = ()
    poses: np.ndarray | None = None
    task: str | None = None

    @property
    def removes(self) -> bool:
        return self.kind != 'insert'


@dataclass(frozen=True, eq=False)
class EditedFrame:
    """One frame of an edited clip.

    rgb: [H,W,3] uint8. depth_m: [H,W] float32, infinite where nothing is, NaN unknown. mask: [H,W] bool, where the
    inserted object is seen. hidden: [H,W] bool, what the object that was taken away hid; carried: the share of that
    which other frames showed, NaN where nothing was taken away. visibility: the share of the inserted object that is
    seen, 0 out of view, NaN without one. agreement: of its mask with where the picture changed, NaN untold.
    """

    rgb: np.ndarray
    depth_m: np.ndarray
    mask: np.ndarray
    hidden: np.ndarray
    carried: float
    visibility: float
    agreement: float


@dataclass(frozen=True, eq=False)
class EditedClip:
    """clip: the edited frames with corrected labels. frames: T of them. poses, meshes: of what was put in, None and
    empty if nothing; one mesh for all frames or T.
    rerendered: [T] float64, intersection over union of each frame's mask with that of its meshes rendered again, NaN
    where neither shows the object or there are no meshes. reach_m: [T] float64, how deep the hand is in the object, NaN
    without meshes."""

    clip: Clip
    frames: tuple[EditedFrame, ...]
    poses: np.ndarray | None
    meshes: tuple[MeshAsset, ...]
    rerendered: np.ndarray
    reach_m: np.ndarray
    provenance: Provenance
