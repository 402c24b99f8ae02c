"""The files of a bag: their topics, and their messages in the order in which they were written, whatever is damaged.

Log times are no order: a recorder that keeps simulated time goes back with it. What cannot be read is left out, and a
:class:`Hole` stands where it was.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import NamedTuple, Protocol
from urllib.parse import quote

from mcap.data_stream import ReadDataStream
from mcap.reader import SeekingReader
from mcap.records import Channel, Chunk, ChunkIndex, Message, Schema
from mcap.stream_reader import StreamReader, breakup_chunk, get_chunk_data_stream
from rosbags.rosbag1 import Reader
from rosbags.rosbag1.reader import Header, RecordType, read_bytes, read_uint32


@dataclass(frozen=True)
class Topic:
    """Messages of one type under one name; ``count`` as the index says."""

    name: str
    msgtype: str
    count: int


class Stored(NamedTuple):
    """One serialized message."""

    topic: str
    log_ns: int
    raw: bytes


class Hole(NamedTuple):
    """Messages are missing here: ``why`` says what could not be read."""

    why: str


class StoredFile(Protocol):
    """One file. span_ns: log times of its first and last message, None if it has none."""

    topics: list[Topic]
    span_ns: tuple[int, int] | None

    def messages(self, names: Collection[str]) -> Iterator[Stored | Hole]:
        """The messages of these topics, in the order of the file."""


class McapFile:
    """MCAP, by its index where there is one."""

    def __init__(self, path: Path) -> None:
        self._file, self._size = path.open('rb'), path.stat().st_size
        summary = SeekingReader(self._file, record_size_limit=self._size).get_summary()
        self._chunks: list[ChunkIndex] = (
            [] if summary is None else sorted(summary.chunk_indexes, key=lambda index: index.chunk_start_offset)
        )
        if summary is not None and summary.statistics is not None and summary.channels and summary.schemas:
            told = summary.statistics
            self._add(summary.schemas, summary.channels, told.channel_message_counts)
            self.span_ns = (told.message_start_time, told.message_end_time) if told.message_count else None
        else:
            self._scan()

    def messages(self, names: Collection[str]) -> Iterator[Stored | Hole]:
        wanted = {channel: topic.name for channel, topic in self._channels.items() if topic.name in names}
        if not self._chunks:
            yield from self._from_front(wanted)
            return
        for index in self._chunks:
            if index.message_index_offsets and not wanted.keys() & index.message_index_offsets.keys():
                continue
            try:
                records = breakup_chunk(self._chunk(index))
            except Exception as error:  # whatever a decompressor makes of it
                yield Hole(f'a chunk of messages at byte {index.chunk_start_offset}: {_reason(error)}')
                continue
            for record in records:
                if isinstance(record, Message) and record.channel_id in wanted:
                    yield Stored(wanted[record.channel_id], record.log_time, record.data)

    def _from_front(self, wanted: dict[int, str]) -> Iterator[Stored | Hole]:
        records = self._records()
        while True:
            try:
                record = next(records, None)
            except Exception as error:
                yield Hole(f'the rest of the messages: {_reason(error)}')
                return
            if record is None:
                return
            if isinstance(record, Message) and record.channel_id in wanted:
                yield Stored(wanted[record.channel_id], record.log_time, record.data)

    def _chunk(self, index: ChunkIndex) -> Chunk:
        """A chunk, decompressed."""
        if index.chunk_start_offset + index.chunk_length > self._size:
            raise ValueError('it ends after the file')
        self._file.seek(index.chunk_start_offset)
        stream = ReadDataStream(BytesIO(self._file.read(index.chunk_length)))
        if stream.read1() != 6 or stream.read8() != index.chunk_length - 9:
            raise ValueError('there is none')
        chunk = Chunk.read(stream)
        unpacked, size = get_chunk_data_stream(chunk, validate_crc=True)
        if size != chunk.uncompressed_size:
            raise ValueError(f'expected {chunk.uncompressed_size} bytes in it, got {size}')
        return replace(chunk, data=unpacked.read(size), compression='')

    def _records(self) -> Iterator[object]:
        self._file.seek(0)
        return StreamReader(self._file, validate_crcs=True, record_size_limit=self._size).records

    def _scan(self) -> None:
        """Topics and counts of a file without an index."""
        schemas, channels, counts, times = dict[int, Schema](), dict[int, Channel](), dict[int, int](), list[int]()
        for record in self._records():
            if isinstance(record, Schema):
                schemas[record.id] = record
            elif isinstance(record, Channel):
                channels[record.id] = record
            elif isinstance(record, Message):
                counts[record.channel_id] = counts.get(record.channel_id, 0) + 1
                times = [min([record.log_time, *times]), max([record.log_time, *times])]
        self._add(schemas, channels, counts)
        self.span_ns = (times[0], times[1]) if times else None

    def _add(self, schemas: dict[int, Schema], channels: dict[int, Channel], counts: dict[int, int]) -> None:
        self._channels = {
            channel.id: Topic(channel.topic, schemas[channel.schema_id].name, counts.get(channel.id, 0))
            for channel in channels.values()
            if channel.message_encoding == 'cdr' and channel.schema_id in schemas
        }
        self.topics = list(self._channels.values())


class SqliteFile:
    """rosbag2's own storage."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(f'file:{quote(str(path))}?mode=ro&immutable=1', uri=True)
        self.topics = [
            Topic(*row)
            for row in self._db.execute(
                'SELECT name, type, (SELECT COUNT(*) FROM messages WHERE topic_id = topics.id) FROM topics '
                "WHERE serialization_format = 'cdr' ORDER BY id"
            )
        ]
        first, last = self._db.execute('SELECT MIN(timestamp), MAX(timestamp) FROM messages').fetchone()
        self.span_ns = None if first is None else (first, last)

    def messages(self, names: Collection[str]) -> Iterator[Stored | Hole]:
        marks = ','.join('?' * len(names))
        try:
            yield from (
                Stored(*row)
                for row in self._db.execute(
                    'SELECT topics.name, timestamp, data FROM messages JOIN topics ON topic_id = topics.id '
                    f'WHERE topics.name IN ({marks}) ORDER BY messages.id',
                    tuple(names),
                )
            )
        except sqlite3.Error as error:
            yield Hole(f'the rest of the messages: {_reason(error)}')


class Ros1File:
    """A ROS 1 bag."""

    def __init__(self, path: Path) -> None:
        self._reader = Reader(path)
        self._reader.open()
        self.topics = [Topic(name, info.msgtype or '', info.msgcount) for name, info in self._reader.topics.items()]
        known = any(info.connection_counts for info in self._reader.chunk_infos)
        self.span_ns = (self._reader.start_time, self._reader.end_time - 1) if known else None

    def messages(self, names: Collection[str]) -> Iterator[Stored | Hole]:
        wanted = {
            connection.id: connection.topic for connection in self._reader.connections if connection.topic in names
        }
        for info in sorted(self._reader.chunk_infos, key=lambda info: info.pos):
            if not wanted.keys() & info.connection_counts.keys():
                continue
            try:
                found = list(self._chunk(info.pos, wanted))
            except Exception as error:  # whatever a decompressor makes of it
                yield Hole(f'a chunk of messages at byte {info.pos}: {_reason(error)}')
                continue
            yield from found

    def _chunk(self, position: int, wanted: dict[int, str]) -> Iterator[Stored]:
        chunk, file = self._reader.chunks[position], self._reader.bio
        assert file is not None
        file.seek(chunk.datapos)
        data = chunk.decompressor(read_bytes(file, chunk.datasize))
        records = BytesIO(data)
        while records.tell() < len(data):
            header = Header.read(records)
            raw = read_bytes(records, read_uint32(records))
            if header.get_uint8('op') == RecordType.MSGDATA and header.get_uint32('conn') in wanted:
                yield Stored(wanted[header.get_uint32('conn')], header.get_time('time'), raw)


OPENERS: dict[str, Callable[[Path], StoredFile]] = {'.mcap': McapFile, '.db3': SqliteFile, '.bag': Ros1File}
"""What opens a file, by the ending of its name."""


def _reason(error: Exception) -> str:
    """What an error says, in one line."""
    return ' '.join(str(error).split()) or type(error).__name__
