"""Pictures of a set that is larger than memory, read from its scene files one by one as they are asked for."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from hoigen.editing.data.records import DataError

__all__ = ['Rows', 'bytes_of']

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
