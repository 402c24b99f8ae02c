"""Reads an episode's bag back as arrays and records, also one whose recording was killed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from hoigen.episodes import decode
from hoigen.episodes.errors import EpisodeError, EpisodeMismatch
from hoigen.episodes.provenance import provenance_from_json, rejection_of
from hoigen.episodes.recording import open_recording, types_of
from hoigen.episodes.topics import (
    CONDITION_PROVENANCE,
    EDIT_PROVENANCE,
    PER_FRAME,
    REFERENCE,
    TF,
    Fault,
    compare_streams,
    header_of,
    in_bag,
    required_of,
)
from hoigen.records import Camera, Clip, GeneratedClip, Labels, MeshAsset, Provenance

__all__ = ['EpisodeReader']

_CLIP = (REFERENCE, '/camera/image', '/camera/camera_info', '/camera/pose', '/condition/points', '/condition/tracks',
         '/condition/mask', '/condition/depth')
_GENERATED = ('/synth/labels', '/synth/image', '/synth/camera_info', '/camera/pose', '/synth/fidelity')


class EpisodeReader:
    """One episode's bag; topics may be named as in the graph (``camera/image``) or as in the bag (``/camera/image``).

    ``complete`` is False for a recording that was never closed; what is readable of it is given all the same.
    Messages are read one at a time: only what a method returns is held in memory.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self._recording = open_recording(self.folder)
        self._types = types_of(self._recording.connections)
        self.complete = self._recording.complete
        self.counts = {c.topic: c.msgcount for c in self._recording.connections}
        self.msgtypes = {c.topic: c.msgtype for c in self._recording.connections}

    def __enter__(self) -> EpisodeReader:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._recording.close()

    def messages(self, topic: str) -> Iterator[tuple[int, Any]]:
        """(log stamp in ns, message as rosbags deserializes it) of one topic, in the order of recording."""
        for connection, log_ns, cdr in self._recording.messages([in_bag(topic)]):
            yield log_ns, self._types.deserialize_cdr(cdr, connection.msgtype)

    def images(self, topic: str) -> Iterator[tuple[int, np.ndarray]]:
        """(header stamp in ns, picture) of an image topic; see :func:`hoigen.episodes.decode.image`."""
        for _, message in self.messages(topic):
            yield decode.stamp_ns(message), decode.image(message)

    def labels(self, topic: str = REFERENCE) -> tuple[Labels, ...]:
        return tuple(decode.labels(message) for _, message in self.messages(topic))

    def assets(self) -> tuple[MeshAsset, ...]:
        """The episode's mesh table; empty if none was recorded."""
        return tuple(decode.asset(a) for _, message in self.messages('/mesh_assets') for a in message.assets)

    def provenance(self, topic: str = '/provenance') -> Provenance | None:
        """How the generated frames were made, or the conditions (``condition/provenance``); None if nobody told."""
        texts = [message.data for _, message in self.messages(topic)]
        return provenance_from_json(texts[-1]) if texts else None

    def rejection(self) -> str:
        """Why the episode has no generated frames, where their fidelity was too low; '' for every other one."""
        provenance = self.provenance()
        return '' if provenance is None else rejection_of(provenance)

    def stamps(self) -> dict[str, list[int]]:
        """Header stamps in ns of every per-frame topic, in the order of recording."""
        found: dict[str, list[int]] = {}
        for connection, log_ns, cdr in self._recording.messages(PER_FRAME):
            stamp = log_ns if connection.topic == TF else header_of(cdr)[0]
            found.setdefault(connection.topic, []).append(stamp)
        return found

    def faults(self) -> tuple[Fault, ...]:
        """What is wrong with the recording. A clip of footage or an edited one need not have generated frames."""
        due = '/provenance' in self.counts or not {CONDITION_PROVENANCE, EDIT_PROVENANCE} & self.counts.keys()
        return compare_streams(self.stamps(), required_of(self.counts, generated=due and not self.rejection()))

    def clip(self, *, whole: bool = True) -> Clip:
        """The scene and its conditions at the camera's size.

        ``whole=False`` takes the instants that all topics of a damaged or killed recording have; otherwise a missing
        one raises :class:`EpisodeMismatch`.
        """
        stamps, columns = self._columns(_CLIP, whole)
        cloud = [decode.cloud(message) for message in columns['/condition/points']]
        tracks = [decode.tracks(message) for message in columns['/condition/tracks']]
        if any(not np.array_equal(rows['id'], cloud[0]['id']) for rows in cloud):
            raise EpisodeError(f'{self.folder}: /condition/points: expected the same ids in every frame, got others')
        rgb = cloud[0]['rgb']
        return Clip(
            stamps_ns=stamps, cameras=self._cameras(columns, '/camera/camera_info'),
            rgb=self._pictures(columns, '/camera/image'), depth_m=self._pictures(columns, '/condition/depth'),
            mask=self._pictures(columns, '/condition/mask'),
            points=np.stack([np.stack([rows[axis] for axis in 'xyz'], -1) for rows in cloud]),
            point_role=cloud[0]['role'].copy(), point_visible=np.stack([rows['visible'] > 0 for rows in cloud]),
            point_rgb=np.stack([rgb >> 16 & 255, rgb >> 8 & 255, rgb & 255], -1).astype(np.uint8),
            point_rgb_known=cloud[0]['known'] > 0, point_contact=np.stack([rows['contact'] > 0 for rows in cloud]),
            tracks=np.stack([points for points, _ in tracks]), track_visible=np.stack([seen for _, seen in tracks]),
            labels=tuple(map(decode.labels, columns[REFERENCE])))

    def generated(self, *, whole: bool = True) -> GeneratedClip | None:
        """The generated frames with their labels and provenance; None if the bag has no frame or no provenance."""
        provenance = self.provenance()
        if provenance is None or '/synth/image' not in self.counts:
            return None
        stamps, columns = self._columns(_GENERATED, whole)
        return GeneratedClip(
            stamps_ns=stamps, cameras=self._cameras(columns, '/synth/camera_info'),
            frames=self._pictures(columns, '/synth/image'),
            fidelity=decode.fidelity(columns['/synth/fidelity']),
            labels=tuple(map(decode.labels, columns['/synth/labels'])), provenance=provenance)

    def _columns(self, topics: tuple[str, ...], whole: bool) -> tuple[np.ndarray, dict[str, list[Any]]]:
        """The stamps [T] int64 that all ``topics`` have, rising, and each topic's messages at them."""
        found: dict[str, dict[int, Any]] = {topic: {} for topic in topics}
        repeated: dict[str, list[int]] = {topic: [] for topic in topics}
        for connection, _, cdr in self._recording.messages(topics):
            stamp = header_of(cdr)[0]
            repeated[connection.topic].append(stamp)
            found[connection.topic][stamp] = self._types.deserialize_cdr(cdr, connection.msgtype)
        if whole and (faults := compare_streams(repeated, topics)):
            raise EpisodeMismatch(self.folder, faults)
        stamps = sorted(set.intersection(*(set(messages) for messages in found.values())))
        if not stamps:
            raise EpisodeError(f'{self.folder}: expected one instant at least of {", ".join(topics)}; got none')
        return np.array(stamps), {topic: [messages[stamp] for stamp in stamps] for topic, messages in found.items()}

    @staticmethod
    def _pictures(columns: dict[str, list[Any]], topic: str) -> np.ndarray:
        return np.stack([decode.image(message) for message in columns[topic]])

    @staticmethod
    def _cameras(columns: dict[str, list[Any]], topic: str) -> tuple[Camera, ...]:
        return tuple(map(decode.camera, columns[topic], columns['/camera/pose']))
