"""ROS bags as a source of instants: rosbag2 in MCAP and sqlite3, and ROS 1."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from hoigen.messages.decode import EncodingError, MessageError, rgb
from hoigen.sources.recording.bag_camera import Lens, calibration_of, lens_of, same_camera
from hoigen.sources.recording.bag_depth import depth_values_of
from hoigen.sources.recording.bag_files import Hole
from hoigen.sources.recording.bag_order import Clock, Ordered, Stream
from hoigen.sources.recording.bag_storage import Bag
from hoigen.sources.recording.bag_topics import (
    RECTIFIED,
    VIDEO,
    Seen,
    depth_fault,
    depth_topic,
    image_topic,
    images,
    info_beside,
    info_topic,
    unused_depth,
)
from hoigen.sources.recording.bag_video import PacketDecoder
from hoigen.sources.recording.calibration import Calibration, read_calibration
from hoigen.sources.recording.depth import INTEGER_M, DepthUnit
from hoigen.sources.recording.instants import NS, Faults, Instant, Span
from hoigen.sources.recording.options import Damaged, NotRead, RecordingError, RecordingOptions
from hoigen.sources.recording.pairing import SegmentPairing
from hoigen.sources.recording.stills import read_picture


def rgb_of(message: Any, topic: str, pixels: int) -> np.ndarray:
    """[H,W,3] uint8 of an Image in an encoding of ``hoigen.messages``, or of a CompressedImage (JPEG, PNG)."""
    if hasattr(message, 'format'):
        return read_picture(bytes(message.data), topic, pixels)
    try:
        return rgb(message, topic)
    except EncodingError as error:
        raise NotRead(str(error)) from None
    except MessageError as error:
        raise Damaged(str(error)) from None


UNIT = re.compile(r'depth_units/value$', re.IGNORECASE)
"""Where RealSense's viewer writes the metres for each step of depth."""


def open_bag(path: Path, options: RecordingOptions) -> BagSource:
    """Open a rosbag2 folder, one of its files, or a ROS 1 bag."""
    return BagSource(Bag(path), options)


class BagSource:
    """A :class:`~hoigen.sources.recording.instants.Source` of a bag's images, depth and camera_info."""

    def __init__(self, bag: Bag, options: RecordingOptions) -> None:
        self.faults, self._bag, self._options = Faults(), bag, options
        topics = bag.topics.values()
        seen = images(topics, bag.first)
        if not seen and bag.damage:
            raise RecordingError(f'expected a bag with images, got a damaged one; none can be read: {bag.damage}')
        self._image = image_topic(seen, topics, options.image)
        self._video = PacketDecoder(self._image.name, options.limits.pixels) if self._image.form == VIDEO else None
        self._info = info_topic(topics, self._image, bag.first)
        self._first_info = None if self._info is None else bag.first(self._info)
        self._lens, self.calibration = self._camera()
        self._depth = depth_topic(seen, self._image, options.depth, self._depth_fault)
        if self._depth is not None and self.calibration is None:
            raise RecordingError(
                f'expected a camera_info with K for {self._image.name}, whose depth is there, got '
                f'{"none" if self._info is None else "an uncalibrated one"}: name a file with the '
                'option calibration'
            )
        self._unit = self._depth_unit()
        self.span = Span(self._image.topic.count, bag.seconds)
        if self._depth is None and (unused := unused_depth(seen, self._image)):
            self.faults.tell(f'not read: {", ".join(unused)}: if one is depth, name it with the option depth')

    @property
    def says(self) -> str:
        topics = [self._image.name, *([] if self._depth is None else [self._depth.name]), *filter(None, [self._info])]
        kind = ('ROS 1 bag' if self._bag.ros1 else 'rosbag2') + ('' if self._video is None else ' with video')
        unit = '' if self._depth is None else f'; {self._unit.says}'
        return f'{kind}: {", ".join(topics)}{unit}' + (', distortion taken out' if self._lens else '')

    def instants(self, start_s: float) -> Iterator[Instant]:
        pairing: SegmentPairing[Callable[[], np.ndarray], bytes] = SegmentPairing(round(self._options.pairing_s * NS))
        for name, item in self._ordered():
            if self._depth is None:
                yield Instant(item.stamp_ns, self._picture_of(item), segment=item.segment)
            elif name == self._depth.name:
                yield from map(self._paired, pairing.second(item.segment, item.stamp_ns, item.raw))
            else:
                yield from map(self._paired, pairing.first(item.segment, item.stamp_ns, self._picture_of(item)))
        yield from map(self._paired, pairing.finish())
        if pairing.alone:
            self.faults.tell(f'{pairing.alone} pictures left out: no depth within {self._options.pairing_s:g} s')

    def _ordered(self) -> Iterator[tuple[str, Ordered]]:
        """Images and depth with their topics, each topic in the order of its header stamps, up to another camera."""
        clock = Clock()
        streams = {seen.name: Stream(seen.name, clock) for seen in (self._image, self._depth) if seen is not None}
        read, passed = dict.fromkeys(streams, 0), set[str]()
        until: tuple[int, int] | None = None
        for item in self._bag.messages([*streams, *filter(None, [self._info])]):
            try:
                if isinstance(item, Hole):
                    raise Damaged(item.why)
                stamp_ns = self._bag.stamp_ns(item.raw, item.topic)
                if item.topic == self._info:
                    until = until or ((clock.segment, stamp_ns) if self._changes(item.raw, stamp_ns) else None)
                    continue
            except Damaged as error:
                self._hole(str(error), clock, streams)
                continue
            read[item.topic] += 1
            if until is not None and (clock.segment, stamp_ns) >= until:
                passed.add(item.topic)
                if passed == streams.keys():
                    break
                continue
            yield from ((item.topic, one) for one in streams[item.topic].push(stamp_ns, item.log_ns, item.raw))
        for name, stream in streams.items():
            yield from ((name, one) for one in stream.finish() if until is None or one[:2] < until)
        self._tell(clock, {} if passed else read)

    def _hole(self, why: str, clock: Clock, streams: dict[str, Stream]) -> None:
        self.faults.left_out(Damaged(why), 'damaged parts of the bag left out')
        clock.hole()
        for stream in streams.values():
            stream.hole()

    def _tell(self, clock: Clock, read: dict[str, int]) -> None:
        """Say what was wrong with the order and the number of messages, of topics that were read to the end."""
        if clock.resets:
            self.faults.tell(
                f'the clock of the recording goes back {clock.resets} times, the first in {clock.first}: '
                'no clip has frames of before and after'
            )
        for name, count in read.items():
            if (missing := self._bag.missing(name, count)) > 0:
                self.faults.tell(f'{name}: expected {count + missing} messages, as the bag says itself, got {count}')

    def _changes(self, raw: bytes, stamp_ns: int) -> bool:
        """Whether a camera_info is another than the first: no segment has two cameras."""
        assert self._info is not None
        if same_camera(self._bag.message(raw, self._info), self._first_info):
            return False
        self.faults.tell(
            f'{self._info}: expected one camera, got another at {stamp_ns} ns; the recording is read up to there'
        )
        return True

    def _paired(self, pair: tuple[int, int, Callable[[], np.ndarray], bytes]) -> Instant:
        segment, stamp, picture, depth = pair
        return Instant(stamp, picture, partial(self._depth_map, depth), segment)

    def _picture_of(self, item: Ordered) -> Callable[[], np.ndarray]:
        """Decodes an image when called; of video, what others lean on is decoded at once."""
        if self._video is None:
            return partial(self._picture, partial(self._still, item.raw))
        try:
            message = self._bag.message(item.raw, self._image.name)
        except Damaged:
            return partial(self._still, item.raw)  # raises it again when it is asked for
        return partial(self._picture, self._video.frame(message, item.segment))

    def _picture(self, decode: Callable[[], np.ndarray]) -> np.ndarray:
        return decode() if self._lens is None else self._lens.straighten(decode())

    def _still(self, raw: bytes) -> np.ndarray:
        name = self._image.name
        return rgb_of(self._bag.message(raw, name), name, self._options.limits.pixels)

    def _depth_map(self, raw: bytes) -> np.ndarray:
        assert self._depth is not None
        name = self._depth.name
        values = depth_values_of(self._bag.message(raw, name), name, self._options.limits.pixels)
        depth_m = self._unit.metres(values, name)
        return depth_m if self._lens is None or RECTIFIED.search(name) else self._lens.straighten(depth_m)

    def _camera(self) -> tuple[Lens | None, Calibration | None]:
        if self._options.calibration is not None:
            return None, read_calibration(self._options.calibration)
        if self._info is None or self._first_info is None:
            return None, None
        rectified = bool(RECTIFIED.search(self._image.name))
        calibration = calibration_of(self._first_info, self._info, rectified)
        lens = None if rectified or calibration is None else lens_of(self._first_info, self._info)
        return lens, calibration

    def _depth_fault(self, depth: Seen) -> str:
        own = info_beside(self._bag.topics.values(), depth.name)
        first = None if own is None or own == self._info else self._bag.first(own)
        lens = None if first is None or own is None else calibration_of(first, own, bool(RECTIFIED.search(depth.name)))
        return depth_fault(depth, self._image, lens, self.calibration)

    def _depth_unit(self) -> DepthUnit:
        """What was asked for; of a bag of RealSense's viewer, what that says of the sensor."""
        sensor = '' if self._depth is None else self._depth.name.rpartition('/Depth_')[0]
        named = [name for name in self._bag.topics if sensor and name.startswith(f'{sensor}/') and UNIT.search(name)]
        value = self._bag.first(named[0]) if named else None
        return DepthUnit(self._options.depth_unit_m, INTEGER_M if value is None else float(value.data))
