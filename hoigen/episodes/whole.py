"""A whole episode as a bag, without ROS, under the topics and message types of the graph."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from hoigen.episodes.bags import rejected_folder
from hoigen.episodes.reader import EpisodeReader
from hoigen.episodes.storage import QosName
from hoigen.episodes.writer import EpisodeSummary, EpisodeWriter, whole_folder
from hoigen.messages import topics
from hoigen.messages.definitions import typestore
from hoigen.messages.encode import OPTICAL, WORLD, Encoder
from hoigen.records import Clip, ClipFrame, Episode

Message = tuple[str, str, int, bytes, QosName]
"""Topic, type, stamp, CDR and quality of service: what :meth:`EpisodeWriter.write` takes."""


def _make(name: str, /, **fields: Any) -> Any:
    return typestore().types[name](**fields)


_ENCODER = Encoder(_make)


def write_episode(folder: Path, episode: Episode) -> EpisodeSummary:
    """Write an episode as the rosbag2 (MCAP) bag ``folder``, which appears whole or not at all.

    One whose frames were rejected goes to ``folder``.rejected, which finders of bags leave out. Raises
    :class:`EpisodeExists` if it is there already and :class:`EpisodeWriteFailed` if the operating system refuses (a
    full disk).
    """
    made = topics.REJECTED if episode.rejected else topics.GENERATED if episode.generated else ()
    target = rejected_folder(folder) if episode.rejected else folder
    with whole_folder(target) as unfinished:
        writer = EpisodeWriter(unfinished)
        for message in messages_of(episode):
            writer.write(*message)
        summary = writer.close(made=made)
    return replace(summary, folder=target)


def messages_of(episode: Episode) -> Iterator[Message]:
    """All messages of the bag of an episode, in their order: the tables, then frame by frame."""
    clip, begun_ns = episode.clip, int(episode.clip.stamps_ns[0])
    for topic, message in _tables(episode, begun_ns).items():
        yield _serialized(topic, begun_ns, message, 'latched')
    for row, frame in enumerate(map(clip.row, range(len(clip.stamps_ns)))):
        for topic, message in _frame(episode, frame, row):
            yield _serialized(topic, frame.stamp_ns, message, 'stream')


def load_clip(folder: Path) -> Clip:
    """The clip of a bag, bit for bit what :func:`write_episode` was given (camera and object poses to 1e-12); of an
    edited one as it is after the edit.

    Raises :class:`EpisodeDamaged` for a bag that is unfinished or damaged, :class:`EpisodeError` for one that lacks
    something.
    """
    with EpisodeReader(folder) as reader:
        return reader.scene().clip


def _tables(episode: Episode, stamp_ns: int) -> dict[str, Any]:
    """What is written once, by topic."""
    tables, number = {}, episode.clip.labels[0].episode
    for topic, assets in (
        (topics.MESH_ASSETS, episode.assets),
        (topics.EDIT_MESH_ASSETS, episode.edited.assets if episode.edited else ()),
    ):
        if assets:
            tables[topic.name] = _ENCODER.assets(assets, stamp_ns, number)
    for topic, made in (
        (topics.CONDITION_PROVENANCE, episode.clip_provenance),
        (topics.PROVENANCE if episode.edited is None else topics.EDIT_PROVENANCE, episode.provenance),
    ):
        if made is not None:
            tables[topic.name] = _ENCODER.provenance(made)
    if episode.condition_images:
        tables[topics.SYNTH_CONDITIONS.name] = _ENCODER.condition_images(episode.condition_images, stamp_ns, number)
    if episode.status is not None:
        tables[topics.EPISODE_STATUS.name] = _ENCODER.episode_status(episode.status)
    return tables


def _frame(episode: Episode, frame: ClipFrame, row: int) -> Iterator[tuple[str, Any]]:
    """The messages of one frame with their topics."""
    world, optical = _ENCODER.header(frame.stamp_ns, WORLD), _ENCODER.header(frame.stamp_ns, OPTICAL)
    if episode.mesh_frames:
        yield topics.MESH_FRAME.name, _ENCODER.mesh_frame(episode.mesh_frames[row], world)
    if episode.depth_m is not None:
        yield topics.DEPTH.name, _ENCODER.image(episode.depth_m[row], optical)
    yield topics.IMAGE.name, _ENCODER.image(frame.rgb, optical)
    yield from _ENCODER.recorded(frame).items()
    if (made := episode.generated or episode.rejected) is not None:
        yield from _ENCODER.generated(made, row, rejected=made is episode.rejected).items()
    if episode.edited is not None:
        yield from _ENCODER.edited(episode.edited.frames[row]).items()
        if episode.edited.scene is not None:
            yield from _ENCODER.edited_conditions(episode.edited.scene.row(row)).items()


def _serialized(topic: str, stamp_ns: int, message: Any, qos: QosName) -> Message:
    kind = message.__msgtype__
    return topic, kind, stamp_ns, bytes(typestore().serialize_cdr(message, kind)), qos
