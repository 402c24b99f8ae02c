"""Reads an episode's bag back as arrays and records, also one whose recording was killed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from hoigen.episodes.errors import EpisodeDamaged, EpisodeError, EpisodeMismatch
from hoigen.episodes.recording import RawMessage, open_recording, schema_version_of, types_of
from hoigen.episodes.storage import SCHEMA_VERSION
from hoigen.episodes.topics import (
    CONDITION_IMAGES,
    CONDITION_PROVENANCE,
    EDIT_IMAGE,
    EDIT_MASK,
    EDIT_PROVENANCE,
    EPISODE_STATUS,
    MESH_ASSETS,
    PER_FRAME,
    REFERENCE,
    TF,
    Fault,
    compare_streams,
    in_bag,
    required_of,
)
from hoigen.messages import decode, topics
from hoigen.messages.header import header_of
from hoigen.messages.topics import Topic
from hoigen.provenance import provenance_from_json
from hoigen.records import (
    Clip,
    ConditionImages,
    EditedClip,
    Episode,
    EpisodeState,
    EpisodeStatus,
    GeneratedClip,
    Labels,
    MeshAsset,
    MeshFrame,
    Provenance,
)

_CLIP = tuple(in_bag(topic.name) for topic in (topics.LABELS, *topics.CLIP_PARTS))
_EDITED = tuple(in_bag(topic.name) for topic in topics.EDITED)
_AFTER_EDIT = {'edit/image': 'camera/image'} | {
    f'edit/{name}': name for name in (topics.LABELS.name, *(topic.name for topic in topics.CONDITIONS))
}
"""The topics of a clip that an edit changes: as they are after it, and as they were."""


class EpisodeReader:
    """One episode's bag, its folder or .mcap file; topics may be named as in the graph (``camera/image``) or as in the
    bag (``/camera/image``).

    Raises :class:`EpisodeError` for a bag of another episode schema version, or of none.
    ``damage`` says why the bag is not whole, '' if it is, and ``complete`` whether it is: closed, and nothing of it
    lost or changed. What is readable of another one is given all the same. Messages are read one at a time: only what a
    method returns is held in memory. They are decoded by :mod:`hoigen.messages`, as in the graph; every error names the
    bag: :class:`EpisodeDamaged` for bytes that are no message, :class:`EpisodeError` for a message that is refused.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self._recording = open_recording(self.folder)
        version = schema_version_of(self._recording)
        ours = version == SCHEMA_VERSION or (self._recording.damage and SCHEMA_VERSION in version.split(', '))
        if self._recording.topics and not ours:  # of a damaged bag a topic's own may be what is damaged
            self._recording.close()
            raise EpisodeError(
                f'{self.folder}: episode schema version: expected {SCHEMA_VERSION}, got {version or "none"}: read it '
                'with the version of hoigen that recorded it; make clips of what another program recorded: '
                f'hoigen extract {self.folder}'
            )
        self._types = types_of(self._recording)
        self.damage = self._recording.damage
        self.counts = {topic.name: topic.count for topic in self._recording.topics}
        self.msgtypes = {topic.name: topic.msgtype for topic in self._recording.topics}

    @property
    def complete(self) -> bool:
        return not self.damage

    def require_whole(self) -> None:
        """Raise :class:`EpisodeDamaged` for a bag that is not complete."""
        if self.damage:
            raise EpisodeDamaged(
                f'{self.folder}: expected a finished bag that is whole, got another: '
                f'{self.damage}; hoigen recover {self.folder} keeps what is readable'
            )

    def __enter__(self) -> EpisodeReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._recording.close()

    def messages(self, topic: str) -> Iterator[tuple[int, Any]]:
        """(log stamp in ns, message as rosbags deserializes it) of one topic, in the order of recording."""
        for message in self._recording.messages([in_bag(topic)]):
            yield message.log_ns, self._message(message)

    def images(self, topic: str) -> Iterator[tuple[int, np.ndarray]]:
        """(header stamp in ns, pixels) of an image topic, as :mod:`hoigen.messages` reads depth, masks and colour."""
        topic = in_bag(topic)
        kinds: dict[str, Callable[..., np.ndarray]] = {
            'depth': partial(decode.depth, far=topic != '/camera/depth'),
            'mask': decode.mask,
        }
        read = kinds.get(topic.rpartition('/')[2], decode.rgb)
        if topic == EDIT_MASK:  # of the object alone, 0 or 255: no role codes
            read = partial(decode.picture, encodings=('mono8',))
        for _, message in self.messages(topic):
            with self._decoding():
                pixels = read(message, name=topic)
            yield decode.stamp_ns(message.header), pixels

    def labels(self, topic: str = REFERENCE) -> dict[int, Labels]:
        """Of every frame, by header stamp in ns."""
        with self._decoding():
            return {decode.stamp_ns(message.header): decode.labels(message) for _, message in self.messages(topic)}

    def assets(self, topic: str = MESH_ASSETS) -> tuple[MeshAsset, ...]:
        """The episode's mesh table, or that of what was put in (``edit/mesh_assets``); empty if none was recorded."""
        with self._decoding():
            return tuple(asset for _, message in self.messages(topic) for asset in decode.assets(message))

    def mesh_frames(self) -> dict[int, tuple[dict[str, np.ndarray], dict[str, np.ndarray]]]:
        """Poses and world vertices by asset id, see :func:`decode.mesh_frame`, by header stamp in ns."""
        with self._decoding():
            return {
                decode.stamp_ns(message.header): decode.mesh_frame(message)
                for _, message in self.messages('/mesh_frame')
            }

    def provenance(self, topic: str = '/provenance') -> Provenance | None:
        """How the generated frames were made, or the conditions (``condition/provenance``); None if nobody told."""
        with self._decoding():
            texts = [message.data for _, message in self.messages(topic)]
            return provenance_from_json(texts[-1]) if texts else None

    def condition_images(self) -> ConditionImages:
        """Small images of what the generator read; empty if none were recorded."""
        with self._decoding():
            found = [decode.condition_images(message) for _, message in self.messages(CONDITION_IMAGES)]
            return found[-1] if found else {}

    def status(self) -> EpisodeStatus | None:
        """What became of the episode, by the node that made its frames; None if none reported."""
        with self._decoding():
            statuses = [decode.episode_status(message) for _, message in self.messages(EPISODE_STATUS)]
            return statuses[-1] if statuses else None

    def rejection(self) -> str:
        """Why the episode's frames may not be kept, where their fidelity was too low; '' for every other one."""
        status = self.status()
        return status.reason if status is not None and status.state is EpisodeState.REJECTED else ''

    def stamps(self) -> dict[str, list[int]]:
        """Header stamps in ns of every per-frame topic, in the order of recording."""
        found: dict[str, list[int]] = {}
        for message in self._recording.messages(PER_FRAME):
            stamp = message.log_ns if message.topic.name == TF else self._stamp(message)
            found.setdefault(message.topic.name, []).append(stamp)
        return found

    def faults(self) -> tuple[Fault, ...]:
        """What is wrong with the recording. Of conditions alone or an edit no generated frames are expected."""
        due = '/provenance' in self.counts or not {CONDITION_PROVENANCE, EDIT_PROVENANCE} & self.counts.keys()
        made = topics.REJECTED if self.rejection() else topics.GENERATED if due else ()
        return compare_streams(self.stamps(), required_of(self.counts, made))

    def clip(self, *, whole: bool = True) -> Clip:
        """The scene and its conditions at the camera's size.

        ``whole=False`` takes the instants that all topics of a damaged or killed recording have; otherwise a missing
        one raises :class:`EpisodeMismatch`.
        """
        with self._decoding():
            return decode.clip(self._columns(_CLIP, whole))

    def generated(self, *, whole: bool = True) -> GeneratedClip | None:
        """The generated frames with their labels and provenance; None if the bag has no frame or no provenance."""
        return self._made(topics.GENERATED, whole)

    def rejected(self, *, whole: bool = True) -> GeneratedClip | None:
        """The same of the frames that may not be kept."""
        return self._made(topics.REJECTED, whole)

    def _made(self, parts: tuple[Topic, ...], whole: bool) -> GeneratedClip | None:
        provenance = self.provenance()
        if provenance is None or in_bag(parts[0].name) not in self.counts:
            return None
        columns = self._columns(tuple(in_bag(topic.name) for topic in (*parts, topics.CAMERA_POSE)), whole)
        with self._decoding():
            return decode.generated(
                {name.replace('rejected/', 'synth/'): column for name, column in columns.items()}, provenance
            )

    def edited(self, *, whole: bool = True) -> EditedClip | None:
        """The edited frames; None if the bag has no frame or no provenance of them."""
        provenance = self.provenance(EDIT_PROVENANCE)
        if provenance is None or EDIT_IMAGE not in self.counts:
            return None
        found = self._columns(tuple(topic for topic in _EDITED if topic in self.counts), whole)
        with self._decoding():
            rows = [dict(zip(found, row, strict=True)) for row in zip(*found.values(), strict=True)]
            frames = tuple(map(decode.edited, rows))
            return EditedClip(frames, provenance, self._after_edit(whole), self.assets(topics.EDIT_MESH_ASSETS.name))

    def _after_edit(self, whole: bool) -> Clip | None:
        """The clip as it is after an edit; None where its conditions were not made anew."""
        names = (topics.CAMERA_INFO.name, topics.CAMERA_POSE.name, *_AFTER_EDIT)
        if not {in_bag(name) for name in names} <= self.counts.keys():
            return None
        found = self._columns(tuple(map(in_bag, names)), whole)
        return decode.clip({_AFTER_EDIT.get(name, name): column for name, column in found.items()})

    def episode(self) -> Episode:
        """All of a whole bag: the scene with its conditions and meshes, and what was made of it."""
        self.require_whole()
        clip = self.clip()
        stamps, placed = clip.stamps_ns.tolist(), self.mesh_frames()
        depth = dict(self.images('/camera/depth')) if '/camera/depth' in self.counts else {}
        read = self.condition_images()  # of a bag that was cut those of all frames
        with self._decoding():
            return Episode(
                clip,
                self.provenance(CONDITION_PROVENANCE),
                self.assets(),
                tuple(MeshFrame(*placed[stamp]) for stamp in stamps if stamp in placed),
                np.stack([depth[stamp] for stamp in stamps if stamp in depth]) if depth else None,
                self.generated(),
                self.rejected(),
                self.edited(),
                self.status(),
                {name: {at: files[at] for at in stamps if at in files} for name, files in read.items()},
            )

    def scene(self) -> Episode:
        """The scene alone of a whole bag, from which something may be made, see :meth:`Episode.scene`."""
        with self._decoding():
            return self.episode().scene()

    def _columns(self, topics: tuple[str, ...], whole: bool) -> dict[str, list[Any]]:
        """The messages of ``topics`` by topic, as the graph names it, at the stamps that all have, rising."""
        found: dict[str, dict[int, Any]] = {topic: {} for topic in topics}
        repeated: dict[str, list[int]] = {topic: [] for topic in topics}
        for message in self._recording.messages(topics):
            stamp = self._stamp(message)
            repeated[message.topic.name].append(stamp)
            found[message.topic.name][stamp] = self._message(message)
        if whole and (faults := compare_streams(repeated, topics)):
            raise EpisodeMismatch(self.folder, faults)
        stamps = sorted(set.intersection(*(set(messages) for messages in found.values())))
        if not stamps:
            raise EpisodeError(f'{self.folder}: expected one instant at least of {", ".join(topics)}; got none')
        return {topic.strip('/'): [messages[stamp] for stamp in stamps] for topic, messages in found.items()}

    def _message(self, raw: RawMessage) -> Any:
        try:
            return self._types.deserialize_cdr(raw.cdr, raw.topic.msgtype)
        except Exception as error:  # whatever bytes make of it
            raise self._unreadable(raw, error) from error

    def _stamp(self, raw: RawMessage) -> int:
        try:
            return header_of(raw.cdr)[0]
        except ValueError as error:
            raise self._unreadable(raw, error) from error

    def _unreadable(self, raw: RawMessage, error: Exception) -> EpisodeDamaged:
        return EpisodeDamaged(
            f'{self.folder}: {raw.topic.name}: expected a {raw.topic.msgtype}, got bytes that are none ({error})'
        )

    @contextmanager
    def _decoding(self) -> Iterator[None]:
        """Name the bag in what :mod:`hoigen.messages.decode` and the records refuse."""
        try:
            yield
        except ValueError as error:
            raise EpisodeError(f'{self.folder}: {error}') from error
