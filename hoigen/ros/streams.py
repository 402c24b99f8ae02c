"""What makes frames an episode: their order, by stamp, episode and frame number, and the table that holds for them."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

T = TypeVar('T')
TABLES = 16
"""How many tables may wait for their episodes: more than the episodes that are in flight."""


class Refused(ValueError):
    """An input that cannot be used. ``reason``: a short constant to count by; the text says all."""

    def __init__(self, reason: str, detail: object) -> None:
        super().__init__(str(detail))
        self.reason = reason


class EpisodeOrder:
    """Follows one stream of frames, episode after episode.

    Frame 0 begins an episode, at any stamp: a source may start its clock again. After it, stamps and frame numbers
    must rise over those of the last frame that was accepted. A frame that does not follow is refused, and the episode
    goes on without it.
    """

    def __init__(self) -> None:
        self._episode: int | None = None
        self._frame = 0
        self._stamp_ns = 0

    def begins(self, stamp_ns: int, episode: int, frame: int) -> bool:
        """Whether the frame begins an episode; raises :class:`Refused` for one that does not follow."""
        if frame == 0 and (episode, stamp_ns) != (self._episode, self._stamp_ns):
            self._episode, self._frame, self._stamp_ns = episode, frame, stamp_ns
            return True
        name = f'frame {frame} of episode {episode} at {stamp_ns} ns'
        if episode != self._episode:
            raise Refused('episode without its beginning', f'{name}: expected frame 0 of it before')
        if stamp_ns <= self._stamp_ns:
            raise Refused('stamp goes back', f'{name}: expected a stamp after {self._stamp_ns} ns')
        if frame <= self._frame:
            raise Refused('frame goes back', f'{name}: expected a frame after {self._frame}')
        return False

    def accept(self, stamp_ns: int, frame: int) -> None:
        """The frame is good: the next one must follow it."""
        self._frame, self._stamp_ns = frame, stamp_ns


class Tables(Generic[T]):
    """The tables of a latched topic, each in force from its stamp on, until a later one takes its place.

    Bounded: where too many wait, the one for the most distant future goes, so that a publisher of nonsense does not
    push out what the next episode needs. ``add`` and ``at`` may be called from different threads.
    """

    def __init__(self) -> None:
        self._tables: list[tuple[int, T]] = []
        self._lock = threading.Lock()

    def add(self, since_ns: int, table: T) -> None:
        with self._lock:
            self._tables.append((since_ns, table))
            if len(self._tables) > TABLES:
                self._tables.remove(max(self._tables, key=lambda entry: entry[0]))

    def at(self, stamp_ns: int) -> T | None:
        """The newest table for ``stamp_ns``, None without one; those that it replaced are forgotten."""
        with self._lock:
            fitting = [entry for entry in self._tables if entry[0] <= stamp_ns]
            self._tables = [entry for entry in self._tables if entry not in fitting[:-1]]
            return fitting[-1][1] if fitting else None
