"""Scenes on disk, as the insertion model's training reads them: one ``scene_NUMBER.npz`` each.

E examples of N things with V pictures of each, S the side of a picture in pixels:

=====================  =====================  ========================================================================
array                  shape                  what
=====================  =====================  ========================================================================
rgb, without           [E,S,S,3] uint8        the scene with and without the thing
without_known          [E] bool               False where what is behind the thing is not known; it is grey there
depth_without_m        [E,S,S] float32        depth of the scene without the thing along the optical axis, NaN unknown
mask                   [E,S,S] bool           where the thing would be seen if nothing stood before it
object_depth_m         [E,S,S] float32        its front surface, infinite outside the mask
guide                  [E,S,S,3] uint8        its mesh drawn at its pose; grey where there is no mesh
box_mask, box_depth_m  as of the thing        the same of the box about it
insertion_depth_m      [E] float32            depth of its origin
orientation            [E,3] float32          azimuth, elevation, in-plane (:class:`hoigen.geometry.orientation`)
thing                  [E] int64              which of the N it is
K, T_world_cam,        [E,3,3], [E,4,4]       camera and pose, float64
T_world_object
view_rgb               [N,V,S,S,3] uint8      pictures of each thing alone, on white
view_orientation       [N,V,3] float32        how it is turned in them
caption                [N] str                what it is
=====================  =====================  ========================================================================

Metres, radians. Of real pictures depth is in metres only if it was measured or estimated so (the manifest says which),
and NaN stands for every number that no model told.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from hoigen.whole_files import whole_file


class DataError(ValueError):
    """Training data cannot be made as asked; the text names the value, what was expected and what came."""


@dataclass(frozen=True)
class Outcome:
    """What became of one scene. file: its name, '' where nothing of it was kept. dropped: examples that were left out,
    by reason. notes: what else is to be told."""

    number: int
    file: str
    examples: int
    captions: tuple[str, ...]
    dropped: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def as_dict(self) -> dict:
        return asdict(self)


def write_scene(path: Path, arrays: Mapping[str, Any], *, compress: bool) -> None:
    """Write one scene; the file appears whole or not at all."""
    with whole_file(path) as file:
        (np.savez_compressed if compress else np.savez)(file, **arrays)


KEPT = 8
"""Arrays of scenes that are kept for the next row asked for, in each process."""


def bytes_of(paths: Sequence[Path]) -> int:
    """How much memory the arrays of scene files take when they are read, by the files' tables of content."""
    total = 0
    for path in paths:
        try:
            with zipfile.ZipFile(path) as file:
                total += sum(member.file_size for member in file.infolist())
        except (OSError, zipfile.BadZipFile, zlib.error) as error:
            raise DataError(f'{path}: expected a scene file, got: {error}') from error
    return total


class Rows:
    """One array of many scene files as if they lay behind each other: ``rows[i]`` and ``rows[i, more]`` read row i.

    shape: as the whole would have it.
    """

    def __init__(self, paths: Sequence[Path], name: str, counts: Sequence[int]) -> None:
        self._paths, self._name = tuple(paths), name
        self._ends = np.cumsum(counts)
        self.shape = (int(self._ends[-1]), *_read(self._paths[0], name).shape[1:])

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> np.ndarray:
        row, *rest = key if isinstance(key, tuple) else (key,)
        if not -len(self) <= row < len(self):
            raise IndexError(f'{self._name}: expected a row below {len(self)}, got {row}')
        row = int(row) % len(self)
        scene = int(np.searchsorted(self._ends, row, side='right'))
        first = int(self._ends[scene - 1]) if scene else 0
        return _read(self._paths[scene], self._name)[(row - first, *rest)].copy()


@lru_cache(maxsize=KEPT)
def _read(path: Path, name: str) -> np.ndarray:
    try:
        with np.load(path) as scene:
            return scene[name]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f'{path}: expected a scene file with {name!r}, got: {error}') from error
