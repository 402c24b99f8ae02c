"""``hoigen extract``: a recording -> one clip for each stretch of it, as bags, arrays and a page to look at."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from hoigen.episodes import provenance_to_json, save_clip
from hoigen.perception.perceive import Perceived, Perceiver, PerceptionConfig
from hoigen.perception.records import PerceptionError, boxes_of
from hoigen.perception.report import write_index, write_part
from hoigen.records import Footage, RecordError
from hoigen.sources.recording import Recording, RecordingError, RecordingOptions, open_recording

COMPLETE, NOTHING, PARTLY = 0, 1, 3
"""Exit status: every stretch became a clip; none could be used; some, or what is seen without the point map."""

SETTINGS = 'extract.json'


@dataclass(frozen=True)
class ExtractConfig:
    """Each stretch of a recording gives clip_NNNN, a bag as of a simulated episode where the point map is known;
    clip_NNNN.npz, boxes, masks and tracks as arrays; and a page, report.html for all. Stretches that are there already
    are kept, so a stopped run goes on where it was. Exit status: 0, every stretch became a clip; 3, not every one did;
    1, none could be used."""

    recording: Annotated[Path, tyro.conf.Positional]
    """A video file, a folder of frames, an RGB-D folder (pictures, depth, calibration) or a ROS 1 or 2 bag."""
    out: Path | None = None
    """Folder for what is found; none: out/NAME."""
    frames: int = 49
    """Frames of a stretch."""
    report: bool = True
    """Write pages to look at."""
    reading: Annotated[RecordingOptions, tyro.conf.arg(name='')] = field(default_factory=RecordingOptions)
    perception: Annotated[PerceptionConfig, tyro.conf.arg(name='')] = field(default_factory=PerceptionConfig)

    def __post_init__(self) -> None:
        if self.frames < 2:
            raise ValueError(f'frames: expected at least 2, to see what moves, got {self.frames}')

    @property
    def folder(self) -> Path:
        return self.out or Path('out') / self.recording.stem


def extract(config: ExtractConfig) -> int:
    """Extract every stretch; COMPLETE, NOTHING or PARTLY."""
    console = Console(highlight=False)
    perceiver = Perceiver(config.perception)
    with open_recording(config.recording, config.reading) as recording:
        _claim(config)
        console.print(recording.describe(), markup=False)
        made, failed = _stretches(config, recording, perceiver, console)
        for fault in recording.faults:
            console.print(fault, style='yellow', markup=False, soft_wrap=True)
    if config.report and made:
        console.print(str(write_index(config.folder, config.recording.name)), markup=False, soft_wrap=True)
    if not made:
        raise PerceptionError(f'{config.recording}: nothing could be extracted: ' + '; '.join(failed))
    clips = sum((config.folder / path.stem).is_dir() for path in made)
    console.print(f'{clips} clips of {len(made)} stretches in {config.folder}', markup=False, soft_wrap=True)
    return COMPLETE if clips == len(made) and not failed else PARTLY


def _stretches(config: ExtractConfig, recording: Recording, perceiver: Perceiver, console: Console
               ) -> tuple[list[Path], list[str]]:
    """Extract what is not there yet. The arrays of every stretch that is there, and why others are not."""
    made, failed, told = [], [], set[str]()
    with _progress(console) as progress:
        bar = progress.add_task(config.recording.name, total=recording.count)
        stretches, number = recording.stretches(config.frames), 0
        while (footage := _next(stretches, failed, console)) is not None:
            name = f'clip_{number:04d}'
            path = config.folder / f'{name}.npz'
            try:
                if not path.exists():
                    _save(config, name, number, perceiver(footage, f'{config.recording.name}, {name}'), console, told)
                made.append(path)
            except (PerceptionError, RecordError) as error:
                _warn(f'{name} skipped: {error}', failed, console)
            progress.advance(bar, len(footage.stamps_ns))
            number += 1
    return made, failed


def _next(stretches: Iterator[Footage], failed: list[str], console: Console) -> Footage | None:
    """The next stretch; None at the end, also where the recording cannot be read any further: what came before stays.
    """
    try:
        return next(stretches, None)
    except RecordingError as error:
        _warn(str(error), failed, console)
        return None


def _warn(text: str, failed: list[str], console: Console) -> None:
    failed.append(text)
    console.print(text, style='yellow', markup=False, soft_wrap=True)


def _save(config: ExtractConfig, name: str, number: int, perceived: Perceived, console: Console, told: set[str]
          ) -> None:
    """Write what was perceived, its arrays last: they say that the stretch is done."""
    for note in dict.fromkeys([*perceived.notes, *filter(None, [perceived.reason])]):
        if note not in told:
            console.print(f'{name}: {note}', markup=False, soft_wrap=True)
        told |= {perceived.reason}  # once is enough
    if perceived.clip is not None:
        shutil.rmtree(config.folder / name, ignore_errors=True)  # of a run that ended before the arrays were written
        save_clip(perceived.episode(number), perceived.provenance, config.folder / name)
    if config.report:
        write_part(config.folder, name, perceived)
    _write_arrays(config.folder / f'{name}.npz', perceived)


def _write_arrays(path: Path, perceived: Perceived) -> None:
    """What is seen in the pictures, and with geometry where it is; the file appears whole or not at all."""
    tracks, geometry = perceived.tracks, perceived.geometry
    arrays: dict[str, Any] = {'stamps_ns': perceived.footage.stamps_ns, 'role': perceived.segmentation.role,
              'instance': perceived.segmentation.instance, 'boxes': boxes_of(perceived.segmentation),
              'track_pixels': tracks.pixels, 'track_visible': tracks.visible, 'track_instance': tracks.instance,
              'track_query': tracks.query, 'provenance': np.array(provenance_to_json(perceived.provenance))}
    if geometry is not None and tracks.places is not None:
        arrays |= {'track_places': tracks.places, 'K': np.stack([camera.K for camera in geometry.cameras]),
                   'T_world_cam': np.stack([camera.T_world_cam for camera in geometry.cameras]),
                   'metric': np.array(geometry.metric)}
    partial = path.with_suffix('.partial')
    with partial.open('wb') as file:
        np.savez_compressed(file, **arrays)
    partial.rename(path)


def _claim(config: ExtractConfig) -> None:
    """Make the folder, or check that what it holds was extracted in the same way."""
    settings = json.loads(json.dumps(asdict(config), default=str))
    file = config.folder / SETTINGS
    config.folder.mkdir(parents=True, exist_ok=True)
    if file.exists():
        before = json.loads(file.read_text())
        if changed := {key: (before.get(key), value) for key, value in settings.items() if before.get(key) != value}:
            raise ValueError(f'{config.folder}: expected the settings with which it was begun, got others for '
                             f'{", ".join(changed)}; choose another --out')
    file.write_text(json.dumps(settings, indent=1))


def _progress(console: Console) -> Progress:
    return Progress(TextColumn('{task.description}'), BarColumn(), MofNCompleteColumn(), TextColumn('frames'),
                    TimeRemainingColumn(), console=console)
