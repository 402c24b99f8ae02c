"""Raw access to a recording, finished or not: connections, and serialized messages one after the other."""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

from mcap.exceptions import McapError
from mcap.records import Channel, Message, Schema
from mcap.stream_reader import StreamReader
from rosbags.interfaces import Connection, ConnectionExtRosbag2, MessageDefinition, MessageDefinitionFormat
from rosbags.rosbag2 import Reader, ReaderError
from rosbags.rosbag2.metadata import parse_qos
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from hoigen.episodes.errors import EpisodeDamaged

__all__ = ['RawMessage', 'Recording', 'open_recording', 'types_of']

_RECORD_LIMIT = 1 << 30  # a torn file's length field may say anything
_DAMAGE = (McapError, ReaderError, ValueError, KeyError, struct.error, EOFError, OSError, MemoryError)


class RawMessage(NamedTuple):
    """One serialized message; ``log_ns`` is the stamp under which it was recorded."""

    connection: Connection
    log_ns: int
    cdr: bytes


class Recording(Protocol):
    """A bag's connections (with counts and embedded definitions) and messages."""

    complete: bool
    connections: list[Connection]

    def messages(self, topics: Collection[str] = ()) -> Iterator[RawMessage]:
        """The messages of ``topics`` (none named: all), each topic's in the order of recording."""

    def close(self) -> None: ...


class _Finished:
    """A bag that was closed, with its metadata and index."""

    complete = True

    def __init__(self, folder: Path) -> None:
        self._reader = Reader(folder)
        self._reader.open()
        self.connections = list(self._reader.connections)

    def messages(self, topics: Collection[str] = ()) -> Iterator[RawMessage]:
        wanted = [c for c in self.connections if not topics or c.topic in topics]
        if wanted:
            yield from map(RawMessage._make, self._reader.messages(wanted))

    def close(self) -> None:
        self._reader.close()


class _Unfinished:
    """A bag whose writer died: its whole chunks, found by reading from the front."""

    complete = False

    def __init__(self, folder: Path) -> None:
        self._files = sorted(folder.glob('*.mcap'))
        if not self._files:
            raise EpisodeDamaged(f'{folder}: expected a rosbag2 folder with an .mcap file, got none')
        counts: dict[str, int] = {}
        found: dict[str, Connection] = {}
        for message in self.messages():
            topic = message.connection.topic
            found.setdefault(topic, message.connection)
            counts[topic] = counts.get(topic, 0) + 1
        self.connections = [c._replace(id=n + 1, msgcount=counts[c.topic]) for n, c in enumerate(found.values())]

    def messages(self, topics: Collection[str] = ()) -> Iterator[RawMessage]:
        for path in self._files:
            try:
                yield from self._scan(path, topics)
            except _DAMAGE:
                continue  # the torn end of the file: what came before it has been given

    def _scan(self, path: Path, topics: Collection[str]) -> Iterator[RawMessage]:
        schemas: dict[int, Schema] = {}
        connections: dict[int, Connection] = {}
        with path.open('rb') as file:
            for record in StreamReader(file, record_size_limit=_RECORD_LIMIT).records:
                if isinstance(record, Schema):
                    schemas[record.id] = record
                elif isinstance(record, Channel):
                    connections[record.id] = self._connection(record, schemas[record.schema_id])
                elif isinstance(record, Message):
                    connection = connections[record.channel_id]
                    if not topics or connection.topic in topics:
                        yield RawMessage(connection, record.log_time, record.data)

    def _connection(self, channel: Channel, schema: Schema) -> Connection:
        kind = MessageDefinitionFormat.MSG if schema.encoding == 'ros2msg' else MessageDefinitionFormat.IDL
        qos = parse_qos(channel.metadata.get('offered_qos_profiles', ''))
        definition = MessageDefinition(kind, schema.data.decode())
        return Connection(channel.id, channel.topic, schema.name, definition, '', 0,
                          ConnectionExtRosbag2(channel.message_encoding, qos), self)

    def close(self) -> None:
        pass


def open_recording(folder: Path) -> Recording:
    """Open a rosbag2 folder; one that was never closed, or lost its end, is read from the front as far as it goes."""
    if not folder.is_dir():
        raise EpisodeDamaged(f'{folder}: expected a rosbag2 folder, got {"a file" if folder.exists() else "nothing"}')
    try:
        return _Finished(folder)
    except _DAMAGE:
        return _Unfinished(folder)


def types_of(connections: Collection[Connection]) -> Typestore:
    """ROS 2's common types and what the bag itself defines."""
    store = get_typestore(Stores.ROS2_KILTED)
    for connection in connections:
        if connection.msgdef.format is MessageDefinitionFormat.MSG:
            found = get_types_from_msg(connection.msgdef.data, connection.msgtype)
            store.register({name: fields for name, fields in found.items() if name not in store.fielddefs})
    return store
