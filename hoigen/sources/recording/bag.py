"""ROS bags: rosbag2 in MCAP and sqlite3, and ROS 1, through rosbags."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rosbags.highlevel import AnyReader
from rosbags.interfaces import Connection
from rosbags.typesys import Stores, get_typestore

from hoigen.sources.recording.bag_camera import Lens, calibration_of, lens_of, same_camera
from hoigen.sources.recording.bag_depth import depth_values_of
from hoigen.sources.recording.bag_messages import Sorter, header_ns, rgb_of
from hoigen.sources.recording.bag_topics import RECTIFIED, depth_topic, image_topic, info_topic
from hoigen.sources.recording.calibration import Calibration, read_calibration
from hoigen.sources.recording.depth import DepthUnit
from hoigen.sources.recording.instants import NS, Faults, Instant, Span
from hoigen.sources.recording.options import Damaged, RecordingError, RecordingOptions
from hoigen.sources.recording.pairing import Pairing

__all__ = ['BagSource', 'open_bag']


def open_bag(path: Path, options: RecordingOptions) -> BagSource:
    """Open a rosbag2 folder, one of its files, or a ROS 1 bag."""
    unclosed = path.is_dir() and not (path / 'metadata.yaml').is_file()
    files = sorted(file for file in path.iterdir() if file.suffix in ('.mcap', '.db3')) if unclosed else [path]
    try:
        reader = AnyReader(files, default_typestore=get_typestore(Stores.ROS2_KILTED))
        reader.open()
    except MemoryError:
        raise
    except Exception as error:  # a torn file makes its reader raise anything
        raise RecordingError(f'expected a bag, got one that cannot be opened: {error}; where its recording was killed, '
                             '`hoigen recover` (MCAP) or `rosbag reindex` (ROS 1) makes a readable one') from None
    return BagSource(reader, options)


class BagSource:
    """A :class:`~hoigen.sources.recording.instants.Source` of a bag's pictures, depth and camera_info."""

    def __init__(self, reader: AnyReader, options: RecordingOptions) -> None:
        self.faults, self._reader, self._options = Faults(), reader, options
        self._unit = DepthUnit(options.depth_unit_m)
        connections = reader.connections
        self._image = image_topic(connections, options.image)
        self._depth = depth_topic(connections, options.depth, self._image)
        self._info = info_topic(connections, self._image)
        self._first_info = None if self._info is None else self._first(self._info)
        self._lens, self.calibration = self._camera()
        self._refuse_unusable_depth()
        self.span = Span(sum(c.msgcount for c in connections if c.topic == self._image.topic), reader.duration / NS)

    @property
    def says(self) -> str:
        topics = [c.topic for c in (self._image, self._depth, self._info) if c is not None]
        kind = 'rosbag2' if self._reader.is2 else 'ROS 1 bag'
        unit = '' if self._depth is None else f'; {self._unit.says}'
        return f'{kind}: {", ".join(topics)}{unit}' + (', distortion taken out' if self._lens else '')

    def instants(self, start_s: float) -> Iterator[Instant]:
        if self._depth is None:
            yield from (Instant(stamp, partial(self._picture, raw)) for stamp, raw, _ in self._streams())
            return
        pairing: Pairing[bytes, bytes] = Pairing(round(self._options.pairing_s * NS))
        for stamp, raw, connection in self._streams():
            add = pairing.second if connection == self._depth.topic else pairing.first
            yield from map(self._paired, add(stamp, raw))
        yield from map(self._paired, pairing.finish())
        if pairing.alone:
            self.faults.tell(f'{pairing.alone} pictures left out: no depth within {self._options.pairing_s:g} s')

    def _streams(self) -> Iterator[tuple[int, bytes, str]]:
        """Stamp, message and topic of pictures and depth, each topic in the order of its header stamps."""
        wanted = [c.topic for c in (self._image, self._depth) if c is not None]
        sorters = {topic: Sorter(topic) for topic in wanted}
        until, passed = None, set[str]()
        for connection, raw in self._messages():
            if connection.topic in sorters:
                stamp = header_ns(raw, cdr=self._reader.is2)
                if until is not None and stamp >= until:
                    passed.add(connection.topic)
                    if passed == sorters.keys():
                        break
                    continue
                yield from ((*item, connection.topic) for item in sorters[connection.topic].push(stamp, raw))
            elif until is None and self._changes(raw):
                until = header_ns(raw, cdr=self._reader.is2)
        for topic, sorter in sorters.items():
            yield from ((*item, topic) for item in sorter.finish() if until is None or item[0] < until)

    def _messages(self) -> Iterator[tuple[Connection, bytes]]:
        """Of the topics that are read, in the order of recording, as far as the bag is whole."""
        topics = {c.topic for c in (self._image, self._depth, self._info) if c is not None}
        try:
            for connection, _, raw in self._reader.messages([c for c in self._reader.connections if c.topic in topics]):
                yield connection, bytes(raw)
        except MemoryError:
            raise
        except Exception as error:  # a torn file makes its reader raise anything
            self.faults.tell(f'the bag ends before its time: {type(error).__name__}: {error}')

    def _changes(self, raw: bytes) -> bool:
        """Whether a camera_info is another than the first: no stretch has two cameras."""
        assert self._info is not None
        info = self._reader.deserialize(raw, self._info.msgtype)
        if same_camera(info, self._first_info):
            return False
        self.faults.tell(f'{self._info.topic}: expected one camera, got another at '
                         f'{header_ns(raw, cdr=self._reader.is2)} ns; the recording is read up to there')
        return True

    def _paired(self, pair: tuple[int, bytes, bytes]) -> Instant:
        stamp, picture, depth = pair
        return Instant(stamp, partial(self._picture, picture), partial(self._depth_map, depth))

    def _picture(self, raw: bytes) -> np.ndarray:
        message = self._message(raw, self._image)
        rgb = rgb_of(message, self._image.topic, self._options.limits.pixels)
        return rgb if self._lens is None else self._lens.straighten(rgb)

    def _depth_map(self, raw: bytes) -> np.ndarray:
        assert self._depth is not None
        values = depth_values_of(self._message(raw, self._depth), self._depth.topic, self._options.limits.pixels)
        depth_m = self._unit.metres(values, self._depth.topic)
        if self._lens is None or RECTIFIED.search(self._depth.topic):
            return depth_m
        return self._lens.straighten(depth_m)

    def _message(self, raw: bytes, connection: Connection) -> Any:
        try:
            return self._reader.deserialize(raw, connection.msgtype)
        except MemoryError:
            raise
        except Exception as error:  # whatever bytes make of it
            raise Damaged(f'{connection.topic}: expected a {connection.msgtype}, got: {error}') from None

    def _first(self, connection: Connection) -> Any:
        """The first message of a topic; None where the bag has none."""
        own = [c for c in self._reader.connections if c.topic == connection.topic]
        for _, _, raw in self._reader.messages(own):
            return self._message(bytes(raw), connection)
        return None

    def _camera(self) -> tuple[Lens | None, Calibration | None]:
        if self._options.calibration is not None:
            return None, read_calibration(self._options.calibration)
        if self._info is None or self._first_info is None:
            return None, None
        rectified = bool(RECTIFIED.search(self._image.topic))
        calibration = calibration_of(self._first_info, self._info.topic, rectified)
        lens = None if rectified or calibration is None else lens_of(self._first_info, self._info.topic)
        return lens, calibration

    def _refuse_unusable_depth(self) -> None:
        if self._depth is None:
            return
        if self.calibration is None:
            raise RecordingError(f'expected a camera_info with K for {self._image.topic}, whose depth is there, got '
                                 f'{"none" if self._info is None else "an uncalibrated one"}: name a file with the '
                                 'option calibration')
        picture, depth = self._first(self._image), self._first(self._depth)
        if picture and depth and picture.header.frame_id != depth.header.frame_id and not self._options.depth:
            raise RecordingError(f'{self._depth.topic}: expected depth in the frame of the pictures, '
                                 f'{picture.header.frame_id!r}, got {depth.header.frame_id!r}: register it to them '
                                 '(depth_image_proc), or name it with the option depth if it is')
