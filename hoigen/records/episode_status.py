"""What became of an episode."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from hoigen.records.check import Check


class EpisodeState(IntEnum):
    """The states of msg/EpisodeStatus.msg, which says what they mean."""

    ACCEPTED = 0
    REJECTED = 1
    SKIPPED = 2
    FAILED = 3
    RECORDED = 4


@dataclass(frozen=True)
class EpisodeStatus:
    """What became of an episode, as ``node`` reports it.

    stamps_ns: of the first and the last frame that this is about. frames: how many of them were made, None for as many
    as the labels number. reason: why; of a recorded episode the folder of its bag.
    """

    node: str
    episode: int
    state: EpisodeState
    stamps_ns: tuple[int, int]
    frames: int | None = None
    reason: str = ''

    def __post_init__(self) -> None:
        check = Check('EpisodeStatus')
        first_ns, last_ns = self.stamps_ns
        check.that(0 <= first_ns <= last_ns, 'stamps_ns', 'rising stamps >= 0', self.stamps_ns)
        check.that(self.frames is None or self.frames > 0, 'frames', '1 or more', self.frames)
        check.done()
