"""Which bags a path means: a rosbag2 folder, its .mcap file, or folders that hold such at any depth."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from hoigen.episodes.errors import EpisodeDamaged, EpisodeError

REJECTED = '.rejected'
"""Ends the name of a bag whose frames may not be kept: a person looks at it, data sets are made without it."""


class Bag(NamedTuple):
    """A bag that was found. label: its path under the folder that was given; name: that as one word for file names."""

    path: Path
    label: str
    name: str


def find_bags(given: Iterable[Path], *, rejected: bool = False) -> list[Bag]:
    """The bags that ``given`` paths mean, in order, each once; of a recovered recording only the recovered bag.

    rejected: whether a folder's ``*.rejected`` are meant, too; one that is named itself always is. Raises EpisodeError
    for a path that means none, and for two bags that would have one name.
    """
    found: dict[Path, Bag] = {}
    for path in given:
        bags = [_named(bag, path) for bag in _bags(path, rejected)]
        if not bags:
            raise EpisodeError(
                f'{path}: expected at least one episode (a folder with an .mcap file, the file itself, '
                f'or a folder of them), got {_what(path)}'
                + ('; those in it were rejected: name one to use it' if not rejected and _bags(path, True) else '')
            )
        for bag in bags:
            found.setdefault(bag.path.absolute(), bag)
    by_name: dict[str, Bag] = {}
    for bag in found.values():
        if (other := by_name.setdefault(bag.name, bag)) is not bag:
            raise EpisodeError(
                f'expected bags with names of their own, got {other.path} and {bag.path}, which would '
                f'both be {bag.name}: rename one'
            )
    return list(found.values())


def one_bag(given: Path) -> Path:
    """The one bag that a path means; EpisodeError where it means several."""
    bags = find_bags([given])
    if len(bags) > 1:
        shown = ', '.join(str(bag.path) for bag in bags[:4]) + (', ...' if len(bags) > 4 else '')
        raise EpisodeError(f'{given}: expected one bag, got {len(bags)}; name one: {shown}')
    return bags[0].path


def mcap_files(bag: Path) -> list[Path]:
    """The .mcap files of a bag, in order; EpisodeDamaged where there is none."""
    files = [bag] if _is_mcap(bag) else sorted(filter(_is_mcap, bag.iterdir())) if bag.is_dir() else []
    if not files:
        raise EpisodeDamaged(f'{bag}: expected a rosbag2 folder with an .mcap file, or the file, got {_what(bag)}')
    return files


def episode_folder(output: Path, episode: int) -> Path:
    """Where a job puts the bag of an episode."""
    return output / f'episode_{episode:04d}'


def rejected_folder(folder: Path) -> Path:
    """Where the bag of an episode is whose frames may not be kept."""
    return folder.with_name(folder.name + REJECTED)


def made_folder(folder: Path) -> Path | None:
    """The bag that an episode has already, accepted or rejected, whichever ``folder`` means; None if it has none."""
    accepted = folder.with_name(folder.name.removesuffix(REJECTED))
    return next((there for there in (accepted, rejected_folder(accepted)) if there.exists()), None)


def bag_name(bag: Path) -> str:
    """The name of a bag folder, or of an .mcap file without its ending."""
    return bag.stem if _is_mcap(bag) else bag.absolute().name


def recovered_folder(bag: Path) -> Path:
    """Where :func:`hoigen.episodes.recover` puts the bag that it makes of ``bag``."""
    name = bag_name(bag)
    ending = REJECTED if name.endswith(REJECTED) else ''
    return (bag if bag.name else bag.absolute()).with_name(f'{name.removesuffix(REJECTED)}_recovered{ending}')


def _bags(path: Path, rejected: bool) -> list[Path]:
    if _is_mcap(path):
        return [path.parent if (path.parent / 'metadata.yaml').is_file() else path]
    if own := _in_folder(path):
        return own
    folders = _folders(path, rejected)
    return [bag for folder in folders for bag in _in_folder(Path(folder)) if not recovered_folder(bag).exists()]


def _in_folder(folder: Path) -> list[Path]:
    """The folder, if it is a bag; else the .mcap files that lie in it side by side, each a bag of its own."""
    files = sorted(filter(_is_mcap, folder.iterdir())) if folder.is_dir() else []
    return [folder] if len(files) == 1 or (files and (folder / 'metadata.yaml').is_file()) else files


def _folders(path: Path, rejected: bool) -> list[str]:
    """All folders under a path, sorted; not those whose name begins with a dot: they are unfinished."""
    found = []
    for folder, inside, _ in os.walk(path):
        inside[:] = sorted(
            name for name in inside if not name.startswith('.') and (rejected or not name.endswith(REJECTED))
        )
        found.append(folder)
    return found


def _named(bag: Path, given: Path) -> Bag:
    parts = bag.relative_to(given).parts if bag.is_relative_to(given) else ()
    parts = (*parts[:-1], bag_name(bag)) if parts else ()
    top = given.absolute()
    return Bag(
        bag,
        '/'.join(parts) or bag_name(bag),
        '_'.join((top.name, *parts) if parts else (bag.absolute().parent.name, bag_name(bag))),
    )


def _is_mcap(path: Path) -> bool:
    return path.suffix.lower() == '.mcap' and path.is_file()


def _what(path: Path) -> str:
    if not path.exists():
        return 'nothing'
    return 'a folder without one' if path.is_dir() else 'another file'
