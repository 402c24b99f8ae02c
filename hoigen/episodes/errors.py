"""What can go wrong with an episode's bag."""

from __future__ import annotations

from pathlib import Path

from hoigen.episodes.topics import Fault


class EpisodeError(RuntimeError):
    """An episode's bag cannot be written or read as asked; the text says which, what was expected and what came."""


class EpisodeExists(EpisodeError):
    """The folder for a new episode is there already."""


class EpisodeWriteFailed(EpisodeError):
    """The operating system refused a write (a full disk, a quota); the text says what is left of the bag."""


class EpisodeDamaged(EpisodeError):
    """A bag's file cannot be read, or is not what was written."""


class EpisodeMismatch(EpisodeError):
    """The topics of a closed, readable bag do not have the same stamps."""

    def __init__(self, folder: Path, faults: tuple[Fault, ...]) -> None:
        super().__init__(f'{folder}: ' + '; '.join(map(str, faults)))
        self.folder, self.faults = folder, faults
