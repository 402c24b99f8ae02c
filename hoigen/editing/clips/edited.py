"""Records of an edit over all frames of a clip: what is asked for, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from hoigen.editing.records import Subject
from hoigen.records import Clip, EditedClip, EditedFrame, EditedObject, MeshAsset, Provenance


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
class PaintedFrame:
    """One frame as the model left it.

    rgb: [H,W,3] uint8. depth_m: [H,W] float32, infinite where nothing is, NaN unknown. mask: [H,W] bool, where the
    inserted object is seen. carried: of what the object that was taken away hid, the fraction that other frames showed,
    NaN where it hid nothing. visibility: the fraction of the inserted object that is seen, 0 out of view, NaN without
    one. agreement: of its mask with where the image changed, NaN if unknown.
    """

    rgb: np.ndarray
    depth_m: np.ndarray
    mask: np.ndarray
    carried: float
    visibility: float
    agreement: float


@dataclass(frozen=True, eq=False)
class EditOutcome:
    """What came of an edit.

    scene: the clip with the edited frames and corrected labels. frames: T of them. meshes: of what was put in, one for
    all frames or T; empty if nothing. rerendered: [T] float64, intersection over union of each frame's mask with that
    of its meshes rendered again, NaN where neither shows the object or there are no meshes. reach_m: [T] float64, how
    deep the hand is in the object, NaN without meshes.
    """

    edit: ClipEdit
    scene: Clip
    frames: tuple[PaintedFrame, ...]
    meshes: tuple[MeshAsset, ...]
    rerendered: np.ndarray
    reach_m: np.ndarray
    provenance: Provenance

    def clip(self, provenance: Provenance, assets: tuple[MeshAsset, ...]) -> EditedClip:
        """The edited frames as they are recorded, with the mesh that was put in; ``provenance`` with what was measured
        of each frame."""
        measured = {
            'carried': [frame.carried for frame in self.frames],
            'rerendered': self.rerendered.tolist(),
            'reach_m': self.reach_m.tolist(),
        }
        known = {name: values for name, values in measured.items() if np.isfinite(values).any()}
        frames = tuple(
            EditedFrame(int(stamp), frame.rgb, frame.depth_m, frame.mask, labels, self._inserted(t))
            for t, (stamp, frame, labels) in enumerate(
                zip(self.scene.stamps_ns, self.frames, self.scene.labels, strict=True)
            )
        )
        told = replace(provenance, config=provenance.config | {'frames': known})
        return EditedClip(frames, told, self.scene, assets)

    def _inserted(self, t: int) -> EditedObject | None:
        edit, frame = self.edit, self.frames[t]
        if edit.poses is None:
            return None
        subject = edit.subjects[t % len(edit.subjects)]
        return EditedObject(subject.caption, edit.poses[t], frame.visibility, frame.agreement)
