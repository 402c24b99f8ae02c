"""The verbs of the ``hoigen`` command that work on recorded episodes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro

from hoigen.episodes.bags import find_bags
from hoigen.episodes.errors import EpisodeError
from hoigen.episodes.recovery import is_whole, recover
from hoigen.episodes.report import write_report


@dataclass(frozen=True)
class ReportConfig:
    """What to report on."""

    bags: tyro.conf.Positional[Path]
    """A bag, its .mcap file, or a folder that holds bags at any depth; the report goes into it, that of a file beside
    it."""


@dataclass(frozen=True)
class RecoverConfig:
    """What to recover."""

    bags: tyro.conf.Positional[Path]
    """The bag whose recording was killed or damaged, its .mcap file, or a folder that holds such at any depth; a
    recovered bag goes beside each."""


def report(config: ReportConfig) -> None:
    """Write report.html and preview.mp4 and say where they are."""
    page = write_report(config.bags)
    print(f'{page}\n{page.with_name("preview.mp4")}')


def recover_episode(config: RecoverConfig) -> int:
    """Make a bag of what each killed or damaged recording left and say where it is; 1 if one could not be mended."""
    bags = find_bags([config.bags], rejected=True)
    if len(bags) == 1:
        print(recover(bags[0].path))
        return 0
    failed = 0
    for bag in bags:
        if is_whole(bag.path):
            continue
        try:
            print(recover(bag.path))
        except EpisodeError as error:
            print(error)
            failed += 1
    print(f'{len(bags)} bags looked at')
    return 1 if failed else 0
