"""``hoigen episode export``: recorded episodes as arrays (.npz) or videos (.mp4), for who reads no bags."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tyro
from rich.console import Console

from hoigen.conditioning import build_conditions, pasted_baseline, scene_images
from hoigen.episodes.bags import Bag, find_bags
from hoigen.episodes.errors import EpisodeError
from hoigen.episodes.reader import EpisodeReader
from hoigen.look.movies import write_movie
from hoigen.look.progress import bars
from hoigen.provenance import provenance_to_json
from hoigen.records import Episode, GeneratedClip
from hoigen.whole_files import whole_file

__all__ = ['ExportConfig', 'export']


@dataclass(frozen=True)
class ExportConfig:
    """Writes NAME.npz or NAME.mp4 of each episode NAME; a file that is there already is replaced.

    arrays: frames [T,H,W,3], their fidelity, and what is true of them: stamps_ns, K, T_world_cam, joint_names,
    joint_positions, action, T_world_object (NaN if unknown), contact_force_n, task, provenance (JSON). video: scene,
    coloured points and generated frames side by side. An episode without generated frames is named and left out; the
    exit status is 1 if none is exported or a bag cannot be read.
    """

    bags: tyro.conf.Positional[Path]
    """A bag, its .mcap file, or a folder that holds bags at any depth."""
    format: Literal['arrays', 'video']
    """What is written: NumPy arrays (.npz) or a video to look at (.mp4)."""
    out: Path | None = None
    """Folder for the files; none: `export` beside the bag, or in the folder that holds the bags."""


def export(config: ExportConfig) -> int:
    """Export every episode; 0, or 1 if none is exported or a bag cannot be read."""
    bags, console = find_bags([config.bags]), Console(highlight=False, markup=False, soft_wrap=True)
    write, ending = _FORMATS[config.format]
    folder = config.out or (config.bags if '/' in bags[0].label else bags[0].path.parent) / 'export'
    exported, unread = 0, 0
    with bars(console, quiet=True) as progress:
        for bag in progress.track(bags, description='export', task_id=progress.add_task('export', note='episodes')):
            file = folder / f'{bag.label}{ending}'
            try:
                episode, generated = _read(bag)
            except EpisodeError as error:
                console.print(str(error) if str(bag.path) in str(error) else f'{bag.path}: {error}')
                unread += 1
                continue
            if generated is None:
                console.print(f'{bag.label} not exported: {_why_not(episode)}')
                continue
            file.parent.mkdir(parents=True, exist_ok=True)
            write(file, episode, generated)
            exported += 1
    console.print(f'{exported} of {len(bags)} episodes exported to {folder}')
    return 1 if unread or not exported else 0


def _why_not(episode: Episode) -> str:
    return 'it has no generated frames' if episode.status is None else episode.status.reason


def _read(bag: Bag) -> tuple[Episode, GeneratedClip | None]:
    with EpisodeReader(bag.path) as reader:
        episode = reader.episode()
    return episode, episode.generated


def _write_arrays(path: Path, _: Episode, made: GeneratedClip) -> None:
    labels = made.labels
    with whole_file(path) as file:
        np.savez_compressed(
            file,
            frames=made.frames,
            fidelity=made.fidelity.value,
            mask_fidelity=made.fidelity.mask,
            motion_fidelity=made.fidelity.motion,
            stamps_ns=made.stamps_ns,
            K=np.stack([c.K for c in made.cameras]),
            T_world_cam=np.stack([c.T_world_cam for c in made.cameras]),
            joint_names=np.array(labels[0].joint_names),
            joint_positions=np.stack([x.joint_positions for x in labels]),
            action=np.stack([x.action for x in labels]),
            T_world_object=np.stack(
                [np.full((4, 4), np.nan) if x.T_world_object is None else x.T_world_object for x in labels]
            ),
            contact_force_n=np.array([x.contacts.forces_n.sum() for x in labels], np.float32),
            task=np.array(labels[0].task),
            provenance=np.array(provenance_to_json(made.provenance)),
        )


def _write_video(path: Path, episode: Episode, made: GeneratedClip) -> None:
    """Each frame at twice its size."""
    height, width = made.frames.shape[1:3]
    conditions = build_conditions(episode.clip, width=width, height=height)
    shown = [scene_images(episode.clip, width, height), pasted_baseline(conditions), made.frames]
    write_movie(path, np.concatenate(shown, axis=2).repeat(2, 1).repeat(2, 2), made.stamps_ns)


_FORMATS: dict[str, tuple[Callable[[Path, Episode, GeneratedClip], Any], str]] = {
    'arrays': (_write_arrays, '.npz'),
    'video': (_write_video, '.mp4'),
}
