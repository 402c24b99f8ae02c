"""Finished frames of an edit on disk, so that a stopped one goes on where it was."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np

from hoigen.editing.arrays import opened
from hoigen.editing.clips.edited import PaintedFrame
from hoigen.run_settings import begin
from hoigen.whole_files import whole_file

FIELDS = ('rgb', 'depth_m', 'mask', 'carried', 'visibility', 'agreement')


class FrameStore:
    """A :class:`hoigen.editing.clips.edit.Store` in a folder; one begun with other settings (JSON) is refused."""

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        self.folder = folder
        file = folder / 'settings.json'
        begin(file, settings, made=file.exists())

    def get(self, frame: int) -> PaintedFrame | None:
        try:
            with opened(self._path(frame), 'a finished frame') as held:
                values: list[Any] = [held[name] if held[name].ndim else float(held[name]) for name in FIELDS]
                return PaintedFrame(*values)
        except FileNotFoundError:
            return None

    def put(self, frame: int, edited: PaintedFrame) -> None:
        with whole_file(self._path(frame)) as file:
            np.savez_compressed(file, **{name: getattr(edited, name) for name in FIELDS})

    def finish(self) -> None:
        """The edit is written: its single frames are needed no more."""
        shutil.rmtree(self.folder)

    def _path(self, frame: int) -> Path:
        return self.folder / f'{frame:05d}.npz'
