"""Folders of frames, with a folder of depth beside them or without."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from pathlib import Path

from hoigen.sources.recording.calibration import NAMES, Calibration, read_calibration
from hoigen.sources.recording.content import calibration_hint
from hoigen.sources.recording.depth import INTEGER_M, TUM_M, DepthUnit
from hoigen.sources.recording.instants import NS, Faults, Instant, Span
from hoigen.sources.recording.names import ordered, same_number
from hoigen.sources.recording.options import NO_DEPTH, RecordingError, RecordingOptions
from hoigen.sources.recording.pairing import nearest_pairs
from hoigen.sources.recording.stills import DEPTHS, PICTURES, read_depth, read_picture

COLOUR = re.compile(r'rgb|colou?r|image|img|left|frames', re.IGNORECASE)
DEPTH = re.compile(r'depth', re.IGNORECASE)
PREFERRED = re.compile(r'left|^(rgb|colou?r|images?)$', re.IGNORECASE)
"""Of several folders that could be meant, the one that is."""
NOT_COLOUR = re.compile(r'depth|mask|label|segm|normal|conf|infra|disp', re.IGNORECASE)
"""In the names of files that lie beside colour images and are none."""


def is_colour(folder: Path) -> bool:
    return bool(COLOUR.search(folder.name)) and not DEPTH.search(folder.name)


def open_folder(path: Path, options: RecordingOptions) -> FolderSource:
    """Open a folder of frames, or one with a colour and perhaps a depth folder in it."""
    folders = sorted(entry for entry in path.iterdir() if entry.is_dir())
    colour = _pick(folders, options.image, 'image', is_colour) or path
    depth = (
        None
        if options.depth == NO_DEPTH
        else _pick(folders, options.depth, 'depth', lambda folder: bool(DEPTH.search(folder.name)))
    )
    images = _files(colour, PICTURES)
    if colour == path and not images:
        names = ', '.join(folder.name for folder in folders)
        raise RecordingError(
            f'expected a folder of frames or an RGB-D folder, got the folders {names}: '
            'name one of them, or the one with the pictures (image)'
        )
    beside = [file for file in _files(colour, DEPTHS) if DEPTH.search(file.stem)]
    if beside and (others := [file for file in images if not NOT_COLOUR.search(file.stem)]):
        images, depth = others, depth or (None if options.depth == NO_DEPTH else colour)
    return FolderSource(path, colour, depth, images, beside if depth == colour else _files(depth, DEPTHS), options)


def _pick(folders: list[Path], named: str, option: str, fits) -> Path | None:
    if named:
        found = [folder for folder in folders if folder.name == named]
        if not found:
            raise RecordingError(f'{option}: expected one of the folders {[f.name for f in folders]}, got {named!r}')
        return found[0]
    found = [folder for folder in folders if fits(folder)]
    preferred = [folder for folder in found if PREFERRED.search(folder.name)]
    found = preferred if len(preferred) == 1 else found
    if len(found) > 1:
        raise RecordingError(
            f'expected one folder for {option}, got {", ".join(f.name for f in found)}: name one with '
            f'the option {option}'
        )
    return found[0] if found else None


class FolderSource:
    """A :class:`~hoigen.sources.recording.instants.Source` of a folder of pictures."""

    def __init__(
        self,
        path: Path,
        colour: Path,
        depth: Path | None,
        images: list[Path],
        depths: list[Path],
        options: RecordingOptions,
    ) -> None:
        self.faults, self._pixels = Faults(), options.limits.pixels
        if not images:
            raise RecordingError(f'{colour.name}: expected images ({", ".join(PICTURES)}), got none')
        self._stills, timed = ordered(images)
        if not timed and options.frame_rate_hz is None:
            raise RecordingError(
                f'{colour.name}: expected file names that end in seconds (1305031102.175304.png), '
                f'none twice, got {self._stills[0].path.name}: say with frame_rate_hz how fast the '
                'frames were taken'
            )
        self._period = None if timed or options.frame_rate_hz is None else Decimal(NS) / Decimal(options.frame_rate_hz)
        self._unit = DepthUnit(options.depth_unit_m, TUM_M if (path / 'depth.txt').is_file() else INTEGER_M)
        self._depths = None if depth is None else self._paired(depth, depths, timed, options.pairing_s)
        self.calibration = _calibration(path, colour, options)
        if depth is not None and self.calibration is None:
            raise RecordingError(
                f'expected a calibration beside {depth.name}, in a file {", ".join(NAMES[:4])}, got '
                f'none: name one with the option calibration{calibration_hint(images[0])}'
            )
        stamps = [self._stamp(0), self._stamp(len(self._stills) - 1)]
        self.span = Span(len(self._stills), (stamps[1] - stamps[0]) / NS, stamps[0])
        self._colour, self._depth = colour, depth

    def instants(self, start_s: float) -> Iterator[Instant]:
        for number, still in enumerate(self._stills):
            picture = partial(
                read_picture, still.path, still.path.name, self._pixels, as_stored=self.calibration is not None
            )
            if self._depths is None:
                yield Instant(self._stamp(number), picture)
            else:
                file = self._depths[number]
                name = f'{file.parent.name}/{file.name}'
                yield Instant(self._stamp(number), picture, partial(read_depth, file, name, self._pixels, self._unit))

    def _stamp(self, number: int) -> int:
        return self._stills[number].stamp_ns if self._period is None else round(number * self._period)

    def _paired(self, folder: Path, files: list[Path], timed: bool, pairing_s: float) -> list[Path]:
        """The depth file of each picture; pictures without one are left out and told."""
        depths, depth_timed = ordered(files) if files else ([], timed)
        if timed != depth_timed:
            raise RecordingError(
                f'{folder.name}: expected file names like those of the pictures '
                f'({self._stills[0].path.name}), got {depths[0].path.name}'
            )
        if timed:
            pairs = nearest_pairs(
                [s.stamp_ns for s in self._stills], [d.stamp_ns for d in depths], round(pairing_s * NS)
            )
        else:
            pairs = same_number([s.path for s in self._stills], [d.path for d in depths])
        within = f'within {pairing_s:g} s' if timed else 'of the same number'
        if not pairs:
            raise RecordingError(
                f'{folder.name}: expected depth {within} of the pictures, got none in {len(depths)} files'
            )
        if missing := len(self._stills) - len(pairs):
            self.faults.tell(f'{missing} of {len(self._stills)} pictures left out: no depth {within}')
        self._stills = [self._stills[a] for a, _ in pairs]
        return [depths[b].path for _, b in pairs]

    @property
    def says(self) -> str:
        says = f'folder of frames ({self._colour.name})'
        if self._depth is not None:
            says = f'RGB-D folder ({self._colour.name}, {self._depth.name}; {self._unit.says})'
        says += f', stamps {"from the names" if self._period is None else "from frame_rate_hz"}'
        if self.calibration is not None:
            says += f'; K from {self.calibration.file}'
            if self.calibration.distorted:
                says += ', whose distortion is not applied: the pictures are taken as rectified'
        return says


def _files(folder: Path | None, endings: tuple[str, ...]) -> list[Path]:
    return (
        []
        if folder is None
        else [
            entry
            for entry in sorted(folder.iterdir())
            if entry.suffix.lower() in endings and entry.is_file() and not entry.name.startswith('.')
        ]
    )


def _calibration(path: Path, colour: Path, options: RecordingOptions) -> Calibration | None:
    if options.calibration is not None:
        return read_calibration(options.calibration)
    for folder in dict.fromkeys((path, colour)):
        there = {entry.name.lower(): entry for entry in folder.iterdir() if entry.is_file()}
        for name in NAMES:
            if name.lower() in there:
                return read_calibration(there[name.lower()])
    return None
