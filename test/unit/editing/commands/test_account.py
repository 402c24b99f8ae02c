"""What an edit says of itself is what its frames show."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from edited_scenes import CONFIG, MADE, Paster, simulated
from synthetic_scene import box

from hoigen.conditioning import build_clip
from hoigen.conventions import OBJECT, ROLE_CODE
from hoigen.editing.clips.edit import edit_clip
from hoigen.editing.clips.edited import ClipEdit, EditOutcome
from hoigen.editing.clips.overlap import gap_m
from hoigen.editing.clips.recorded import Recorded
from hoigen.editing.commands.account import account, changed_fraction, notes_of, refuse_without_effect
from hoigen.editing.placement import PlacementError
from hoigen.editing.records import Reference, Subject
from hoigen.geometry.meshes import world_vertices
from hoigen.geometry.transforms import rigid
from hoigen.records import Episode, MeshFrame

CUBE = Subject(
    'a cube', (Reference(np.full((8, 8, 3), 90, np.uint8), None),), box('cube', 'object', (0.03, 0.03, 0.03))
)


@pytest.fixture(scope='module')
def recorded() -> Recorded:
    """A grasp of a mug, with its meshes."""
    episode = simulated()
    frames = list(episode.frames())
    clip = build_clip(episode.assets, frames, CONFIG)
    placed = tuple(MeshFrame(f.poses, f.vertices) for f in frames)
    return Recorded('grasp', Episode(clip, MADE, episode.assets, placed))


def footage_of(recorded: Recorded, **changes: Any) -> Recorded:
    """The clip without its meshes, with these arrays changed."""
    return Recorded('grasp', Episode(replace(recorded.clip, **changes), MADE))


def inserted(recorded: Recorded, place: np.ndarray) -> EditOutcome:
    poses = np.tile(rigid(np.eye(3), place), (len(recorded.clip.labels), 1, 1))
    return edit_clip(recorded, ClipEdit('insert', (CUBE,), poses), Paster())


def hand_place(recorded: Recorded) -> np.ndarray:
    """[3] of a corner of the hand in the first frame."""
    hand = next(asset for asset in recorded.assets if asset.role == 'hand')
    return world_vertices(hand, recorded.mesh_frames[0])[0]


def test_contact_is_told_of_what_was_put_in(recorded: Recorded) -> None:
    """The hand touches the recorded mug in some frames, but not a cube that is far from it; nor is it said so."""
    assert recorded.clip.point_contact.any()
    mug, left = recorded.clip.labels[0].T_world_object[:3, 3], -recorded.clip.cameras[0].T_world_cam[:3, 0]
    away = mug + 0.09 * left + [0, 0, 0.03]
    edited = inserted(recorded, away)
    told = ' '.join(account(recorded, edited))
    gaps = gap_m(recorded, CUBE.mesh, edited.edit.poses)
    assert (gaps > 0.005).any()
    assert f'the hand touches it (within 5 mm) in {(gaps <= 0.005).sum()} of 9 frames' in told
    assert f'the nearest it comes is {1000 * gaps.min():.0f} mm' in told
    assert 'hand and object touch' not in told


def test_the_gap_is_that_to_the_surface(recorded: Recorded) -> None:
    """0 in the hand; a box's side away from its vertices else; infinite without a hand."""
    poses = np.tile(rigid(np.eye(3), hand_place(recorded)), (9, 1, 1))
    assert gap_m(recorded, CUBE.mesh, poses)[0] == 0
    single = footage_of(
        recorded,
        points=np.tile(np.float32([0.5, 0.004, 0.003]), (*recorded.clip.points.shape[:2], 1)),
        point_visible=np.ones_like(recorded.clip.point_visible),
    )
    poses = np.tile(rigid(np.eye(3), np.array([0.53, 0, 0])), (9, 1, 1))
    np.testing.assert_allclose(gap_m(single, CUBE.mesh, poses), 0.015, atol=1e-6)
    handless = footage_of(single, point_role=np.zeros_like(single.clip.point_role))
    assert np.isinf(gap_m(handless, CUBE.mesh, poses)).all()


def test_a_removal_tells_how_much_is_gone(recorded: Recorded) -> None:
    """Of the object's pixels; and a removal that repaints them as they were is none."""
    edit = ClipEdit('remove')
    edited = edit_clip(recorded, edit, Paster())
    refuse_without_effect(recorded, edited, 'sheet.png')
    own = recorded.clip.mask == ROLE_CODE[OBJECT]
    changed = changed_fraction(recorded.clip.rgb, np.stack([frame.rgb for frame in edited.frames]), own)
    told = account(recorded, edited)
    assert told[0] == (
        f'the object was marked in {own.any((1, 2)).sum()} of 9 frames; {changed:.0%} of its pixels '
        'have another colour now'
    )
    assert not any('touch' in line for line in told)
    same = replace(
        edited,
        frames=tuple(replace(frame, rgb=rgb) for frame, rgb in zip(edited.frames, recorded.clip.rgb, strict=True)),
    )
    with pytest.raises(PlacementError, match=r'got the same colours in 100% of its pixels; see sheet\.png'):
        refuse_without_effect(recorded, same, 'sheet.png')


def test_an_object_that_masks_miss_is_still_there(recorded: Recorded) -> None:
    """Its points are seen beside them: in one frame that is told, in most it is an error; in all, nothing is begun."""
    edit, mask = ClipEdit('remove'), recorded.clip.mask.copy()
    missed = footage_of(recorded, mask=mask)
    mask[2] = 0
    edited = edit_clip(missed, edit, Paster())
    refuse_without_effect(missed, edited, 'sheet.png')
    assert 'points of it are seen beside its masks in 1 frames, there it may still be seen: 2' in account(
        missed, edited
    )
    assert notes_of(edited)[2] == 'no object is marked here'
    mask[1:] = 0
    with pytest.raises(PlacementError, match=r'of its points beside its masks, .*: masks mark it in 1 of 9 frames'):
        refuse_without_effect(missed, edit_clip(missed, edit, Paster()), 'sheet.png')
    mask[:] = 0
    with pytest.raises(PlacementError, match='got none in 9 frames: there is nothing to take away'):
        edit_clip(missed, edit, Paster())


def test_without_metres_no_contact_is_told(recorded: Recorded) -> None:
    """Unknown is not 'in 0 frames'."""
    footage = Recorded('grasp', Episode(recorded.clip))
    edited = inserted(footage, recorded.clip.labels[0].T_world_object[:3, 3] + [0, 0, 0.1])
    assert 'contact is not known: the lengths of the clip are no metres' in account(footage, edited)
