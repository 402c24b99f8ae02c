"""Clips of public data sets by their folders: which there are, their footage, and what is true of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from hoigen.perception.records import PerceptionError
from hoigen.records import Check, Footage
from hoigen.records.labels import KEYPOINTS
from hoigen.sources.recording import RecordingOptions, open_recording
from hoigen.untrusted.arrays import UnreadableFile, read_arrays

RATE_HZ = 30
"""Of all these data sets."""


@dataclass(frozen=True, eq=False)
class Labelled:
    """Footage of T frames and what is true of its I hands.

    side: [I]. pixels: [T,I,21,2] float64 of the footage's images, places: [T,I,21,3] float64 metres in the camera's
    frame; NaN where unknown. mask: [T,H,W] uint8 role codes, None where the data set has none.
    """

    name: str
    footage: Footage
    side: tuple[str, ...]
    pixels: np.ndarray
    places: np.ndarray
    mask: np.ndarray | None


def find(folder: Path) -> list[tuple[str, Path]]:
    """Layout and path of every labelled clip under a folder; PerceptionError where there is none."""
    found = [('egodex', path) for path in folder.rglob('*.hdf5') if path.with_suffix('.mp4').is_file()]
    found += [('dexycb', path.parent) for path in folder.rglob('labels_000000.npz')]
    if not found:
        raise PerceptionError(
            f'{folder}: expected clips of EgoDex (N.hdf5 beside N.mp4) or DexYCB (folders with color_000000.jpg and '
            'labels_000000.npz), found none'
        )
    return sorted(found)


def labelled(layout: str, path: Path, frames: int) -> Labelled:
    """The first ``frames`` frames of a clip; PerceptionError or RecordingError for one that cannot be read."""
    labels = _labels(layout, path)
    recording = path.with_suffix('.mp4') if layout == 'egodex' else path
    with open_recording(recording, RecordingOptions(frame_rate_hz=RATE_HZ, depth='none')) as opened:
        footage = next(iter(opened.stretches(frames)))
    count = len(footage.stamps_ns)
    if len(labels['pixels']) < count:
        raise PerceptionError(f'{path}: expected labels of {count} frames, got {len(labels["pixels"])}')
    height, width = footage.rgb.shape[1:3]
    scale = width / labels['size'][0]
    if round(labels['size'][1] * scale) != height:
        raise PerceptionError(f'{path}: expected images of {labels["size"]} or smaller, got {width}x{height}')
    mask = labels.get('mask')
    if mask is not None:
        mask = np.stack([cv2.resize(m, (width, height), interpolation=cv2.INTER_NEAREST) for m in mask[:count]])
    pixels = (labels['pixels'][:count] + 0.5) * scale - 0.5
    return Labelled(str(path), footage, tuple(labels['side'].tolist()), pixels, labels['places'][:count], mask)


def _labels(layout: str, path: Path) -> dict[str, np.ndarray]:
    try:
        labels = read_arrays('hoigen.perception.labelled.read', layout, str(path))
    except UnreadableFile as error:
        raise PerceptionError(f'{path}: expected labels of {layout}; {error}') from None
    check, sizes = Check(f'{path}, labels'), dict[str, int]()
    for name, last in (('pixels', 2), ('places', 3)):
        check.array(name, labels[name], 'float64', ('T', 'I', KEYPOINTS, last), sizes=sizes, finite=False)
    check.done()
    return labels
