"""rosbags' MCAP writer with chunks that are small and reach the operating system at once.

rosbags closes a chunk after 1 MiB and leaves the end of it in a buffer of the process. Here a chunk holds at most one
message of a topic and at most 768 KiB (or a single longer message), and is handed to the operating system when it is
closed: a process that is killed loses at most one message of each topic, and a write that fails takes nothing of what
was written before with it. The files are what rosbags writes: definitions embedded, metadata.yaml, index, footer.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from io import BufferedWriter, BytesIO, FileIO
from pathlib import Path
from typing import Literal

from rosbags.interfaces import Connection, Qos, QosDurability, QosHistory, QosLiveliness, QosReliability, QosTime
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.rosbag2.storage_mcap import McapWriter, PendingChunk

__all__ = ['CHUNK_BYTES', 'QOS', 'BagWriter', 'QosName']

CHUNK_BYTES = 768 * 1024
_RECORD_HEAD = 9 + 22  # opcode, length; channel, sequence and two times of a message record

QosName = Literal['stream', 'latched']


def _qos(depth: int, durability: QosDurability) -> Qos:
    for_ever = QosTime(9223372036, 854775807)
    return Qos(QosHistory.KEEP_LAST, depth, QosReliability.RELIABLE, durability, for_ever, for_ever,
               QosLiveliness.AUTOMATIC, for_ever, False)


QOS: Mapping[QosName, Qos] = {'stream': _qos(100, QosDurability.VOLATILE),
                              'latched': _qos(1, QosDurability.TRANSIENT_LOCAL)}


class _SmallChunks(McapWriter):
    """rosbags' MCAP storage; ``channel_stats`` counts what is written or pending, by connection id."""

    def write(self, connection: Connection, timestamp: int, data: bytes | memoryview) -> None:
        size = self.chunk.bio.tell() + len(data) + _RECORD_HEAD
        if self.chunk.msgs and (connection.id in self.chunk.msgs or size > CHUNK_BYTES):
            self.close_chunk()
        super().write(connection, timestamp, data)
        if self.chunk.bio.tell() >= CHUNK_BYTES:
            self.close_chunk()

    def close_chunk(self) -> None:
        start, held = self.bio.tell(), len(self.chunks)
        pending = self.chunk
        try:
            super().close_chunk()
            self.bio.flush()
        except OSError:
            self._drop(start, held, pending)
            raise

    def _drop(self, start: int, held: int, pending: PendingChunk) -> None:
        """Forget the chunk that could not be written, in file and books, so that the file can be closed."""
        self.bio.raw.close()  # what the buffer still holds must not be written after the cut
        os.truncate(self.path, start)
        self.bio = BufferedWriter(FileIO(self.path, 'r+'))
        self.bio.seek(start)
        del self.chunks[held:]
        for connection_id, messages in pending.msgs.items():
            self.channel_stats[connection_id] -= len(messages)
        self.chunk = PendingChunk(2**63 - 1, 0, BytesIO(), defaultdict(list))


class BagWriter(Writer):
    """A new rosbag2 folder in MCAP format with small chunks; opened at once."""

    def __init__(self, folder: Path) -> None:
        self.STORAGE_PLUGINS = {StoragePlugin.MCAP: _SmallChunks}
        super().__init__(folder, version=9, storage_plugin=StoragePlugin.MCAP)
        self.open()

    @property
    def bytes_written(self) -> int:
        return self._files.bio.tell()

    @property
    def _files(self) -> _SmallChunks:
        assert isinstance(self.storage, _SmallChunks)
        return self.storage

    def flush(self) -> None:
        """Hand every message to the operating system."""
        if self._files.chunk.msgs:
            self._files.close_chunk()

    def close_after_error(self) -> bool:
        """Close with what was written before a write failed; False if there is no space even for the index."""
        self.counts = dict(self._files.channel_stats)
        try:
            self.close()
        except OSError:
            with suppress(OSError):
                self.abort()
            return False
        return True
