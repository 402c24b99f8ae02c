"""Cuts what a camera sees into stretches, each of which becomes a clip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hoigen.messages import decode, topics
from hoigen.records import Footage
from hoigen.sources.streams.order import Refused
from hoigen.sources.streams.pairing import Origin

Instant = Mapping[str, Any]
"""The messages of one instant by topic name: camera/image, and camera/depth and camera/camera_info where they are."""


@dataclass(frozen=True, eq=False)
class Stretch:
    """Consecutive instants of one size and one lens, with rising stamps; ``number`` counts stretches from 0.

    images: which publications the images are, None where that is unknown.
    """

    number: int
    instants: tuple[Instant, ...]
    images: tuple[Origin | None, ...]

    @property
    def stamps_ns(self) -> tuple[int, int]:
        """Of the first and of the last instant."""
        return stamp_of(self.instants[0]), stamp_of(self.instants[-1])


class StretchCollector:
    """Takes one instant after the other, and gives a stretch when it has ended.

    A stretch ends with its last frame (``frames`` of them), at a pause longer than ``pause_ns``, where the stamps go
    back, and where size, lens or what is measured change.
    """

    def __init__(self, frames: int, pause_ns: int) -> None:
        self._frames, self._pause_ns = frames, pause_ns
        self._instants: list[Instant] = []
        self._images: list[Origin | None] = []
        self._number = 0

    @property
    def empty(self) -> bool:
        return not self._instants

    def add(self, instant: Instant, image: Origin | None = None) -> list[Stretch]:
        """The stretches that this instant ends. Raises :class:`Refused` for one whose messages do not fit together."""
        fit_together(instant)
        ended = [] if self._follows(instant) else self.end()
        self._instants.append(instant)
        self._images.append(image)
        return ended + self.end() if len(self._instants) == self._frames else ended

    def paused(self, now_ns: int) -> bool:
        """Whether the pause after the last instant is over-long at ``now_ns``."""
        return not self.empty and now_ns - stamp_of(self._instants[-1]) > self._pause_ns

    def end(self) -> list[Stretch]:
        """End the stretch in progress, if there is one."""
        if self.empty:
            return []
        stretch = Stretch(self._number, tuple(self._instants), tuple(self._images))
        self._instants, self._images, self._number = [], [], self._number + 1
        return [stretch]

    def _follows(self, instant: Instant) -> bool:
        if self.empty:
            return True
        step = stamp_of(instant) - stamp_of(self._instants[-1])
        return 0 < step <= self._pause_ns and _view_of(instant) == _view_of(self._instants[-1])


def stamp_of(instant: Instant) -> int:
    return decode.stamp_ns(instant[topics.IMAGE.name].header)


def _view_of(instant: Instant) -> tuple[Any, ...]:
    """What is the same in all of a stretch."""
    image, info = instant[topics.IMAGE.name], instant.get(topics.CAMERA_INFO.name)
    return image.height, image.width, None if info is None else tuple(info.k), frozenset(instant)


def fit_together(instant: Instant) -> None:
    """Depth and lens must be those of the picture; raises :class:`Refused`."""
    image = instant[topics.IMAGE.name]
    for topic, message in instant.items():
        if message.header.frame_id != image.header.frame_id:
            raise Refused(
                'bad frame',
                f'{topic} at {stamp_of(instant)} ns: header.frame_id: expected '
                f'{image.header.frame_id!r} as of camera/image, got {message.header.frame_id!r}',
            )
        if (message.width, message.height) != (image.width, image.height):
            raise Refused(
                'bad frame',
                f'{topic} at {stamp_of(instant)} ns: expected {image.width}x{image.height} '
                f'pixels as of camera/image, got {message.width}x{message.height}',
            )


def footage_of(instants: Sequence[Instant]) -> Footage:
    """The footage of a stretch's instants; raises ValueError, which names it, for a message that cannot be read."""
    first = instants[0]
    depth = None
    if topics.DEPTH.name in first:
        depth = np.stack([decode.depth(instant[topics.DEPTH.name], 'camera/depth') for instant in instants])
    K = decode.intrinsics(first[topics.CAMERA_INFO.name]) if topics.CAMERA_INFO.name in first else None
    return Footage(
        np.array([stamp_of(instant) for instant in instants], np.int64),
        np.stack([decode.rgb(instant[topics.IMAGE.name], 'camera/image') for instant in instants]),
        depth,
        K,
    )
