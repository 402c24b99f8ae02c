"""``hoigen episode export``: recorded episodes as arrays (.npz) or videos (.mp4), for who reads no bags."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tyro
from PIL import Image
from rich.console import Console

from hoigen.episodes.bags import find_bags
from hoigen.episodes.errors import EpisodeError
from hoigen.episodes.reader import EpisodeReader
from hoigen.geometry.view import centre_view
from hoigen.look.images import image_of
from hoigen.look.movies import write_movie
from hoigen.look.progress import bars
from hoigen.provenance import provenance_to_json
from hoigen.records import EditedClip, Episode
from hoigen.whole_files import whole_file

__all__ = ['ExportConfig', 'export']


@dataclass(frozen=True)
class ExportConfig:
    """Writes NAME.npz or NAME.mp4 of each episode NAME; a file that is there already is replaced.

    arrays: generated frames [T,H,W,3] with their fidelity, or edited ones with depth_m, and mask, caption, visibility,
    agreement and pose (T_world_inserted) of what was put in; and what is true of them: stamps_ns, K, T_world_cam,
    object_ids, T_world_object, object_visibility, hand_sides, T_world_wrist, hand_keypoints_m, hand_pixels,
    joint_names, joint_positions, action_names, action_units, action, contact_force_n (the sum), task, provenance
    (JSON); NaN if unknown. video: scene, what the model read and generated frames side by side, or scene and edited
    frames. An episode without such frames is named and left out; one that was rejected is exported only where its bag
    itself is given. The exit status is 1 if none is exported or a bag cannot be read. first-image: the camera's image
    of frame 0, to be given another appearance for `hoigen generate --first-image`.
    """

    bags: tyro.conf.Positional[Path]
    """A bag, its .mcap file, or a folder that holds bags at any depth."""
    format: Literal['arrays', 'video', 'first-image']
    """What is written: NumPy arrays (.npz), a video to look at (.mp4) or frame 0 of the scene (.png)."""
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
                with EpisodeReader(bag.path) as reader:
                    episode = reader.episode()
            except EpisodeError as error:
                console.print(str(error) if str(bag.path) in str(error) else f'{bag.path}: {error}')
                unread += 1
                continue
            if write is not _write_first_image and episode.provenance is None:
                console.print(f'{bag.label} not exported: it has no generated or edited frames')
                continue
            file.parent.mkdir(parents=True, exist_ok=True)
            write(file, episode)
            exported += 1
    console.print(f'{exported} of {len(bags)} episodes exported to {folder}')
    return 1 if unread or not exported else 0


def _write_arrays(path: Path, episode: Episode) -> None:
    made, arrays = episode.generated or episode.rejected, dict[str, Any]()
    if made is None:
        assert episode.edited is not None
        arrays, labels, cameras = _edited_arrays(episode.edited), episode.edited.labels, episode.clip.cameras
    else:
        scores = {'fidelity': 'value', 'outline_fidelity': 'outline', 'motion_fidelity': 'motion'}
        arrays = {name: getattr(made.fidelity, part) for name, part in scores.items()} | {'frames': made.frames}
        labels, cameras = made.labels, made.cameras
    assert episode.provenance is not None
    with whole_file(path) as file:
        np.savez_compressed(
            file,
            **arrays,
            stamps_ns=episode.clip.stamps_ns,
            K=np.stack([c.K for c in cameras]),
            T_world_cam=np.stack([c.T_world_cam for c in cameras]),
            object_ids=np.array(labels[0].objects.ids, np.str_),
            T_world_object=np.stack([x.objects.T_world_object for x in labels]),
            object_visibility=np.stack([x.objects.visibility for x in labels]),
            hand_sides=np.array(labels[0].hands.sides, np.str_),
            T_world_wrist=np.stack([x.hands.T_world_wrist for x in labels]),
            hand_keypoints_m=np.stack([x.hands.keypoints_m for x in labels]),
            hand_pixels=np.stack([x.hands.pixels for x in labels]),
            joint_names=np.array(labels[0].joints.names, np.str_),
            joint_positions=np.stack([x.joints.positions for x in labels]),
            action_names=np.array(labels[0].action.names, np.str_),
            action_units=np.array(labels[0].action.units, np.str_),
            action=np.stack([x.action.values for x in labels]),
            contact_force_n=np.array([x.contacts.forces_n.sum() for x in labels], np.float32),
            task=np.array(labels[0].task),
            provenance=np.array(provenance_to_json(episode.provenance)),
        )


def _edited_arrays(edited: EditedClip) -> dict[str, Any]:
    """The frames, and where an object was put in what is known of it."""
    arrays = {
        'frames': np.stack([frame.rgb for frame in edited.frames]),
        'depth_m': np.stack([frame.depth_m for frame in edited.frames]),
    }
    inserted = [frame.inserted for frame in edited.frames if frame.inserted is not None]
    if not inserted:
        return arrays
    return arrays | {
        'mask': np.stack([frame.mask for frame in edited.frames]),
        'caption': np.array(inserted[0].caption),
        'T_world_inserted': np.stack([it.T_world_object for it in inserted]),
        'visibility': np.array([it.visibility for it in inserted]),
        'agreement': np.array([it.agreement for it in inserted]),
    }


def _write_video(path: Path, episode: Episode) -> None:
    """Generated frames at twice their size, edited ones at their own."""
    clip, made = episode.clip, episode.generated or episode.rejected
    if made is None:
        assert episode.edited is not None
        shown = [clip.rgb, np.stack([frame.rgb for frame in episode.edited.frames])]
    else:
        height, width = made.frames.shape[1:3]
        scene = centre_view(clip.cameras[0], width, height)
        read = [
            np.stack([np.asarray(Image.fromarray(image_of(file)).resize((width, height))) for file in files.values()])
            for files in episode.condition_images.values()
        ]
        shown = [np.stack([scene.picture(rgb) for rgb in clip.rgb]), *read, made.frames]
        shown = [images.repeat(2, 1).repeat(2, 2) for images in shown]
    write_movie(path, np.concatenate(shown, axis=2), clip.stamps_ns)


def _write_first_image(path: Path, episode: Episode) -> None:
    with whole_file(path) as file:
        Image.fromarray(episode.clip.rgb[0]).save(file, 'PNG')


_FORMATS: dict[str, tuple[Callable[[Path, Episode], Any], str]] = {
    'arrays': (_write_arrays, '.npz'),
    'video': (_write_video, '.mp4'),
    'first-image': (_write_first_image, '.png'),
}
