"""``hoigen edit insert``, ``move`` and ``remove``: a picture or a recorded clip -> the edited one with true labels."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import tyro
from rich.console import Console

from hoigen.editing.clips.edit import edit_clip
from hoigen.editing.clips.edited import ClipEdit, EditOutcome
from hoigen.editing.clips.recorded import Recorded, is_metric, object_poses, read_recorded
from hoigen.editing.clips.store import FrameStore
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
from hoigen.episodes import EpisodeReader, write_episode
from hoigen.episodes.report import write_report
from hoigen.episodes.topics import EDIT_PROVENANCE
from hoigen.geometry.trajectory import MoveOptions, PoseOptions, moved, poses_of
from hoigen.look.images import write_image
from hoigen.look.progress import bars
from hoigen.look.sheets import marked, sheet
from hoigen.records import Episode, EpisodeState, EpisodeStatus, Provenance
from hoigen.run_settings import refuse_others, settings_of
from hoigen.sources.recording.stills import read_picture
from hoigen.untrusted.limits import Limits

if TYPE_CHECKING:
    from hoigen.editing.flux_insertion.inserter import Inserter

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

    Writes the bag NAME_inserted, as `hoigen up pose_edit` does: the scene, the edited frames and their true labels
    (pose, mask, visibility). Beside it a sheet, report.html with preview.mp4 of all bags there, and of a picture
    NAME_inserted.png. A stopped run continues where it was; what is there already is kept. `hoigen episode export`
    makes arrays and videos of the bag.
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

    Writes the bag NAME_moved, as `hoigen up pose_edit` does, with a sheet, and report.html with preview.mp4 of all bags
    there. A stopped run continues where it was; what is there already is kept. `hoigen generate --clips` takes the bag
    as the episode that it is after the edit.
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

    Of a picture NAME, whose camera is not known, it writes NAME_removed.png; of a clip the bag NAME_removed, a sheet,
    and report.html with preview.mp4 of all bags there.
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
    _run(scene, ClipEdit('insert', (subject,), poses), config.how, config)


def move(config: MoveConfig) -> None:
    """Make the counterfactual of a clip."""
    recorded = read_recorded(config.clip)
    before = object_poses(recorded)
    poses = moved(config.movement, recorded.clip.cameras[0], recorded.clip.stamps_ns, before)
    subjects = recorded_subjects(recorded, poses, config.caption)
    _run(recorded, ClipEdit('move', subjects, poses, config.task), config.how, config)


def remove(config: RemoveConfig) -> None:
    """Take an object away."""
    if is_picture(config.scene):
        _remove_from_picture(config)
        return
    _run(read_recorded(config.scene), ClipEdit('remove', task=config.task), config.how, config)


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


def _run(recorded: Recorded, edit: ClipEdit, how: ModelOptions, config: Any) -> None:
    """Edit, unless the bag is there already, and report on all bags beside it."""
    bag, settings = how.out / f'{recorded.name}_{ENDINGS[edit.kind]}', settings_of(config)
    del settings['how']['out']
    begun = bag.with_name(f'.{bag.name}')
    if bag.exists():
        refuse_others(bag, _settings_in(bag), settings)
        shutil.rmtree(begun, ignore_errors=True)  # of a run that was killed with the bag written
        print(f'{bag} is there already')
    else:
        lines = _make(recorded, edit, how, settings, bag, begun)
        print('\n'.join([*lines, str(bag)]))
    print(write_report(how.out))


def _make(
    recorded: Recorded, edit: ClipEdit, how: ModelOptions, settings: dict[str, Any], bag: Path, begun: Path
) -> list[str]:
    """Write what is made of an edit, the bag last, with single frames in ``begun`` until then; what was done."""
    inserter = how.load()
    store = FrameStore(begun, settings)
    with _bar(bag.name, len(recorded.clip.stamps_ns)) as tell:
        made = edit_clip(recorded, edit, inserter, seed=how.seed, steps=how.steps, store=store, on_frame=tell)
    sheet_file = _draw(recorded, made, bag)
    try:
        refuse_without_effect(recorded, made, str(sheet_file))
    except PlacementError:
        store.finish()  # other settings may be tried in the same folder
        raise
    if len(made.frames) == 1:
        write_image(bag.with_name(f'{bag.name}.png'), made.frames[0].rgb)
    write_episode(bag, _episode(recorded, made, settings))
    store.finish()
    return account(recorded, made)


def _settings_in(bag: Path) -> dict[str, Any]:
    """With which a finished edit was made."""
    with EpisodeReader(bag) as reader:
        reader.require_whole()
        made = reader.provenance(EDIT_PROVENANCE)
    if made is None:
        raise ValueError(f'{bag}: expected an edited episode or none, got another one; choose another --out')
    return dict(made.config.get('settings', {}))


def _episode(recorded: Recorded, made: EditOutcome, settings: dict[str, Any]) -> Episode:
    """The scene as it was, with the edited frames."""
    stamps, labels = recorded.clip.stamps_ns, recorded.clip.labels
    own = made.edit.kind == 'move' and recorded.of_object  # its meshes are in the scene's table
    return replace(
        recorded.scene,
        edited=made.clip(_provenance(recorded, made, settings), () if own else made.meshes[:1]),
        status=EpisodeStatus(
            'edit', labels[0].episode, EpisodeState.ACCEPTED, (int(stamps[0]), int(stamps[-1])), len(stamps)
        ),
    )


def _provenance(recorded: Recorded, made: EditOutcome, settings: dict[str, Any]) -> Provenance:
    """How it was made: the model and the settings."""
    known = {
        'edit': made.edit.kind,
        'episode': recorded.clip.labels[0].episode,
        'settings': settings,
        'metric': is_metric(recorded),
        'shape': 'mesh' if all(subject.exact for subject in made.edit.subjects) else 'box',
    }
    if made.edit.kind == 'move' and not recorded.assets:
        known['shape'] = 'convex hull of the points seen'
    return replace(made.provenance, source=recorded.name, config=made.provenance.config | known)


def _draw(recorded: Recorded, made: EditOutcome, path: Path) -> Path:
    """Write the sheet; its file."""
    columns = {'recorded': list(recorded.clip.rgb), 'edited': [frame.rgb for frame in made.frames]}
    if made.edit.poses is not None:
        axis_m = 0.6 * float(np.ptp(made.meshes[0].vertices, axis=0).max())
        columns['edited, true outline and axes'] = [
            marked(frame.rgb, frame.mask, camera, pose, axis_m)
            for frame, camera, pose in zip(made.frames, recorded.clip.cameras, made.edit.poses, strict=True)
        ]
    times = (recorded.clip.stamps_ns - recorded.clip.stamps_ns[0]) / 1e9
    notes = [f'{time:.2f} s   {note}' for time, note in zip(times.tolist(), notes_of(made), strict=True)]
    file = path.with_name(f'{path.name}_sheet.png')
    write_image(file, sheet(columns, notes))
    return file


@contextmanager
def _bar(name: str, frames: int) -> Iterator[Callable[[int], None]]:
    with bars(Console(highlight=False, markup=False)) as progress:
        task = progress.add_task(name, total=frames, note='frames')
        yield lambda frame: progress.update(task, completed=frame + 1)
