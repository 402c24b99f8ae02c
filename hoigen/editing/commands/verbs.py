"""``hoigen edit insert``, ``move`` and ``remove``: a picture or a recorded clip -> the edited one with true labels."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import tyro
from rich.console import Console

from hoigen.editing.clips.edit import edit_clip
from hoigen.editing.clips.edited import ClipEdit, EditedClip
from hoigen.editing.clips.recorded import Recorded, is_metric, object_poses, read_recorded
from hoigen.editing.clips.store import FrameStore, same_settings, write_arrays
from hoigen.editing.commands.account import (
    MIN_CHANGED,
    account,
    changed_fraction,
    notes_of,
    refuse_without_effect,
)
from hoigen.editing.commands.inputs import (
    PictureOptions,
    is_picture,
    read_mask,
    read_scene,
)
from hoigen.editing.placement import PlacementError
from hoigen.editing.subjects.from_files import SubjectOptions, subject_of
from hoigen.editing.subjects.from_frames import recorded_subjects
from hoigen.episodes import write_episode
from hoigen.geometry.trajectory import MoveOptions, PoseOptions, moved, poses_of
from hoigen.look.images import write_image
from hoigen.look.movies import write_movie
from hoigen.look.progress import bars
from hoigen.look.sheets import marked, sheet
from hoigen.records import Episode, Provenance
from hoigen.sources.recording.stills import read_picture
from hoigen.untrusted.limits import Limits

if TYPE_CHECKING:
    from hoigen.editing.flux_insertion.inserter import Inserter

__all__ = ['InsertConfig', 'MoveConfig', 'RemoveConfig', 'insert', 'move', 'remove']

ENDINGS = {'insert': 'inserted', 'move': 'moved', 'remove': 'removed'}


@dataclass(frozen=True)
class ModelOptions:
    """The model and how it is run."""

    model: str = 'insertion-tiny'
    """Name or folder; its configuration says where it computes and what it spends of memory."""
    steps: int | None = None
    """Denoising steps; none: as the model's configuration says."""
    seed: int = 0
    """The same seed gives the same pictures."""
    out: Path = Path('out/edit')
    """Folder for what is made."""

    def load(self) -> Inserter:
        from hoigen.editing.flux_insertion.inserter import load_inserter  # torch takes seconds: not for --help

        return load_inserter(self.model)


@dataclass(frozen=True)
class InsertConfig:
    """Puts an object into a picture or into every frame of a recorded clip. What is nearer than the object stays before
    it, as far as depth is known.

    Of a picture NAME it writes NAME_inserted.png and a sheet to look at; of a clip, the bag NAME_inserted, a sheet and
    a video; of both NAME_inserted.npz with the true labels: pose, mask, visibility. A stopped run goes on where it was;
    what is there already is kept.
    """

    scene: Annotated[Path, tyro.conf.Positional]
    """A picture (png, jpg), or the bag of an episode or of an extracted clip."""
    pose: Annotated[PoseOptions, tyro.conf.arg(name='')]
    subject: Annotated[SubjectOptions, tyro.conf.arg(name='')]
    picture: Annotated[PictureOptions, tyro.conf.arg(name='')] = field(default_factory=PictureOptions)
    how: Annotated[ModelOptions, tyro.conf.arg(name='')] = field(default_factory=ModelOptions)


@dataclass(frozen=True)
class MoveConfig:
    """The same episode with its object elsewhere: taken away where it was and put in where it would be, in every frame,
    with pose, mask, depth, points and contact as they are then. The hand does what it did: contacts with forces are
    kept only where the object was not moved.

    Writes the bag NAME_moved, NAME_moved.npz with the object's pose, mask and visibility, a sheet to look at and a
    video. A stopped run goes on where it was; what is there already is kept.
    """

    clip: Annotated[Path, tyro.conf.Positional]
    """The bag of an episode or of an extracted clip."""
    movement: Annotated[MoveOptions, tyro.conf.arg(name='')]
    caption: str | None = None
    """The object in a few words; none: what the task's sentence says."""
    task: str | None = None
    """A sentence that says what is done now; none: the recorded one."""
    how: Annotated[ModelOptions, tyro.conf.arg(name='')] = field(default_factory=ModelOptions)


@dataclass(frozen=True)
class RemoveConfig:
    """Takes an object away: the one of a recorded clip, or what a mask covers in a picture.

    Of a picture NAME it writes NAME_removed.png; of a clip the bag NAME_removed, NAME_removed.npz, a sheet to look at
    and a video.
    """

    scene: Annotated[Path, tyro.conf.Positional]
    """A picture (png, jpg), or the bag of an episode or of an extracted clip."""
    mask: Path | None = None
    """Of a picture: a picture of the same size that is not black where something is to be taken away."""
    task: str | None = None
    """A sentence that says what is done now; none: the recorded one."""
    how: Annotated[ModelOptions, tyro.conf.arg(name='')] = field(default_factory=ModelOptions)


def insert(config: InsertConfig) -> None:
    """Put an object into a picture or a clip."""
    scene, subject = read_scene(config.scene, config.picture), subject_of(config.subject, config.how.seed)
    poses = poses_of(config.pose, scene.clip.cameras[0], scene.clip.stamps_ns)
    if not np.isfinite(scene.clip.depth_m).any():
        print(f'{config.scene.name}: its depth is not known: nothing hides the object')
    _run(scene, ClipEdit('insert', (subject,), poses), config.how, config, is_picture(config.scene))


def move(config: MoveConfig) -> None:
    """Make the counterfactual of a clip."""
    recorded = read_recorded(config.clip)
    before = object_poses(recorded)
    poses = moved(config.movement, recorded.clip.cameras[0], recorded.clip.stamps_ns, before)
    subjects = recorded_subjects(recorded, poses, config.caption)
    _run(recorded, ClipEdit('move', subjects, poses, config.task), config.how, config, False)


def remove(config: RemoveConfig) -> None:
    """Take an object away."""
    if is_picture(config.scene):
        _remove_from_picture(config)
        return
    _run(read_recorded(config.scene), ClipEdit('remove', task=config.task), config.how, config, False)


def _remove_from_picture(config: RemoveConfig) -> None:
    if config.mask is None:
        raise ValueError(f'mask: expected a picture that says what of {config.scene.name} is taken away, got none')
    rgb = read_picture(config.scene, config.scene.name, Limits().pixels)
    mask = read_mask(config.mask, rgb.shape[:2])
    path = config.how.out / f'{config.scene.stem}_removed.png'
    made = config.how.load().remove(rgb, mask, seed=config.how.seed, steps=config.how.steps)
    changed = changed_fraction(rgb, made, mask)
    if changed < MIN_CHANGED:
        raise PlacementError(
            f'{config.scene.name}: expected what the mask covers to be gone, got the same colours in '
            f'{1 - changed:.0%} of its pixels'
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(path, made)
    print(f'{changed:.0%} of the pixels of the mask have another colour now\n{path}')


def _run(recorded: Recorded, edit: ClipEdit, how: ModelOptions, config: Any, single: bool) -> None:
    """Edit, and write all that is made; NAME.npz comes last and says that the rest is there."""
    name, settings = f'{recorded.name}_{ENDINGS[edit.kind]}', json.loads(json.dumps(asdict(config), default=str))
    path = how.out / f'{name}.npz'
    if path.exists():
        same_settings(path, settings)
        print(f'{path} is there already')
        return
    inserter = how.load()
    store = FrameStore(how.out / f'.{name}', settings)
    with _bar(name, len(recorded.clip.stamps_ns)) as tell:
        edited = edit_clip(recorded, edit, inserter, seed=how.seed, steps=how.steps, store=store, on_frame=tell)
    edited = replace(edited, provenance=_provenance(recorded, edit, edited, settings))
    sheet_file = _draw(recorded, edited, how.out / name, single)
    try:
        refuse_without_effect(recorded, edit, edited, str(sheet_file))
    except PlacementError:
        store.finish()  # other settings may be tried in the same folder
        raise
    if single:
        write_image(how.out / f'{name}.png', edited.frames[0].rgb)
    else:
        shutil.rmtree(how.out / name, ignore_errors=True)  # of a run that ended before the arrays were written
        write_episode(how.out / name, Episode(edited.clip, edited.provenance))
    write_arrays(path, edited)
    store.finish()
    print('\n'.join([*account(recorded, edit, edited), str(path)]))


def _provenance(recorded: Recorded, edit: ClipEdit, edited: EditedClip, settings: dict[str, Any]) -> Provenance:
    """How it was made: the model, the settings, and how what was edited was made."""
    told = None if recorded.provenance is None else asdict(recorded.provenance)
    made = {
        'edit': edit.kind,
        'settings': settings,
        'metric': is_metric(recorded),
        'recorded': told,
        'shape': 'mesh' if all(subject.exact for subject in edit.subjects) else 'box',
    }
    if edit.kind == 'move' and not recorded.assets:
        made['shape'] = 'convex hull of the points seen'
    return replace(edited.provenance, source=recorded.name, config=edited.provenance.config | made)


def _draw(recorded: Recorded, edited: EditedClip, path: Path, single: bool) -> Path:
    """Write the sheet, and of a clip the video; the sheet's file."""
    before, after = list(recorded.clip.rgb), [frame.rgb for frame in edited.frames]
    columns = {'recorded': before, 'edited': after}
    if edited.poses is not None:
        axis_m = 0.6 * float(np.ptp(edited.meshes[0].vertices, axis=0).max())
        columns['edited, true outline and axes'] = [
            marked(frame.rgb, frame.mask, camera, pose, axis_m)
            for frame, camera, pose in zip(edited.frames, recorded.clip.cameras, edited.poses, strict=True)
        ]
    times = (recorded.clip.stamps_ns - recorded.clip.stamps_ns[0]) / 1e9
    notes = [f'{time:.2f} s   {note}' for time, note in zip(times.tolist(), notes_of(edited), strict=True)]
    file = path.with_name(f'{path.name}_sheet.png')
    write_image(file, sheet(columns, notes))
    if not single:
        write_movie(path.with_name(f'{path.name}.mp4'), np.concatenate([before, after], 2), recorded.clip.stamps_ns)
    return file


@contextmanager
def _bar(name: str, frames: int) -> Iterator[Callable[[int], None]]:
    with bars(Console(highlight=False, markup=False)) as progress:
        task = progress.add_task(name, total=frames, note='frames')
        yield lambda frame: progress.update(task, completed=frame + 1)
