"""The MCAP file of a bag: small chunks that reach the operating system at once, checksums, compression where it pays.

rosbags' own storage closes a chunk after 1 MiB, leaves the end of it in a buffer of the process and writes no
checksums. Here a chunk holds at most one message of a topic and at most 768 KiB (or a single longer message), and is
handed to the operating system when it is closed: a process that is killed loses at most one message of each topic, and
a write that fails takes nothing of what was written before with it. Every byte is under a CRC-32: of its chunk, of the
data section and of the summary. Definitions, index and metadata.yaml are as rosbags writes them.

mcap's public writer loses no more to a kill, but cannot take back a chunk that a full disk refused: its index and
counts then name messages that are not there. It also compresses what does not shrink.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Literal
from zlib import crc32

import zstandard
from mcap.data_stream import RecordBuilder
from mcap.opcode import Opcode
from mcap.records import (
    Channel,
    Chunk,
    ChunkIndex,
    DataEnd,
    Footer,
    Header,
    McapRecord,
    Message,
    MessageIndex,
    Metadata,
    MetadataIndex,
    Schema,
    Statistics,
    SummaryOffset,
)
from mcap.writer import LIBRARY_IDENTIFIER, MCAP0_MAGIC
from rosbags.interfaces import (
    Connection,
    ConnectionExtRosbag2,
    MessageDefinitionFormat,
    Qos,
    QosDurability,
    QosHistory,
    QosLiveliness,
    QosReliability,
    QosTime,
)
from rosbags.rosbag2 import StoragePlugin, Writer

__all__ = ['CHUNK_BYTES', 'FOOTER_BYTES', 'QOS', 'SCHEMA', 'SCHEMA_VERSION', 'BagWriter', 'QosName']

SCHEMA_VERSION = '7'
"""Of an episode's topics and messages: raise it with every change of msg/ or of what a topic means."""
SCHEMA = 'hoigen_episode_schema_version'
"""Where a bag holds it: in the metadata of each MCAP channel, which a killed recording has too, and in metadata.yaml's
custom_data."""

CHUNK_BYTES = 768 * 1024
FOOTER_BYTES = 9 + 20
"""Length of the footer record, before the magic that ends the file."""
PAYS = 0.9
"""A chunk is stored compressed where that makes it smaller than this fraction of it."""
ZSTD_LEVEL = 1
_MESSAGE_HEAD = 9 + 22  # opcode, length; channel, sequence and two times of a message record

QosName = Literal['stream', 'latched']


def _qos(depth: int, durability: QosDurability) -> Qos:
    for_ever = QosTime(9223372036, 854775807)
    return Qos(
        QosHistory.KEEP_LAST,
        depth,
        QosReliability.RELIABLE,
        durability,
        for_ever,
        for_ever,
        QosLiveliness.AUTOMATIC,
        for_ever,
        False,
    )


QOS: Mapping[QosName, Qos] = {
    'stream': _qos(100, QosDurability.VOLATILE),
    'latched': _qos(1, QosDurability.TRANSIENT_LOCAL),
}


class _File:
    """Appends to a new file without a buffer; what cannot be written whole leaves no trace in it."""

    def __init__(self, path: Path) -> None:
        self._raw = path.open('xb', buffering=0)
        self.size, self.crc = 0, 0

    def append(self, data: bytes) -> None:
        left = memoryview(data)
        try:
            while left:
                left = left[self._raw.write(left) :]
        except OSError:
            os.ftruncate(self._raw.fileno(), self.size)
            self._raw.seek(self.size)
            raise
        self.size, self.crc = self.size + len(data), crc32(data, self.crc)

    def close(self) -> None:
        self._raw.close()


class _CheckedMcap:
    """A storage of rosbags' bag writer (MCAP); ``counts``: messages that are written or pending, by connection id."""

    def __init__(self, path: Path, compression: object, schema_version: str) -> None:
        self.path = path / f'{path.name}.mcap'
        self._about = {SCHEMA: schema_version} if schema_version else {}
        self.counts: dict[int, int] = {}
        self._file, self._zstd = _File(self.path), zstandard.ZstdCompressor(level=ZSTD_LEVEL)
        self._schemas: dict[str, Schema] = {}
        self._channels: list[Channel] = []
        self._chunks: list[ChunkIndex] = []
        self._records, self._indexes = RecordBuilder(), dict[int, MessageIndex]()
        self._file.append(MCAP0_MAGIC + _bytes(Header('ros2', f'hoigen {LIBRARY_IDENTIFIER}')))

    @property
    def size(self) -> int:
        return self._file.size

    def add_msgtype(self, connection: Connection) -> None:
        encoding = 'ros2msg' if connection.msgdef.format is MessageDefinitionFormat.MSG else 'ros2idl'
        schema = Schema(len(self._schemas) + 1, connection.msgdef.data.encode(), encoding, connection.msgtype)
        self._file.append(_bytes(schema))  # not in a chunk, whose loss would cost all later messages of the type
        self._schemas[connection.msgtype] = schema

    def add_connection(self, connection: Connection, offered_qos_profiles: str) -> None:
        assert isinstance(connection.ext, ConnectionExtRosbag2)
        channel = Channel(
            connection.id,
            connection.topic,
            connection.ext.serialization_format,
            {'offered_qos_profiles': offered_qos_profiles} | self._about,
            self._schemas[connection.msgtype].id,
        )
        self._file.append(_bytes(channel))
        self._channels.append(channel)
        self.counts[connection.id] = 0

    def write(self, connection: Connection, timestamp: int, data: bytes | memoryview) -> None:
        size = self._records.count + len(data) + _MESSAGE_HEAD
        if connection.id in self._indexes or (self._indexes and size > CHUNK_BYTES):
            self.flush()
        self._indexes[connection.id] = MessageIndex(connection.id, [(timestamp, self._records.count)])
        Message(connection.id, timestamp, data, timestamp, 0).write(self._records)  # type: ignore[arg-type]
        self.counts[connection.id] += 1
        if self._records.count >= CHUNK_BYTES:
            self.flush()

    def flush(self) -> None:
        """Close the pending chunk and hand it to the operating system; it is forgotten where that fails."""
        if not self._indexes:
            return
        indexes, records = self._indexes, self._records.end()
        self._indexes = {}
        stamps = [stamp for index in indexes.values() for stamp, _ in index.records]
        packed = self._zstd.compress(records)
        compression, data = ('zstd', packed) if len(packed) < PAYS * len(records) else ('', records)
        start, built = self._file.size, RecordBuilder()
        Chunk(compression, data, max(stamps), min(stamps), crc32(records), len(records)).write(built)
        length, offsets = built.count, {}
        for channel_id, index in indexes.items():
            offsets[channel_id] = start + built.count
            index.write(built)
        try:
            self._file.append(built.end())
        except OSError:
            for channel_id, index in indexes.items():
                self.counts[channel_id] -= len(index.records)
            raise
        self._chunks.append(
            ChunkIndex(
                length,
                start,
                compression,
                len(data),
                max(stamps),
                self._file.size - start - length,
                offsets,
                min(stamps),
                len(records),
            )
        )

    def close(self, version: int, metadata: str) -> None:
        self.flush()
        start = self._file.size
        self._file.append(_bytes(Metadata('rosbag2', {'serialized_metadata': metadata})))
        about = MetadataIndex(start, self._file.size - start, 'rosbag2')
        self._file.append(_bytes(DataEnd(self._file.crc)) + self._summary(about) + MCAP0_MAGIC)
        self._file.close()

    def abort(self) -> None:
        self._file.close()

    def _summary(self, about: MetadataIndex) -> bytes:
        """The summary section and the footer; a DataEnd record stands between them and the file as it is."""
        start, built = self._file.size + len(_bytes(DataEnd(0))), RecordBuilder()
        offsets = []
        for opcode, records in (
            (Opcode.SCHEMA, list(self._schemas.values())),
            (Opcode.CHANNEL, self._channels),
            (Opcode.CHUNK_INDEX, self._chunks),
            (Opcode.METADATA_INDEX, [about]),
            (Opcode.STATISTICS, [self._statistics()]),
        ):
            before = built.count
            for record in records:
                record.write(built)
            if records:
                offsets.append(SummaryOffset(opcode, start + before, built.count - before))
        offset_start = start + built.count
        for offset in offsets:
            offset.write(built)
        Footer(start, offset_start, 0).write(built)
        checked = built.end()[:-4]
        return checked + crc32(checked).to_bytes(4, 'little')

    def _statistics(self) -> Statistics:
        return Statistics(
            attachment_count=0,
            channel_count=len(self._channels),
            channel_message_counts=self.counts,
            chunk_count=len(self._chunks),
            message_count=sum(self.counts.values()),
            message_end_time=max((chunk.message_end_time for chunk in self._chunks), default=0),
            message_start_time=min((chunk.message_start_time for chunk in self._chunks), default=0),
            metadata_count=1,
            schema_count=len(self._schemas),
        )


def _bytes(record: McapRecord) -> bytes:
    built = RecordBuilder()
    record.write(built)
    return built.end()


class BagWriter(Writer):
    """A new rosbag2 folder in MCAP format with small, checked chunks; opened at once.

    schema_version: of the messages that are written, '' if unknown.
    """

    def __init__(self, folder: Path, schema_version: str = SCHEMA_VERSION) -> None:
        plugins: Any = {StoragePlugin.MCAP: partial(_CheckedMcap, schema_version=schema_version)}
        self.STORAGE_PLUGINS = plugins
        super().__init__(folder, version=9, storage_plugin=StoragePlugin.MCAP)
        if schema_version:
            self.set_custom_data(SCHEMA, schema_version)
        self.open()
        assert isinstance(self.storage, _CheckedMcap)
        self._mcap = self.storage

    @property
    def bytes_written(self) -> int:
        return self._mcap.size

    def flush(self) -> None:
        """Hand every message to the operating system."""
        self._mcap.flush()

    def close_after_error(self) -> bool:
        """Close with what was written before a write failed; False if there is no space even for the index."""
        self.counts = dict(self._mcap.counts)
        try:
            if self.storage is not None:
                self.close()
        except OSError:
            with suppress(OSError):
                self.abort()
            return False
        return self.metapath.exists()
