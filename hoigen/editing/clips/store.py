"""Finished frames of an edit on disk, so that a stopped one goes on where it was; and what it gives in the end."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from hoigen.editing.arrays import opened
from hoigen.editing.clips.edited import EditedClip, EditedFrame
from hoigen.provenance import provenance_from_json, provenance_to_json
from hoigen.whole_files import whole_file

__all__ = ['FrameStore', 'same_settings', 'write_arrays']

FIELDS = ('rgb', 'depth_m', 'mask', 'hidden', 'carried', 'visibility', 'agreement')


class FrameStore:
    """A :class:`hoigen.editing.clips.edit.Store` in a folder; one begun with other settings (JSON) is refused."""

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        self.folder, file = folder, folder / 'settings.json'
        if file.exists():
            _refuse_others(folder, _begun(file), settings)
        folder.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(settings, indent=1))

    def get(self, frame: int) -> EditedFrame | None:
        try:
            with opened(self._path(frame), 'a finished frame') as held:
                values: list[Any] = [held[name] if held[name].ndim else float(held[name]) for name in FIELDS]
                return EditedFrame(*values)
        except FileNotFoundError:
            return None

    def put(self, frame: int, edited: EditedFrame) -> None:
        with whole_file(self._path(frame)) as file:
            np.savez_compressed(file, **{name: getattr(edited, name) for name in FIELDS})

    def finish(self) -> None:
        """The edit is written: its single frames are needed no more."""
        shutil.rmtree(self.folder)

    def _path(self, frame: int) -> Path:
        return self.folder / f'{frame:05d}.npz'


def same_settings(path: Path, settings: dict[str, Any]) -> None:
    """ValueError where a finished edit (:func:`write_arrays`) was made with other settings (JSON)."""
    with opened(path, 'a finished edit') as held:
        made = provenance_from_json(str(held['provenance']))
    _refuse_others(path, made.config.get('settings', {}), settings)


def _begun(file: Path) -> dict[str, Any]:
    """The settings of an edit that was begun."""
    try:
        return dict(json.loads(file.read_text()))
    except (ValueError, TypeError) as error:
        raise ValueError(
            f'{file}: expected the settings of an edit that was begun, got: {error}; remove {file.parent}'
        ) from None


def _refuse_others(path: Path, before: dict[str, Any], settings: dict[str, Any]) -> None:
    changed = [name for name in settings if before.get(name) != settings[name]]
    if changed:
        raise ValueError(
            f'{path}: expected the settings with which this edit was begun, got others for '
            f'{", ".join(changed)}; remove it or choose another --out'
        )


def write_arrays(path: Path, edited: EditedClip) -> None:
    """What is true of the edited frames, with the mesh that shows it (vertices [T or 1,V,3]); appears whole or not."""
    frames, clip = edited.frames, edited.clip
    arrays: dict[str, Any] = {
        'stamps_ns': clip.stamps_ns,
        'K': np.stack([camera.K for camera in clip.cameras]),
        'T_world_cam': np.stack([camera.T_world_cam for camera in clip.cameras]),
        'hidden': np.stack([frame.hidden for frame in frames]),
        'carried': np.array([frame.carried for frame in frames]),
        'provenance': np.array(provenance_to_json(edited.provenance)),
    }
    if edited.poses is not None:
        shapes = np.stack([mesh.vertices for mesh in edited.meshes])
        arrays |= {
            'T_world_object': edited.poses,
            'mask': np.stack([frame.mask for frame in frames]),
            'visibility': np.array([frame.visibility for frame in frames]),
            'agreement': np.array([frame.agreement for frame in frames]),
            'rerendered': edited.rerendered,
            'reach_m': edited.reach_m,
            'vertices': shapes[:1] if (shapes == shapes[0]).all() else shapes,
            'triangles': edited.meshes[0].triangles,
        }
    with whole_file(path) as file:
        np.savez_compressed(file, **arrays)
