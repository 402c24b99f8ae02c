"""Collects the messages of an episode until they are a clip."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hoigen.messages import decode, topics
from hoigen.records import Clip
from hoigen.sources.streams.order import EpisodeOrder, Refused

LEAST_FRAMES = 5
"""The video models' clips have 4k+1 frames; a part of an episode with fewer than this shows no motion to speak of."""

Rows = tuple[Mapping[str, Any], ...]
"""The messages of a clip: for each frame, by topic name."""


@dataclass(frozen=True, eq=False)
class Ended:
    """An episode that has ended. rows: its frames from the first on, 4k+1 of them, () where there are too few.

    stamps_ns: of the first and the last frame that is known of. note: what is left out of it and why; '' if nothing.
    """

    episode: int
    rows: Rows
    stamps_ns: tuple[int, int]
    note: str


class ClipCollector:
    """Takes the messages of one frame after the other; ``on_ended`` gets each episode when it has ended.

    It ends with its last frame, where the next one begins, and with ``end``. Its rows go up to the first frame that is
    missing.
    """

    def __init__(self, max_frames: int, on_ended: Callable[[Ended], None]) -> None:
        self._max_frames, self._on_ended = max_frames, on_ended
        self._order = EpisodeOrder()
        self._rows: list[Mapping[str, Any]] = []
        self._without_beginning: int | None = None

    def add(self, messages: Mapping[str, Any], publisher: bytes = b'') -> None:
        """Take a frame, whose labels that publisher sent; raises :class:`Refused` for one that does not follow."""
        labels = messages[topics.LABELS.name]
        stamp_ns = decode.stamp_ns(labels.header)
        try:
            begins = self._order.begins(stamp_ns, labels.episode, labels.frame, publisher)
        except Refused:
            if self._order.episode != labels.episode != self._without_beginning:
                self._without_beginning = labels.episode
                self._on_ended(
                    Ended(labels.episode, (), (stamp_ns, stamp_ns), 'expected its frame 0 before the others')
                )
            raise
        if begins:
            self._finish()
            self._without_beginning = None
        if labels.frame >= self._max_frames:
            raise Refused(
                'episode too long',
                f'frame {labels.frame} of episode {labels.episode}: expected less than {self._max_frames} frames',
            )
        self._rows.append(messages)
        self._order.accept(stamp_ns, labels.frame)
        if labels.last:
            self._finish()

    def end(self) -> None:
        """End the episode in progress, if there is one: no further frame of it is taken."""
        self._finish()
        self._order.refuse()

    def drop(self, episode: int) -> None:
        """Forget the frames of an episode that has no others, if it is in progress."""
        if episode == self._order.episode:
            self._rows.clear()
            self._order.refuse()

    def _finish(self) -> None:
        rows, self._rows = tuple(self._rows), []
        if not rows:
            return
        labels = [row[topics.LABELS.name] for row in rows]
        frames = labels[-1].frame + 1
        whole = next((row for row, one in enumerate(labels) if one.frame != row), len(rows))
        taken = (whole - 1) // 4 * 4 + 1 if whole else 0
        if taken == frames and labels[-1].last:
            self._on_ended(Ended(labels[0].episode, rows, stamps_of(rows), ''))
            return
        note = f'expected 4k+1 frames in a row, got {whole} of {frames}'
        note += '' if labels[-1].last else ' and then none with `last`'
        note += f': left out at its end: {frames - taken}' if taken >= LEAST_FRAMES else ': too few'
        kept = rows[:taken] if taken >= LEAST_FRAMES else ()
        self._on_ended(Ended(labels[0].episode, kept, stamps_of(rows), note))


def stamps_of(rows: Rows) -> tuple[int, int]:
    """Of the first and the last frame."""
    first, last = (decode.stamp_ns(rows[row][topics.LABELS.name].header) for row in (0, -1))
    return first, last


def clip_of(rows: Rows) -> Clip:
    """The clip of an episode's messages."""
    return decode.clip({topic.name: [row[topic.name] for row in rows] for topic in topics.CLIP_PARTS})
