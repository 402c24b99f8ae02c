"""A clip as a bag of its own, without ROS: what a recording shows, kept without loss under the topics of an episode."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hoigen.episodes.reader import EpisodeReader
from hoigen.episodes.topics import CONDITION_PROVENANCE
from hoigen.episodes.writer import EpisodeSummary, EpisodeWriter, whole_folder
from hoigen.messages.definitions import typestore
from hoigen.messages.encode import OPTICAL, Encoder
from hoigen.records import Clip, Provenance

__all__ = ['load_clip', 'save_clip']


def _make(name: str, /, **fields: Any) -> Any:
    return typestore().types[name](**fields)


_ENCODER = Encoder(_make)


def save_clip(clip: Clip, provenance: Provenance, folder: Path) -> EpisodeSummary:
    """Write a clip of footage as the rosbag2 (MCAP) bag ``folder``; ``provenance`` tells how it was made of what.

    The folder appears whole or not at all. Raises :class:`EpisodeExists` if it is there already and
    :class:`EpisodeWriteFailed` if the operating system refuses (a full disk).
    """
    with whole_folder(folder) as unfinished:
        summary = _write(clip, provenance, unfinished)
    return EpisodeSummary(Path(folder), summary.frames, summary.counts, summary.size_bytes)


def load_clip(folder: Path) -> Clip:
    """The clip of a bag, bit for bit what :func:`save_clip` was given (camera and object poses to 1e-12).

    Raises :class:`EpisodeDamaged` for a bag that is unfinished or damaged, :class:`EpisodeError` for one that lacks
    something.
    """
    with EpisodeReader(folder) as reader:
        reader.require_whole()
        return reader.clip()


def _write(clip: Clip, provenance: Provenance, folder: Path) -> EpisodeSummary:
    writer = EpisodeWriter(folder)
    made = _ENCODER.provenance(provenance)
    _put(writer, CONDITION_PROVENANCE, int(clip.stamps_ns[0]), made, 'latched')
    for frame in map(clip.row, range(len(clip.stamps_ns))):
        image = _ENCODER.image(frame.rgb, _ENCODER.header(frame.stamp_ns, OPTICAL))
        for topic, message in ({'camera/image': image} | _ENCODER.recorded(frame)).items():
            _put(writer, topic, frame.stamp_ns, message, 'stream')
    return writer.close(generated=False)


def _put(writer: EpisodeWriter, topic: str, stamp_ns: int, message: Any, qos: Any) -> None:
    kind = message.__msgtype__
    writer.write(topic, kind, stamp_ns, typestore().serialize_cdr(message, kind), qos)
