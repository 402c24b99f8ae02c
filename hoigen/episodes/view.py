"""What a person is shown of one episode: pictures of the same instants side by side, and the numbers beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hoigen.conditioning import draw_points
from hoigen.episodes.bags import mcap_files
from hoigen.episodes.errors import EpisodeError
from hoigen.episodes.reader import EpisodeReader
from hoigen.episodes.topics import CONDITION_PROVENANCE, EDIT_IMAGE, EDIT_PROVENANCE
from hoigen.geometry.camera import resize_camera
from hoigen.geometry.view import centre_view
from hoigen.records import Camera, Clip, GeneratedClip, Labels, Provenance

__all__ = ['EpisodeView', 'Picture', 'view_episode']

SOURCE_WIDTH = 640
"""Source pictures are shown no wider than this."""

UNSEEN_HEIGHT = 128
"""Conditions are shown at this height while nothing has been generated, with the camera's aspect."""

EDITED_HEIGHT = 320
"""The most where frames were edited."""

Picture = np.ndarray | None
"""[H,W,3] uint8; None where the recording has no picture of an instant."""


@dataclass(frozen=True)
class EpisodeView:
    """T instants of an episode; every sequence's entry t belongs to ``stamps_ns[t]``.

    panels: by name (source, tracking, coloured, generated) T pictures of the same view. edited: whether the generated
    ones are the source with an object put in. fidelity: by name (value, mask,
    motion) T numbers in [0, 1], None where nothing was generated or measured. counts: messages by topic. faults: what
    is wrong with the recording. rejection: why the generated frames were not good enough to keep. conditions: how they
    were found, if in footage; None of a simulated scene.
    """

    name: str
    stamps_ns: tuple[int, ...]
    panels: dict[str, Sequence[Picture]]
    edited: bool
    labels: tuple[Labels, ...]
    fidelity: dict[str, tuple[float | None, ...]]
    provenance: Provenance | None
    camera_size: tuple[int, int]
    counts: dict[str, int]
    size_bytes: int
    faults: tuple[str, ...]
    rejection: str
    conditions: Provenance | None


def view_episode(bag: Path, name: str) -> EpisodeView:
    """Read a bag, also a damaged one as far as it goes, and draw the conditions that its generator read."""
    with EpisodeReader(bag) as reader:
        faults = tuple(map(str, reader.faults()))
        if reader.damage:
            faults = (f'{reader.damage}; this is what can be read of it', *faults)
        clip = reader.clip(whole=False)
        generated = _generated(reader)
        edits = dict(reader.images(EDIT_IMAGE)) if EDIT_IMAGE in reader.counts else {}
        provenance = reader.provenance(EDIT_PROVENANCE) if edits else reader.provenance()
        rejection, counts = reader.rejection(), dict(reader.counts)
        conditions = reader.provenance(CONDITION_PROVENANCE)
    frames = dict(zip(generated.stamps_ns.tolist(), range(len(generated.frames)), strict=True)) if generated else {}
    rows = [frames.get(stamp) for stamp in clip.stamps_ns.tolist()]
    camera = clip.cameras[0]
    height = min(camera.height, EDITED_HEIGHT) if edits else UNSEEN_HEIGHT
    panels = _panels(
        clip,
        generated.cameras[0]
        if generated
        else resize_camera(camera, round(height * camera.width / camera.height), height),
    )
    panels['generated'] = [None if generated is None or row is None else generated.frames[row] for row in rows]
    if edits:
        panels['generated'] = [edits.get(stamp) for stamp in clip.stamps_ns.tolist()]
    return EpisodeView(
        name=name,
        stamps_ns=tuple(clip.stamps_ns.tolist()),
        panels=panels,
        edited=bool(edits),
        labels=clip.labels,
        fidelity={name: tuple(_score(generated, name, row) for row in rows) for name in ('value', 'mask', 'motion')},
        provenance=provenance if generated or rejection or edits else None,
        rejection=rejection,
        camera_size=(camera.width, camera.height),
        counts=counts,
        size_bytes=sum(file.stat().st_size for file in mcap_files(bag)),
        faults=faults,
        conditions=conditions,
    )


def _generated(reader: EpisodeReader) -> GeneratedClip | None:
    try:
        return reader.generated(whole=False)
    except EpisodeError:  # not one generated frame was recorded whole: the faults say so
        return None


def _score(generated: GeneratedClip | None, name: str, row: int | None) -> float | None:
    if generated is None or row is None:
        return None
    score = float(getattr(generated.fidelity, name)[row])
    return None if np.isnan(score) else score


def _panels(clip: Clip, like: Camera) -> dict[str, Sequence[Picture]]:
    """Source and conditions as a camera of that size sees them."""
    drawn = draw_points(clip, centre_view(clip.cameras[0], like.width, like.height))
    width = min(SOURCE_WIDTH, centre_view(clip.cameras[0], like.width, like.height).columns)
    shown = centre_view(clip.cameras[0], width, max(1, round(width * like.height / like.width)))
    return {
        'source': [shown.picture(rgb) for rgb in clip.rgb],
        'tracking': list(drawn.tracking),
        'coloured': list(drawn.coloured),
    }
