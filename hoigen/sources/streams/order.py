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
    must rise over those of the last frame that was accepted, and its publisher remains the same. A frame that does not
    follow is refused, and the episode goes on without it.
    """

    def __init__(self) -> None:
        self.episode: int | None = None
        """The one in progress, or that has ended last."""
        self._frame = 0
        self._stamp_ns = 0
        self._publisher = b''

    def begins(self, stamp_ns: int, episode: int, frame: int, publisher: bytes = b'') -> bool:
        """Whether the frame begins an episode; raises :class:`Refused` for one that does not follow.

        publisher: its DDS id, empty if unknown.
        """
        same = publisher == self._publisher
        if frame == 0 and not ((episode, stamp_ns) == (self.episode, self._stamp_ns) and same):
            self.episode, self._frame, self._stamp_ns, self._publisher = episode, frame, stamp_ns, publisher
            return True
        name = f'frame {frame} of episode {episode} at {stamp_ns} ns'
        if episode != self.episode:
            raise Refused('episode without its beginning', f'{name}: expected frame 0 of it before')
        if not same:
            raise Refused(
                'two publishers',
                f'{name}: expected the publisher of frame 0, got another one: its episodes '
                'need numbers of their own, and topics that no other publishes on',
            )
        if stamp_ns <= self._stamp_ns:
            raise Refused('stamp goes back', f'{name}: expected a stamp after {self._stamp_ns} ns')
        if frame <= self._frame:
            raise Refused('frame goes back', f'{name}: expected a frame after {self._frame}')
        return False

    def accept(self, stamp_ns: int, frame: int) -> None:
        """The frame is good: the next one must follow it."""
        self._frame, self._stamp_ns = frame, stamp_ns

    def refuse(self) -> None:
        """The episode whose beginning came is not taken: none of its frames follows."""
        self.episode = None


class Tables(Generic[T]):
    """The tables of a latched topic, each in force from its episode and stamp on, until a later one takes its place.

    Bounded: where too many wait, the one for the most distant future goes, so that a publisher of nonsense does not
    push out what the next episode needs. ``add`` and ``at`` may be called from different threads.
    """

    def __init__(self) -> None:
        self._tables: list[tuple[int, int, T]] = []
        self._lock = threading.Lock()

    def add(self, since_ns: int, table: T, episode: int = 0) -> None:
        with self._lock:
            self._tables.append((episode, since_ns, table))
            if len(self._tables) > TABLES:
                self._tables.remove(max(self._tables, key=lambda entry: entry[:2]))

    def at(self, stamp_ns: int, episode: int | None = None) -> T | None:
        """The newest table for ``stamp_ns``, None without one; those that it replaced are forgotten.

        episode: the newest table up to this number; raises :class:`Refused` where stamps that do not rise leave it
        open which of two is for it.
        """
        with self._lock:
            fitting = [
                entry for entry in self._tables if entry[1] <= stamp_ns and (episode is None or entry[0] <= episode)
            ]
            if not fitting:
                return None
            newest = max(reversed(fitting), key=lambda entry: entry[0])
            for number, since_ns, table in fitting:
                if episode is not None and number == newest[0] and since_ns >= newest[1] and table != newest[2]:
                    raise Refused(
                        'ambiguous table',
                        f'episode {episode} at {stamp_ns} ns: expected one table for it, '
                        f'got two with episode {number}, from {since_ns} and then {newest[1]} ns on: tables '
                        'must name their episode where stamps start again',
                    )
            self._tables = [entry for entry in self._tables if entry is newest or entry not in fitting]
            return newest[2]
