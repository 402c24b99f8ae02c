"""An edit over all frames of a clip along the object's trajectory, with labels that stay true (counterfactuals)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from hoigen.conventions import OBJECT, ROLE_CODE
from hoigen.editing.clips.edited import ClipEdit, EditOutcome, PaintedFrame
from hoigen.editing.clips.labels import relabelled
from hoigen.editing.clips.overlap import reach_m
from hoigen.editing.clips.plate import plates_of
from hoigen.editing.clips.recorded import Recorded, object_meshes, object_poses
from hoigen.editing.editor import Editor
from hoigen.editing.placement import PlacementError, place
from hoigen.editing.records import Subject
from hoigen.records import Camera, MeshAsset


class Store(Protocol):
    """Keeps finished frames, so that a stopped edit goes on where it was."""

    def get(self, frame: int) -> PaintedFrame | None: ...

    def put(self, frame: int, edited: PaintedFrame) -> None: ...


def edit_clip(
    recorded: Recorded,
    edit: ClipEdit,
    inserter: Editor,
    *,
    seed: int = 0,
    steps: int | None = None,
    store: Store | None = None,
    on_frame: Callable[[int], None] | None = None,
) -> EditOutcome:
    """Edit every frame, then correct the labels.

    All frames begin from the same noise (``seed``), so that the object looks alike in them. ``on_frame`` is told the
    number of each finished frame. PlacementError where the object is in no frame's view or of an unlikely size.
    """
    frames = len(recorded.clip.stamps_ns)
    _check(recorded, edit, frames)
    plates = plates_of(recorded) if edit.removes else None
    made: list[PaintedFrame] = []
    for t in range(frames):
        done = store.get(t) if store else None
        if done is None:
            done = _edit_frame(recorded, edit, plates, inserter, t, seed, steps)
            if store:
                store.put(t, done)
        made.append(done)
        if on_frame:
            on_frame(t)
    clip, masks = relabelled(recorded, edit, made)
    meshes = _meshes(recorded, edit)
    rerendered, reach = np.full(frames, np.nan), np.full(frames, np.nan)
    if masks is not None and edit.poses is not None:
        rerendered = np.array([_overlap(frame.mask, mask) for frame, mask in zip(made, masks, strict=True)])
        reach = reach_m(clip, meshes, edit.poses)
    return EditOutcome(edit, clip, tuple(made), meshes, rerendered, reach, inserter.provenance(seed, steps))


def _meshes(recorded: Recorded, edit: ClipEdit) -> tuple[MeshAsset, ...]:
    """What is put in, as it was recorded where it was."""
    if edit.kind == 'move' and recorded.of_object:
        return object_meshes(recorded, object_poses(recorded))
    return tuple(subject.mesh for subject in edit.subjects)


def _edit_frame(
    recorded: Recorded, edit: ClipEdit, plates: Callable | None, inserter: Editor, t: int, seed: int, steps: int | None
) -> PaintedFrame:
    clip = recorded.clip
    rgb, depth, carried = clip.rgb[t], clip.depth_m[t], np.nan
    if plates is not None:
        plate = plates(t)
        rest = plate.hidden & ~plate.carried
        rgb = inserter.remove(plate.rgb, rest, plate.depth_m, seed=seed, steps=steps) if rest.any() else plate.rgb
        depth = plate.depth_m
        if plate.hidden.any():
            carried = float(plate.carried.sum()) / float(plate.hidden.sum())
    if edit.poses is None:
        return PaintedFrame(rgb, depth, np.zeros(rgb.shape[:2], bool), carried, np.nan, np.nan)
    subject = edit.subjects[t % len(edit.subjects)]
    if not _in_view(subject, edit.poses[t], clip.cameras[t]):
        return PaintedFrame(rgb, depth, np.zeros(rgb.shape[:2], bool), carried, 0.0, np.nan)
    edited = inserter.insert(rgb, depth, clip.cameras[t], subject, edit.poses[t], seed=seed, steps=steps)
    return PaintedFrame(edited.rgb, edited.depth_m, edited.mask, carried, edited.visibility, edited.agreement)


def _check(recorded: Recorded, edit: ClipEdit, frames: int) -> None:
    if edit.removes and not (recorded.clip.mask == ROLE_CODE[OBJECT]).any():
        raise PlacementError(
            f'{recorded.name}: expected masks that mark the object in some frame, got none in '
            f'{frames} frames: there is nothing to take away'
        )
    if edit.poses is None:
        return
    if len(edit.poses) != frames or len(edit.subjects) not in (1, frames):
        raise PlacementError(
            f'{recorded.name}: expected poses and subjects of {frames} frames, got '
            f'{len(edit.poses)} and {len(edit.subjects)}'
        )
    errors = [
        error
        for t, camera in enumerate(recorded.clip.cameras)
        if (error := _refusal(edit.subjects[t % len(edit.subjects)], edit.poses[t], camera)) is not None
    ]
    if len(errors) == frames:
        raise PlacementError(f'{recorded.name}: in none of {frames} frames: {errors[0]}') from errors[0]


def _in_view(subject: Subject, pose: np.ndarray, camera: Camera) -> bool:
    return _refusal(subject, pose, camera) is None


def _refusal(subject: Subject, pose: np.ndarray, camera: Camera) -> PlacementError | None:
    try:
        place(subject.mesh, pose, camera)
    except PlacementError as error:
        return error
    return None


def _overlap(a: np.ndarray, b: np.ndarray) -> float:
    union = int((a | b).sum())
    return float((a & b).sum()) / union if union else float('nan')
