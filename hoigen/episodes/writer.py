"""Writes one episode as one rosbag2 folder."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Collection, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from rosbags.interfaces import Connection
from rosbags.serde import SerdeError

from hoigen.episodes.bags import made_folder
from hoigen.episodes.errors import EpisodeError, EpisodeExists, EpisodeMismatch, EpisodeWriteFailed
from hoigen.episodes.storage import QOS, BagWriter, QosName
from hoigen.episodes.tf import SOURCES, TransformsOf
from hoigen.episodes.topics import PER_FRAME, REFERENCE, TF, compare_streams, in_bag, required_of
from hoigen.messages.definitions import typestore
from hoigen.messages.header import header_of
from hoigen.messages.topics import GENERATED, Topic

UNFINISHED = '.unfinished'
"""Ends the name of a hidden folder in which a bag is made; its maker holds a lock on it."""
_TF_TYPE = 'tf2_msgs/msg/TFMessage'


@dataclass(frozen=True)
class EpisodeSummary:
    """A closed bag: its folder, frames (stamps of the labels), messages by topic and size."""

    folder: Path
    frames: int
    counts: dict[str, int]
    size_bytes: int


class EpisodeWriter:
    """One rosbag2 MCAP folder, filled message by message from serialized (CDR) messages.

    A process that is killed leaves all but at most the last message of each topic (``recover`` makes a bag of it).
    Transforms (``tf``) are derived from ``camera/pose``, ``camera/camera_info`` and, of a simulated scene,
    ``mesh_frame``, one message for each frame. Not thread-safe: one thread writes and closes.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        if there := made_folder(self.folder):
            raise EpisodeExists(f'{there}: expected a new folder for an episode, got one that exists')
        self._types = typestore()
        self._stamps: dict[str, list[int]] = {}
        self._connections: dict[str, tuple[str, Connection]] = {}
        self._transforms = TransformsOf(self._types)
        try:
            self._bag = BagWriter(self.folder)
        except OSError as error:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise EpisodeWriteFailed(f'{self.folder}: cannot write: {error.strerror or error}') from error
        self._failure: EpisodeError | None = None
        self._summary: EpisodeSummary | None = None

    def write(self, topic: str, msgtype: str, stamp_ns: int, cdr: bytes | memoryview, qos: QosName = 'stream') -> None:
        """Append one message, logged at ``stamp_ns`` (scene time).

        ``qos``: how it was offered, ``stream`` (reliable, volatile) or ``latched`` (reliable, transient local).
        """
        if self._failure:
            raise self._failure
        if self._summary:
            raise EpisodeError(f'{self.folder}: expected an open episode to write {topic} to, got one that is closed')
        topic = in_bag(topic)
        if not 0 <= stamp_ns < 1 << 63:
            raise EpisodeError(f'{topic}: expected a stamp >= 0, got {stamp_ns} ns')
        stamp, ready = self._read(topic, cdr)
        self._append(topic, msgtype, stamp_ns, cdr, qos, stamp)
        self._write_transforms(ready)

    def close(self, *, made: Collection[Topic] = GENERATED) -> EpisodeSummary:
        """Finish the bag, then check the stamps of all per-frame topics against each other.

        ``made``: the topics of generated frames that are expected, see :func:`hoigen.episodes.topics.required_of`.
        Raises :class:`EpisodeMismatch` when they differ; the bag is complete and readable then, too.
        """
        if self._failure:
            raise self._failure
        if self._summary is None:
            self._finish()
        assert self._summary
        if faults := compare_streams(self._stamps, required_of(self._connections, made)):
            raise EpisodeMismatch(self.folder, faults)
        return self._summary

    def __enter__(self) -> EpisodeWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
        elif not self._failure and not self._summary:
            self._finish()

    def _read(self, topic: str, cdr: bytes | memoryview) -> tuple[int | None, list[tuple[int, Any]]]:
        """The header's stamp of a per-frame message, and the transforms that it completes."""
        if topic == TF:
            raise EpisodeError(f'{TF}: expected no message, transforms are derived from {SOURCES}')
        try:
            return (header_of(cdr)[0] if topic in PER_FRAME else None), self._transforms.add(topic, cdr)
        except (ValueError, SerdeError) as error:
            raise EpisodeError(f'{topic}: expected a readable message, got {error}') from error

    def _append(
        self, topic: str, msgtype: str, stamp_ns: int, cdr: bytes | memoryview, qos: QosName, stamp: int | None
    ) -> None:
        try:
            connection = self._connection(topic, msgtype, qos)
            self._bag.write(connection, stamp_ns, cdr)
        except OSError as error:
            self._fail(error)
        if stamp is not None:
            self._stamps.setdefault(topic, []).append(stamp)

    def _connection(self, topic: str, msgtype: str, qos: QosName) -> Connection:
        known = self._connections.get(topic)
        if known is None:
            if msgtype not in self._types.fielddefs:
                raise EpisodeError(f'{topic}: expected a message type with a known definition, got {msgtype!r}')
            connection = self._bag.add_connection(
                topic, msgtype, typestore=self._types, offered_qos_profiles=[QOS[qos]]
            )
            known = self._connections[topic] = (msgtype, connection)
        if known[0] != msgtype:
            raise EpisodeError(f'{topic}: expected {known[0]} as before, got {msgtype}')
        return known[1]

    def _write_transforms(self, ready: Iterable[tuple[int, Any]]) -> None:
        for stamp, message in ready:
            self._append(TF, _TF_TYPE, stamp, self._types.serialize_cdr(message, _TF_TYPE), 'stream', stamp)

    def _finish(self) -> None:
        self._write_transforms(self._transforms.rest())
        try:
            self._bag.flush()
            size = self._bag.bytes_written
            self._bag.close()
        except OSError as error:
            self._fail(error)
        counts = {topic: self._bag.counts[connection.id] for topic, (_, connection) in self._connections.items()}
        frames = len(set(self._stamps.get(REFERENCE, ())))
        self._summary = EpisodeSummary(self.folder, frames, counts, size)

    def _fail(self, error: OSError) -> None:
        whole = self._bag.close_after_error()
        messages = sum(self._bag.counts.values())
        kept = 'readable as a bag' if whole else 'readable after recovery, the index is missing'
        self._failure = EpisodeWriteFailed(
            f'{self.folder}: cannot write: {error.strerror or error}; the {messages} '
            f'messages written before stay {kept}'
        )
        raise self._failure from error


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """A new folder's path to make it at; it appears as ``folder`` when the block ends, or not at all.

    What processes that were killed left in its parent is removed. Raises :class:`EpisodeExists` if ``folder`` is there
    already and :class:`EpisodeWriteFailed` if the operating system refuses.
    """
    folder = Path(folder)
    if there := made_folder(folder):
        raise EpisodeExists(f'{there}: expected a new folder for a bag, got one that exists')
    unfinished, held = None, None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with closing(_Held(folder.parent, wait=True)):  # a folder that another is about to hold is no leftover
            _remove_leftovers(folder.parent)
            unfinished = Path(tempfile.mkdtemp(prefix=f'.{folder.name}.', suffix=UNFINISHED, dir=folder.parent))
            held = _Held(unfinished)
        yield unfinished / folder.name
        (unfinished / folder.name).rename(folder)
    except (OSError, EpisodeWriteFailed) as error:
        cause = error.__cause__ if isinstance(error, EpisodeWriteFailed) else error
        raise EpisodeWriteFailed(
            f'{folder}: cannot write: {getattr(cause, "strerror", None) or cause}; nothing of it '
            'is left, all else is as it was'
        ) from error
    finally:
        if unfinished is not None:
            shutil.rmtree(unfinished, ignore_errors=True)
        if held is not None:
            held.close()


def _remove_leftovers(parent: Path) -> None:
    """Remove the unfinished folders whose makers are dead."""
    for left in parent.glob(f'.*{UNFINISHED}'):
        with closing(_Held(left)) as held:
            if held.alone:
                shutil.rmtree(left, ignore_errors=True)


class _Held:
    """A lock on a folder until it is closed or its process ends; ``alone``: False if another holds it."""

    def __init__(self, folder: Path, *, wait: bool = False) -> None:
        self._descriptor = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            self.alone = True
        except OSError:  # held, or a file system without locks
            self.alone = False

    def close(self) -> None:
        os.close(self._descriptor)
