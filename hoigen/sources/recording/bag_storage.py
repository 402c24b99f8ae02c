"""A bag of one file or of several: rosbag2 in MCAP and sqlite3, and ROS 1."""

from __future__ import annotations

import itertools
import shutil
import struct
import tempfile
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

import yaml
from rosbags.rosbag2.storage_mcap import zstd
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from hoigen.sources.recording.bag_files import OPENERS, Hole, Stored, StoredFile, Topic
from hoigen.sources.recording.content import refuse_placeholder
from hoigen.sources.recording.options import Damaged, RecordingError

FOXGLOVE, FFMPEG = 'foxglove_msgs/msg/CompressedVideo', 'ffmpeg_image_transport_msgs/msg/FFMPEGPacket'
_VIDEOS = {
    FOXGLOVE: 'builtin_interfaces/Time timestamp\nstring frame_id\nuint8[] data\nstring format',
    FFMPEG: 'std_msgs/Header header\nint32 width\nint32 height\nstring encoding\nuint64 pts\nuint8 flags\n'
    'bool is_bigendian\nuint8[] data',
}
"""Definitions of what ROS does not have itself. None is taken from the bag: one that is wrong there does no harm."""
ZSTD = '.zstd'
TRIED = 64
"""Messages and holes that are looked at for the first message of a topic."""


class Bag:
    """An opened bag. topics: by name. seconds: between the first and the last log time. ros1: which ROS wrote it.

    damage: what :meth:`first` could not read.
    """

    def __init__(self, path: Path) -> None:
        """Open a rosbag2 folder, one of its files, or a ROS 1 bag; raises RecordingError for what is none, or torn."""
        files, self._compressed, self._promised = _files(path)
        self.damage = ''
        self._files = [_opened(file) for file in files]
        self.ros1 = files[0].suffix.lower() == '.bag'
        self.topics: dict[str, Topic] = {}
        for topic in (topic for file in self._files for topic in file.topics):
            before = self.topics.get(topic.name)
            count = topic.count + (0 if before is None else before.count)
            self.topics[topic.name] = replace(topic, count=count)
        spans = [file.span_ns for file in self._files if file.span_ns is not None]
        self.seconds = (max(last for _, last in spans) - min(first for first, _ in spans)) / 1e9 if spans else 0.0
        self._types = get_typestore(Stores.ROS1_NOETIC if self.ros1 else Stores.ROS2_KILTED)
        for name, definition in _VIDEOS.items():
            self._types.register(get_types_from_msg(definition, name))

    def messages(self, names: Collection[str]) -> Iterator[Stored | Hole]:
        """The messages of these topics, in the order in which they were written."""
        for item in (item for file in self._files for item in file.messages(names)):
            if self._compressed and isinstance(item, Stored):
                try:
                    yield item._replace(raw=zstd.decompress(item.raw))
                except Exception as error:
                    yield Hole(f'a message of {item.topic}: {error}')
            else:
                yield item

    def missing(self, topic: str, read: int) -> int:
        """How many messages of a topic the bag promises beyond those that were read."""
        return max(self.topics[topic].count, self._promised.get(topic, 0)) - read

    def first(self, topic: str) -> Any:
        """The first message of a topic that can be read; None if there is none, and ``damage`` may say why."""
        for item in itertools.islice(self.messages([topic]), TRIED):
            try:
                if isinstance(item, Stored):
                    return self.message(item.raw, topic)
                raise Damaged(item.why)
            except Damaged as error:
                self.damage = self.damage or str(error)
        return None

    def stamp_ns(self, raw: bytes, topic: str) -> int:
        """The header stamp of a serialized message; raises Damaged for what is too short to have one."""
        big = not self.ros1 and raw[1:2] not in (b'\x01', b'\x03')  # four bytes that say it; ROS 1: a sequence number
        try:
            at = 0 if self.ros1 and self.topics[topic].msgtype == FOXGLOVE else 4
            seconds, nanoseconds = struct.unpack_from('>iI' if big else '<iI', raw, at)
        except struct.error:
            raise Damaged(f'{topic}: expected a {self.topics[topic].msgtype}, got {len(raw)} bytes') from None
        return seconds * 1_000_000_000 + nanoseconds

    def message(self, raw: bytes, topic: str) -> Any:
        """A message as rosbags deserializes it; raises Damaged."""
        msgtype = self.topics[topic].msgtype
        try:
            return (self._types.deserialize_ros1 if self.ros1 else self._types.deserialize_cdr)(raw, msgtype)
        except MemoryError:
            raise
        except Exception as error:  # whatever bytes make of it
            raise Damaged(f'{topic}: expected a {msgtype}, got: {error}') from None


def _opened(path: Path) -> StoredFile:
    refuse_placeholder(path)
    ending = PurePath(path.name.removesuffix(ZSTD)).suffix.lower()
    try:
        if not path.name.endswith(ZSTD):
            return OPENERS[ending](path)
        with tempfile.TemporaryDirectory() as folder, path.open('rb') as packed:
            whole = Path(folder, f'bag{ending}')
            with zstd.open(packed, 'rb') as unpacked, whole.open('wb') as file:
                shutil.copyfileobj(unpacked, file)
            return OPENERS[ending](whole)  # stays open when its name is gone
    except Exception as error:  # a torn file makes its reader raise anything
        advice = (
            '`rosbag reindex` makes a readable one'
            if ending == '.bag'
            else "`hoigen recover` makes a readable one of the bag's folder"
            if ending == '.mcap'
            else '`sqlite3 FILE .recover` may get its messages'
        )
        reason = ' '.join(str(error).split()) or type(error).__name__
        raise RecordingError(
            f'{path.name}: expected a bag, got one that is damaged or was never closed: {reason}; {advice}'
        ) from None


def _files(path: Path) -> tuple[list[Path], bool, dict[str, int]]:
    """The files of a bag, whether their messages are compressed one by one, and counts by topic as promised."""
    if path.is_file():
        return [path], False, {}
    told = path / 'metadata.yaml'
    if not told.is_file():
        return sorted(file for file in path.iterdir() if file.suffix.lower() in ('.mcap', '.db3')), False, {}
    try:
        about = yaml.safe_load(told.read_text())['rosbag2_bagfile_information']
        files = [path / PurePath(name).name for name in about['relative_file_paths']]
        mode, form = (str(about.get(key) or '').lower() for key in ('compression_mode', 'compression_format'))
        promised = {
            str(topic['topic_metadata']['name']): int(topic['message_count'])
            for topic in about['topics_with_message_count']
        }
    except Exception as error:
        reason = ' '.join(str(error).split())
        raise RecordingError(
            f'metadata.yaml: expected what rosbag2 writes, got {type(error).__name__}: {reason}; '
            'without it, the files of the folder are read'
        ) from None
    missing = [file.name for file in files if not file.is_file()]
    if missing or not files:
        raise RecordingError(f'metadata.yaml: expected the files that it names, got none of {missing or "them"}')
    if any(file.name.removesuffix(ZSTD).lower().rpartition('.')[2] not in ('mcap', 'db3') for file in files):
        raise RecordingError(f'metadata.yaml: expected files of MCAP or sqlite3, got {[file.name for file in files]}')
    if mode not in ('', 'none') and form != 'zstd':
        raise RecordingError(f'metadata.yaml: expected compression by zstd, got {form!r}')
    return files, mode == 'message', promised
