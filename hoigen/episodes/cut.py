"""Shortens a finished bag to some of its frames."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path

from hoigen.episodes.errors import EpisodeMismatch, EpisodeWriteFailed
from hoigen.episodes.recording import open_recording
from hoigen.episodes.topics import PER_FRAME, TF
from hoigen.episodes.writer import EpisodeSummary, EpisodeWriter
from hoigen.messages.header import header_of
from hoigen.messages.topics import Topic


def cut_episode(folder: Path, keep: Callable[[int], bool], *, made: Collection[Topic]) -> EpisodeSummary:
    """Replace a finished bag by one with those frames only whose stamp in ns ``keep`` wants; transforms are made anew.

    Raises :class:`EpisodeMismatch` where the topics then still differ in their frames; the bag is shortened all the
    same. With :class:`EpisodeWriteFailed` (a full disk) the bag is as it was.
    """
    faults, beside = None, None
    try:
        beside = Path(tempfile.mkdtemp(prefix=f'.{folder.name}.', dir=folder.parent))
        writer = EpisodeWriter(beside / 'cut')
        _copy(folder, keep, writer)
        try:
            summary = writer.close(made=made)
        except EpisodeMismatch as error:
            faults = error.faults
        _replace(folder, beside / 'cut', beside / 'whole')
    except OSError as error:
        raise EpisodeWriteFailed(f'{folder}: cannot be shortened: {error.strerror or error}') from error
    finally:
        if beside is not None:
            shutil.rmtree(beside, ignore_errors=True)
    if faults:
        raise EpisodeMismatch(folder, faults)
    return replace(summary, folder=folder)


def _replace(folder: Path, new: Path, old: Path) -> None:
    folder.rename(old)
    try:
        new.rename(folder)
    except OSError:
        old.rename(folder)
        raise


def _copy(folder: Path, keep: Callable[[int], bool], writer: EpisodeWriter) -> None:
    recording = open_recording(folder)
    try:
        for topic, log_ns, cdr in recording.messages():
            if topic.name != TF and (topic.name not in PER_FRAME or keep(header_of(cdr)[0])):
                writer.write(topic.name, topic.msgtype, log_ns, cdr, 'stream' if topic.name in PER_FRAME else 'latched')
    finally:
        recording.close()
