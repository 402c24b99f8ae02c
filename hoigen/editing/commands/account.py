"""What an edit did, in numbers that are measured on its frames; and its refusal where it did nothing."""

from __future__ import annotations

import numpy as np

from hoigen.conditioning import ConditioningConfig
from hoigen.conventions import HAND, OBJECT, ROLE_CODE
from hoigen.editing.clips.edited import EditOutcome
from hoigen.editing.clips.labels import has_object
from hoigen.editing.clips.overlap import gap_m
from hoigen.editing.clips.plate import hidden_by_object
from hoigen.editing.clips.recorded import Recorded, is_metric, pixels_of
from hoigen.editing.placement import PlacementError
from hoigen.perception.clip import CONTACT_M

DEEP_M = 0.005
"""No hand can reach deeper into an object; simulated contact is soft, by a few millimetres."""
MIN_MASK_PIXELS = 8
"""An object is seen in a frame that shows at least this many pixels of it."""
MIN_CHANGED = 0.05
"""An edit that changes a smaller fraction of the pixels it is about has no effect."""
CHANGED = 24
"""A pixel has changed where any colour differs by more."""
MAX_LEFT = 0.5
"""An object is still there where a larger fraction of its points is seen beside its masks."""


def changed_fraction(before: np.ndarray, after: np.ndarray, where: np.ndarray) -> float:
    """Of the pixels ``where`` [...,H,W] bool, the fraction whose colour [...,H,W,3] uint8 changed; NaN of none."""
    changed = (np.abs(after[where].astype(np.int16) - before[where]) > CHANGED).any(-1)
    return float(changed.mean()) if len(changed) else float('nan')


def refuse_without_effect(recorded: Recorded, made: EditOutcome, look: str) -> None:
    """PlacementError where the object that was put in is seen in no frame, or the one taken away is still there.

    look: the file that shows it."""
    frames = len(made.frames)
    if made.edit.poses is not None and not any(_seen(made)):
        raise PlacementError(
            f'{recorded.name}: expected the object to be seen, got it in none of {frames} frames: '
            f'what is nearer hides all of it, or nothing was painted; see {look}'
        )
    if made.edit.kind != 'remove':
        return
    own = recorded.clip.mask == ROLE_CODE[OBJECT]
    left = _left(recorded, made)
    if np.isfinite(left).any() and np.nanmean(left) > MAX_LEFT:
        raise PlacementError(
            f'{recorded.name}: expected the object to be gone, got {np.nanmean(left):.0%} of its '
            'points beside its masks, where it is still seen: masks mark it in '
            f'{own.any((1, 2)).sum()} of {frames} frames; see {look}'
        )
    changed = changed_fraction(recorded.clip.rgb, _rgb(made), own)
    if changed < MIN_CHANGED:
        raise PlacementError(
            f'{recorded.name}: expected the object to be gone, got the same colours in '
            f'{1 - changed:.0%} of its pixels; see {look}'
        )


def account(recorded: Recorded, made: EditOutcome) -> list[str]:
    """What was done, in lines for a person; only what was measured."""
    lines = _of_taken(recorded, made) if made.edit.removes else []
    if made.edit.poses is None:
        return lines
    seen, visible = _seen(made), [frame.visibility for frame in made.frames]
    line = f'the object is seen in {sum(seen)} of {len(seen)} frames'
    if any(seen):
        shown = np.array(visible)[seen]
        line += f', {shown.mean():.0%} of it on average, {shown.min():.0%} at least'
    lines.append(line)
    agreement = [frame.agreement for frame in made.frames if np.isfinite(frame.agreement)]
    if agreement:
        lines.append(f'its true outline and what changed agree to {np.mean(agreement):.2f} (intersection over union)')
    if np.isfinite(made.rerendered).any():
        lines.append(
            f'its mask against its meshes rendered again: {np.nanmean(made.rerendered):.3f} (intersection '
            f'over union), at least {np.nanmin(made.rerendered):.3f}'
        )
    return lines + _of_hand(recorded, made)


def notes_of(made: EditOutcome) -> list[str]:
    """What is known of each frame, for the sheet."""
    notes = []
    for frame in made.frames:
        if made.edit.poses is None:
            known = (
                'no object is marked here' if np.isnan(frame.carried) else f'seen in other frames {frame.carried:.2f}'
            )
        else:
            known = f'visible {frame.visibility:.2f}'
            if np.isfinite(frame.agreement):
                known += f'   outline and change agree {frame.agreement:.2f}'
        notes.append(known)
    return notes


def _of_taken(recorded: Recorded, made: EditOutcome) -> list[str]:
    """Of the object that was taken away."""
    own = recorded.clip.mask == ROLE_CODE[OBJECT]
    hidden = np.stack([hidden_by_object(mask) for mask in recorded.clip.mask])
    carried = np.array([frame.carried for frame in made.frames])
    lines = [f'the object was marked in {own.any((1, 2)).sum()} of {len(own)} frames']
    if made.edit.kind == 'remove':
        changed = changed_fraction(recorded.clip.rgb, _rgb(made), own)
        lines[0] += f'; {changed:.0%} of its pixels have another colour now'
    if hidden.any():
        share = np.nansum(carried * hidden.sum((1, 2))) / hidden.sum()
        lines.append(f'of what it hid, {share:.0%} was seen in other frames, the rest is painted')
    left = _left(recorded, made)
    where = np.flatnonzero(left > 0.1)
    if len(where):
        lines.append(
            f'points of it are seen beside its masks in {len(where)} frames, there it may still be seen: '
            + ', '.join(map(str, where[:10].tolist()))
            + (', ...' if len(where) > 10 else '')
        )
    return lines


def _of_hand(recorded: Recorded, made: EditOutcome) -> list[str]:
    """How the hand stands to the object that was put in; nothing where no hand or no scale is known."""
    clip, frames = made.scene, len(made.frames)
    if not (clip.point_role == ROLE_CODE[HAND]).any():
        return []
    if not is_metric(recorded):
        return ['contact is not known: the lengths of the clip are no metres']
    lines = []
    if np.isfinite(made.reach_m).any():
        deep = made.reach_m
        lines.append(
            f'the hand reaches at most {1000 * deep.max():.0f} mm into it, deeper than {1000 * DEEP_M:g} mm '
            f'in {(deep > DEEP_M).sum()} of {frames} frames'
        )
    within = ConditioningConfig().contact_distance_m if recorded.assets else CONTACT_M
    if made.edit.kind == 'insert' and has_object(recorded):
        if made.edit.poses is not None and all(subject.exact for subject in made.edit.subjects):
            gaps = gap_m(recorded, made.meshes[0], made.edit.poses)
            lines.append(
                f'the hand touches it (within {1000 * within:g} mm) in {(gaps <= within).sum()} of {frames} '
                f'frames, the nearest it comes is {1000 * gaps.min():.0f} mm; the labels of contact are those '
                'of the recorded object'
            )
        return lines
    if made.edit.kind == 'move' or all(subject.exact for subject in made.edit.subjects):
        touched = int(clip.point_contact.any(1).sum())
        lines.append(f'hand and object touch (within {1000 * within:g} mm) in {touched} of {frames} frames')
    return lines


def _seen(made: EditOutcome) -> list[bool]:
    return [int(frame.mask.sum()) >= MIN_MASK_PIXELS for frame in made.frames]


def _rgb(made: EditOutcome) -> np.ndarray:
    return np.stack([frame.rgb for frame in made.frames])


def _left(recorded: Recorded, made: EditOutcome) -> np.ndarray:
    """[T] of the recorded object's points that are seen, the fraction that what was taken away does not cover; NaN
    where none is seen."""
    clip, own = recorded.clip, recorded.clip.point_role == ROLE_CODE[OBJECT]
    found = np.full(len(made.frames), np.nan)
    for t in range(len(found)):
        row, column, _, inside = pixels_of(clip.cameras[t], clip.points[t, own & clip.point_visible[t]])
        if inside.any():
            found[t] = 1 - hidden_by_object(clip.mask[t])[row[inside], column[inside]].mean()
    return found
