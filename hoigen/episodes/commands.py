"""The verbs of the ``hoigen`` command that work on recorded episodes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro

from hoigen.episodes.recovery import recover
from hoigen.episodes.report import write_report

__all__ = ['RecoverConfig', 'ReportConfig', 'recover_episode', 'report']


@dataclass(frozen=True)
class ReportConfig:
    """What to report on."""

    folder: tyro.conf.Positional[Path]
    """The folder that holds the episodes' bags; the report goes into it."""


@dataclass(frozen=True)
class RecoverConfig:
    """What to recover."""

    folder: tyro.conf.Positional[Path]
    """The bag whose recording was killed; the recovered one goes beside it."""


def report(config: ReportConfig) -> None:
    """Write report.html and preview.mp4 and say where they are."""
    write_report(config.folder)
    print(f'{config.folder / "report.html"}\n{config.folder / "preview.mp4"}')


def recover_episode(config: RecoverConfig) -> None:
    """Make a bag of what a killed recording left and say where it is."""
    print(recover(config.folder))
