"""Collects the messages of an episode until they are a clip."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hoigen import decode
from hoigen.records import Clip
from hoigen.ros import topics
from hoigen.ros.streams import EpisodeOrder, Refused

Rows = tuple[Mapping[str, Any], ...]
"""The messages of a clip: for each instant, by topic name."""


class IncompleteEpisode(RuntimeError):
    """An episode ended with frames missing, so it is no clip."""


class ClipCollector:
    """Takes the messages of one instant after the other; gives the episode's rows with its last frame."""

    def __init__(self, max_frames: int) -> None:
        self._max_frames = max_frames
        self._order = EpisodeOrder()
        self._rows: list[Mapping[str, Any]] = []

    def add(self, messages: Mapping[str, Any]) -> Rows:
        """The rows of the episode that this frame ends, else ().

        Raises :class:`Refused` for a frame that does not follow, :class:`IncompleteEpisode` for an episode with gaps.
        """
        labels = messages[topics.LABELS.name]
        stamp_ns = decode.stamp_ns(labels.header)
        if self._order.begins(stamp_ns, labels.episode, labels.frame):
            self._rows = []
        if labels.frame >= self._max_frames:
            raise Refused('episode too long', f'frame {labels.frame} of episode {labels.episode}: '
                                              f'expected less than {self._max_frames} frames')
        self._rows.append(messages)
        self._order.accept(stamp_ns, labels.frame)
        return self._finish(labels.episode, labels.frame + 1) if labels.last else ()

    def _finish(self, episode: int, frames: int) -> Rows:
        rows, self._rows = tuple(self._rows), []
        if len(rows) != frames:
            raise IncompleteEpisode(f'episode {episode}: expected {frames} frames, got {len(rows)}: not generated')
        return rows


def clip_of(rows: Rows) -> Clip:
    """The clip of an episode's messages."""
    return decode.clip({topic.name: [row[topic.name] for row in rows] for topic in topics.CLIP_PARTS})
