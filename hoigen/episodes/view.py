"""Reads of one episode what a person is shown: images of the same frames side by side, and the numbers beside them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from hoigen.episodes.bags import mcap_files
from hoigen.episodes.errors import EpisodeError
from hoigen.episodes.reader import EpisodeReader
from hoigen.episodes.topics import CONDITION_PROVENANCE, EDIT_IMAGE, EDIT_PROVENANCE, MESH_ASSETS
from hoigen.geometry.view import centre_of
from hoigen.look.colours import ROLE_COLOURS, DepthScale
from hoigen.look.episode_page import EpisodeView
from hoigen.look.images import image_of
from hoigen.records import GeneratedClip

SOURCE_WIDTH = 640
"""Source images are shown no wider than this."""
SCENE_HEIGHT = 128
"""Of a scene that no model read, mask and depth are shown at this height at most."""

Images = Mapping[int, np.ndarray]
"""[H,W,3] uint8 by stamp in ns."""


def view_episode(bag: Path, name: str) -> EpisodeView:
    """Read a bag, also a damaged one as far as it goes: all frames of which image and labels are there."""
    with EpisodeReader(bag) as reader:
        faults = tuple(map(str, reader.faults()))
        if reader.damage:
            faults = (f'{reader.damage}; this is what can be read of it', *faults)
        labels, source = reader.labels(), dict(reader.images('camera/image'))
        stamps = tuple(sorted(labels.keys() & source.keys()))
        if not stamps:
            raise EpisodeError(f'{bag}: expected one frame at least with camera/image and labels, got none')
        clip = _made(reader)
        edits = dict(reader.images(EDIT_IMAGE)) if EDIT_IMAGE in reader.counts else {}
        labels |= reader.labels('edit/labels')  # where frames were edited, those that are true of them
        made = edits or ({} if clip is None else dict(zip(clip.stamps_ns.tolist(), clip.frames, strict=True)))
        read = _read_by_the_model(reader) or _of_the_scene(reader)
        rejection = reader.rejection()
        provenance = reader.provenance(EDIT_PROVENANCE) if edits else reader.provenance()
        conditions = reader.provenance(CONDITION_PROVENANCE)
        counts = dict(reader.counts)
    height, width = source[stamps[0]].shape[:2]
    like = next((image.shape for images in (made, *read.values()) for image in images.values()), (height, width))
    columns = centre_of(width, height, like[1], like[0]).columns
    wide = min(SOURCE_WIDTH, columns)
    view = centre_of(width, height, wide, max(1, round(wide * like[0] / like[1])))
    panels = {'source': {at: view.picture(source[at]) for at in stamps}, **read, 'generated': made}
    rows = {} if clip is None else {at: row for row, at in enumerate(clip.stamps_ns.tolist())}
    return EpisodeView(
        name=name,
        stamps_ns=stamps,
        panels={panel: [images.get(at) for at in stamps] for panel, images in panels.items()},
        edited=bool(edits),
        labels=tuple(labels[at] for at in stamps),
        fidelity={
            part: tuple(_score(clip, part, rows.get(at)) for at in stamps) for part in ('value', 'outline', 'motion')
        },
        provenance=provenance if made or rejection else None,
        rejection=rejection,
        camera_size=(width, height),
        counts=counts,
        size_bytes=sum(file.stat().st_size for file in mcap_files(bag)),
        faults=faults,
        footage=conditions is not None and MESH_ASSETS not in counts,
        conditions=conditions,
    )


def _made(reader: EpisodeReader) -> GeneratedClip | None:
    """The generated frames, or those that were rejected."""
    try:
        return reader.generated(whole=False) or reader.rejected(whole=False)
    except EpisodeError:  # not one generated frame was recorded whole: the faults say so
        return None


def _score(clip: GeneratedClip | None, name: str, row: int | None) -> float | None:
    if clip is None or row is None:
        return None
    score = float(getattr(clip.fidelity, name)[row])
    return None if np.isnan(score) else score


def _read_by_the_model(reader: EpisodeReader) -> dict[str, Images]:
    read = reader.condition_images()
    return {name: {at: image_of(file) for at, file in files.items()} for name, files in read.items()}


def _of_the_scene(reader: EpisodeReader) -> dict[str, Images]:
    """Mask and depth as they are recorded, after an edit if there is one, where no images of the model's are."""
    small: dict[str, dict[int, np.ndarray]] = {'mask': {}, 'depth': {}}
    after = 'edit/' if '/edit/condition/mask' in reader.counts else ''
    for name, found in small.items():
        for at, pixels in reader.images(f'{after}condition/{name}'):
            every = max(1, pixels.shape[0] // SCENE_HEIGHT)
            found[at] = pixels[every // 2 :: every, every // 2 :: every]
    scale = DepthScale.of(np.stack(list(small['depth'].values()))) if small['depth'] else None
    return {
        'mask': {at: ROLE_COLOURS[codes] for at, codes in small['mask'].items()},
        'depth': {} if scale is None else {at: scale.colours(depth) for at, depth in small['depth'].items()},
    }
