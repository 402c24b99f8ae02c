"""``hoigen extract``: a recording -> one clip for each stretch of it, as bags, arrays and a page to look at."""

from __future__ import annotations

import json
import shutil
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal
from zipfile import BadZipFile

import numpy as np
import tyro
from rich.console import Console

from hoigen.conventions import ROLES
from hoigen.episodes import write_episode
from hoigen.episodes.report import EXTRACTION
from hoigen.look.progress import bars
from hoigen.perception.perceive import Perceived, Perceiver, PerceptionConfig
from hoigen.perception.records import PerceptionError, boxes_of
from hoigen.perception.report import write_index, write_part
from hoigen.provenance import provenance_to_json
from hoigen.records import Footage, RecordError
from hoigen.run_settings import begin, settings_of
from hoigen.sources.recording import Recording, RecordingError, RecordingOptions, open_recording
from hoigen.whole_files import whole_file

FRAMES = 'frames'

COMPLETE, NOTHING, PARTLY = 0, 1, 3
"""Exit status: every stretch became a clip; none could be used; some, or what is seen without the point map."""


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
    model: Annotated[Literal['cogvideox'] | None, tyro.conf.arg(name='for')] = None
    """Take what a video model was trained on, where no other --size and --rate-hz are given: cogvideox is 720x480 at 8
    frames a second, and needs the --task that it reads as its prompt."""
    report: bool = True
    """Write pages to look at."""
    reading: Annotated[RecordingOptions, tyro.conf.arg(name='')] = field(default_factory=RecordingOptions)
    perception: Annotated[PerceptionConfig, tyro.conf.arg(name='')] = field(default_factory=PerceptionConfig)

    def __post_init__(self) -> None:
        if self.frames < 2:
            raise ValueError(f'frames: expected at least 2, to see what moves, got {self.frames}')
        if self.model is None:
            return
        if not self.perception.task:
            raise ValueError(f'task: expected a sentence that says what is done, the prompt of {self.model}, got none')
        if self.frames % 4 != 1:
            raise ValueError(f'frames: expected 4k+1 for {self.model}, got {self.frames}')
        reading = replace(self.reading, size=self.reading.size or (720, 480), rate_hz=self.reading.rate_hz or 8.0)
        object.__setattr__(self, 'reading', reading)

    @property
    def folder(self) -> Path:
        return self.out or Path('out') / self.recording.stem


def extract(config: ExtractConfig) -> int:
    """Extract every stretch; COMPLETE, NOTHING or PARTLY."""
    console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
    perceiver = Perceiver(config.perception)
    with open_recording(config.recording, config.reading) as recording:
        settings = config.folder / EXTRACTION
        begin(settings, settings_of(config), made=settings.exists())
        console.print(recording.describe())
        done = _stretches(config, recording, perceiver, console)
        for fault in recording.faults:
            console.print(fault, style='yellow')
    if config.report and done.made:
        console.print(str(write_index(config.folder, config.recording.name)))
    counted = [f'{number} of {done.number} stretches: {why}' for why, number in done.without.items()]
    if not done.made:
        raise PerceptionError(
            f'{config.recording}: nothing could be extracted: ' + '; '.join([*counted, *filter(None, [done.ended])])
        )
    console.print(_in_words(done.tally))
    clips = done.number - done.without.total()
    console.print(f'{clips} clips of {done.number} stretches in {config.folder}')
    for line in counted:
        console.print(f'no clip of {line}', style='yellow')
    return COMPLETE if clips == done.number and not done.ended else PARTLY


@dataclass
class _Done:
    """How far the stretches have come. number: of stretches. made: of those whose arrays are there. without: why how
    many of them are no clip. tally: of :func:`tally_of`. ended: why the recording could not be read to its end."""

    number: int = 0
    made: int = 0
    without: Counter[str] = field(default_factory=Counter)
    tally: Counter[str] = field(default_factory=Counter)
    ended: str = ''


def _stretches(config: ExtractConfig, recording: Recording, perceiver: Perceiver, console: Console) -> _Done:
    """Extract what is not there yet."""
    done, stretches = _Done(), recording.stretches(config.frames)
    with bars(console) as progress:
        bar = progress.add_task(config.recording.name, total=recording.count, note='frames')
        try:
            for footage in stretches:
                why = _stretch(config, done, footage, perceiver, console)
                if why:
                    if not done.without[why]:  # once is enough while it runs; in the end each is counted
                        console.print(f'{_name(done.number)}: {why}', style='yellow')
                    done.without[why] += 1
                done.number += 1
                progress.advance(bar, len(footage.stamps_ns))
        except RecordingError as error:  # what came before stays
            done.ended = str(error)
            console.print(done.ended, style='yellow')
    return done


def _name(number: int) -> str:
    return f'clip_{number:04d}'


def _stretch(config: ExtractConfig, done: _Done, footage: Footage, perceiver: Perceiver, console: Console) -> str:
    """Extract one stretch, if it is not there; why it is no clip, '' where it is one."""
    name = _name(done.number)
    path, source = config.folder / f'{name}.npz', f'{config.recording.name}, {name}'
    why = reason_of(path)
    if why is None or not (why or (config.folder / name).is_dir()):
        try:
            perceived = perceiver(footage, source)
            _save(config, name, done.number, perceived, console)
        except (PerceptionError, RecordError) as error:
            return str(error).removeprefix(f'{source}: ')
        why = perceived.reason
    with np.load(path) as arrays:
        done.tally += Counter(json.loads(str(arrays['tally'])))
    done.made += 1
    return why


def _save(config: ExtractConfig, name: str, number: int, perceived: Perceived, console: Console) -> None:
    """Write what was perceived, its arrays last: they say that the stretch is done."""
    for note in perceived.notes:
        console.print(f'{name}: {note}')
    if perceived.clip is not None:
        shutil.rmtree(config.folder / name, ignore_errors=True)  # of a run that ended before the arrays were written
        write_episode(config.folder / name, perceived.episode(number))
    if config.report:
        write_part(config.folder, name, perceived)
    _write_arrays(config.folder / f'{name}.npz', perceived)


def reason_of(path: Path) -> str | None:
    """Why the stretch with the arrays ``path`` is no clip, '' where it is one; None without whole arrays."""
    try:
        with np.load(path) as arrays:
            return str(arrays['reason'])
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None


def tally_of(perceived: Perceived) -> Counter[str]:
    """In how many frames there is what, and is what not believed and why: by words; FRAMES is all of them."""
    found, tally = perceived.segmentation, Counter({FRAMES: len(perceived.footage.stamps_ns)})
    names = [ROLES[code] for code in found.role]
    if found.by_keypoints:
        names[: len(perceived.hands.side)] = [f'{side} hand' for side in perceived.hands.side]
    for name in dict.fromkeys(names):
        mine = 1 + np.flatnonzero([name == other for other in names])
        tally[name] = int(np.isin(found.instance, mine).any((1, 2)).sum())
    refused = defaultdict[str, set[int]](set)
    for doubt in found.doubts:
        if doubt.number:
            refused[f'{names[doubt.number - 1]} not believed ({doubt.why})'].update(doubt.frames)
    return tally + Counter({said: len(frames) for said, frames in refused.items()})


def _in_words(tally: Counter[str]) -> str:
    counts = [f'{name} in {count}' for name, count in tally.items() if name != FRAMES]
    return f'{tally[FRAMES]} frames: ' + ('; '.join(counts) or 'neither hand nor object')


def _write_arrays(path: Path, perceived: Perceived) -> None:
    """What is seen in the pictures, and with geometry where it is; the file appears whole or not at all."""
    tracks, geometry = perceived.tracks, perceived.geometry
    arrays: dict[str, Any] = {
        'stamps_ns': perceived.footage.stamps_ns,
        'hand_side': np.array(perceived.hands.side, str),
        'hand_keypoints_px': perceived.hands.keypoints_px,
        'hand_shape_m': perceived.hands.shape_m,
        'hand_score': perceived.hands.score,
        'role': perceived.segmentation.role,
        'instance': perceived.segmentation.instance,
        'boxes': boxes_of(perceived.segmentation),
        'track_pixels': tracks.pixels,
        'track_visible': tracks.visible,
        'track_instance': tracks.instance,
        'track_query': tracks.query,
        'reason': np.array(perceived.reason),
        'tally': np.array(json.dumps(tally_of(perceived))),
        'provenance': np.array(provenance_to_json(perceived.provenance)),
    }
    if geometry is not None and tracks.places is not None:
        arrays |= {
            'track_places': tracks.places,
            'K': np.stack([camera.K for camera in geometry.cameras]),
            'T_world_cam': np.stack([camera.T_world_cam for camera in geometry.cameras]),
            'metric': np.array(geometry.metric),
        }
    with whole_file(path) as file:
        np.savez_compressed(file, **arrays)
