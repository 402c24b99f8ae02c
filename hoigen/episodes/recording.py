"""Raw access to a recording, whole or not: topics, and serialized messages one after the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Protocol
from zlib import crc32

import yaml
from mcap.reader import SeekingReader
from mcap.records import Channel, Chunk, DataEnd, Message, Schema
from mcap.stream_reader import StreamReader, breakup_chunk
from mcap.writer import MCAP0_MAGIC
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from hoigen.episodes.bags import mcap_files
from hoigen.episodes.errors import EpisodeDamaged
from hoigen.episodes.storage import FOOTER_BYTES, SCHEMA

_NOT_CLOSED = 'the recording was not closed'
_RECORD_LIMIT = 1 << 30  # a torn file's length field may say anything
_DATA_END = b'\x0f\x04\0\0\0\0\0\0\0'
_BLOCK = 1 << 22
_YAML = getattr(yaml, 'CSafeLoader', yaml.SafeLoader)  # the C one where it was built: ten times as fast


class _ChunkDamaged(Exception):
    """A chunk's bytes are not those that were written; the next one's may be."""


@dataclass(frozen=True)
class Topic:
    """What a bag says of one topic. definition: of the message type, in ``encoding`` (ros2msg or ros2idl); qos: the
    profiles offered, as text; schema_version: of the episode, '' if unknown; count: its messages."""

    name: str
    msgtype: str
    encoding: str
    definition: str
    qos: str
    schema_version: str
    count: int


class RawMessage(NamedTuple):
    """One serialized message; ``log_ns`` is the stamp under which it was recorded."""

    topic: Topic
    log_ns: int
    cdr: bytes


class Recording(Protocol):
    """A bag's topics and messages. damage: why the bag is not whole; '' if it is."""

    damage: str
    topics: list[Topic]

    def messages(self, names: Collection[str] = ()) -> Iterator[RawMessage]:
        """The messages of the topics of those names (none: of all), each topic's in the order of recording."""

    def close(self) -> None: ...


class _Whole:
    """A bag that was closed: every checksum and every count was found right before anything of it is given."""

    damage = ''

    def __init__(self, path: Path, files: Sequence[Path]) -> None:
        self._path, self._files = path, ExitStack()
        try:
            self._readers = [
                SeekingReader(self._files.enter_context(file.open('rb')), validate_crcs=True) for file in files
            ]
            found: dict[str, Topic] = {}
            for file, reader in zip(files, self._readers, strict=True):
                for topic in _topics(reader, file, counted=not _check_sums(file)):
                    before = found.setdefault(topic.name, replace(topic, count=0))
                    found[topic.name] = replace(before, count=before.count + topic.count)
            if path.is_dir():
                _check_metadata(path, {topic.name: topic.count for topic in found.values()})
        except BaseException:
            self.close()
            raise
        self._found, self.topics = found, list(found.values())

    def messages(self, names: Collection[str] = ()) -> Iterator[RawMessage]:
        wanted = [topic for topic in self.topics if not names or topic.name in names]
        counts: Counter[str] = Counter()
        try:
            for reader in self._readers:
                for _, channel, message in reader.iter_messages([topic.name for topic in wanted]):
                    counts[channel.topic] += 1
                    yield RawMessage(self._found[channel.topic], message.log_time, message.data)
        except MemoryError:
            raise
        except Exception as error:  # whatever bytes make of it
            raise EpisodeDamaged(
                f'{self._path}: expected readable messages, got damaged ones ({error}); hoigen recover {self._path}'
            ) from error
        for topic in wanted:
            if counts[topic.name] != topic.count:
                raise EpisodeDamaged(
                    f'{self._path}: {topic.name}: expected {topic.count} messages, got '
                    f'{counts[topic.name]}; hoigen recover {self._path}'
                )

    def close(self) -> None:
        self._files.close()


class _Damaged:
    """A bag whose writer died, or that lost or changed bytes: its whole chunks, found by reading from the front."""

    def __init__(self, files: Sequence[Path], damage: str) -> None:
        self._files, self.damage = files, damage
        found: dict[str, Topic] = {}
        counts: Counter[str] = Counter()
        for message in self.messages():
            found.setdefault(message.topic.name, message.topic)
            counts[message.topic.name] += 1
        self.topics = [replace(topic, count=counts[topic.name]) for topic in found.values()]

    def messages(self, names: Collection[str] = ()) -> Iterator[RawMessage]:
        for file in self._files:
            schemas: dict[int, Schema] = {}
            topics: dict[int, Topic] = {}
            for record in _whole_records(file):
                if isinstance(record, Schema):
                    schemas[record.id] = record
                elif isinstance(record, Channel) and record.schema_id in schemas:
                    topics[record.id] = _topic(record, schemas[record.schema_id])
                elif isinstance(record, Message) and record.channel_id in topics:
                    topic = topics[record.channel_id]
                    if not names or topic.name in names:
                        yield RawMessage(topic, record.log_time, record.data)

    def close(self) -> None:
        pass


def open_recording(path: Path) -> Recording:
    """Open a bag, a rosbag2 folder or its .mcap file; one that is not whole is read from the front, chunk by chunk."""
    files = mcap_files(path)
    try:
        if path.is_dir() and not (path / 'metadata.yaml').is_file():
            raise EpisodeDamaged(_NOT_CLOSED)
        return _Whole(path, files)
    except MemoryError:
        raise
    except Exception as error:  # whatever bytes make of it
        return _Damaged(files, str(error) if isinstance(error, EpisodeDamaged) else 'its index cannot be read')


def schema_version_of(recording: Recording) -> str:
    """The schema version of an episode's bag, '' if it has none; of a bag that mixes several, all of them."""
    return ', '.join(sorted({topic.schema_version for topic in recording.topics}))


def types_of(recording: Recording) -> Typestore:
    """ROS 2's common types and what the bag itself defines, as far as that can be read."""
    store = get_typestore(Stores.ROS2_KILTED)
    for topic in recording.topics:
        with suppress(Exception):  # whatever bytes make of it; only a topic that is read needs its type
            found = get_types_from_msg(topic.definition, topic.msgtype) if topic.encoding == 'ros2msg' else {}
            store.register({name: fields for name, fields in found.items() if name not in store.fielddefs})
    return store


def _topics(reader: SeekingReader, file: Path, *, counted: bool) -> list[Topic]:
    """The topics of a file as its index says; ``counted``: hold their counts against the messages that are there."""
    summary = reader.get_summary()
    if summary is None or summary.statistics is None:
        raise EpisodeDamaged('its index is missing')
    said = summary.statistics.channel_message_counts
    if counted:
        there = Counter(record.channel_id for record in _whole_records(file) if isinstance(record, Message))
        for channel in summary.channels.values():
            if there[channel.id] != said.get(channel.id, 0):
                raise EpisodeDamaged(
                    f'{channel.topic}: expected {said.get(channel.id, 0)} messages, as its index '
                    f'says, got {there[channel.id]}'
                )
    return [
        replace(_topic(channel, summary.schemas[channel.schema_id]), count=said.get(channel.id, 0))
        for channel in summary.channels.values()
    ]


def _topic(channel: Channel, schema: Schema) -> Topic:
    return Topic(
        channel.topic,
        schema.name,
        schema.encoding,
        schema.data.decode(errors='replace'),
        channel.metadata.get('offered_qos_profiles', ''),
        channel.metadata.get(SCHEMA, ''),
        0,
    )


def _check_sums(file: Path) -> bool:
    """Compare the checksums of an MCAP file's data and summary with its bytes; False where it carries none.

    Raises EpisodeDamaged for a file without an end and for one that is not what was written.
    """
    size, tail = file.stat().st_size, FOOTER_BYTES + len(MCAP0_MAGIC)
    with file.open('rb') as stream:
        stream.seek(max(0, size - tail))
        end = stream.read()
        if len(end) != tail or not end.endswith(MCAP0_MAGIC):
            raise EpisodeDamaged(f'{_NOT_CLOSED}, or it lost its end')
        start = int.from_bytes(end[9:17], 'little')
        if not len(_DATA_END) + 4 <= start <= size - tail:
            raise EpisodeDamaged('its index is not where its end says')
        stream.seek(0)
        data = _crc(stream, start - len(_DATA_END) - 4)
        mark, told = stream.read(len(_DATA_END)), int.from_bytes(stream.read(4), 'little')
        summary = _crc(stream, size - start - 4 - len(MCAP0_MAGIC))
        told_summary = int.from_bytes(stream.read(4), 'little')
    if mark != _DATA_END:
        raise EpisodeDamaged('its index is not where its end says: bytes were lost or added')
    if (told and data != told) or (told_summary and summary != told_summary):
        raise EpisodeDamaged('its bytes are not those that were written: a checksum differs')
    return bool(told and told_summary)


def _crc(stream: BinaryIO, length: int) -> int:
    found = 0
    while length > 0:
        block = stream.read(min(length, _BLOCK))
        if not block:
            break
        found, length = crc32(block, found), length - len(block)
    return found


def _check_metadata(folder: Path, counts: dict[str, int]) -> None:
    """metadata.yaml says what the files hold."""
    try:
        said = yaml.load((folder / 'metadata.yaml').read_bytes(), _YAML)['rosbag2_bagfile_information']
        told = {topic['topic_metadata']['name']: topic['message_count'] for topic in said['topics_with_message_count']}
    except Exception as error:  # whatever bytes make of it
        raise EpisodeDamaged('its metadata.yaml cannot be read') from error
    for topic in sorted(told.keys() | counts.keys()):
        if told.get(topic, 0) != counts.get(topic, 0):
            raise EpisodeDamaged(
                f'{topic}: expected {told.get(topic, 0)} messages, as metadata.yaml says, got {counts.get(topic, 0)}'
            )


def _whole_records(file: Path) -> Iterator[Any]:
    """The records of an MCAP file's data and of its chunks as far as it can be read; damaged chunks are left out."""
    size = file.stat().st_size
    with file.open('rb') as stream:
        records = StreamReader(stream, emit_chunks=True, record_size_limit=min(size, _RECORD_LIMIT)).records
        while True:
            try:
                record = next(records)
                if isinstance(record, DataEnd):
                    return
                inside = _inside(record) if isinstance(record, Chunk) else [record]
            except _ChunkDamaged:
                continue
            except Exception:  # whatever bytes make of it: what came before has been given
                return
            yield from inside


def _inside(chunk: Chunk) -> list[Any]:
    """The records of a chunk; its checksum, where it has one, and its size are right."""
    short = not chunk.compression and len(chunk.data) != chunk.uncompressed_size
    if short or chunk.uncompressed_size > _RECORD_LIMIT:
        raise _ChunkDamaged
    try:
        return breakup_chunk(chunk, validate_crc=True)
    except Exception as error:  # whatever bytes make of it
        raise _ChunkDamaged from error
