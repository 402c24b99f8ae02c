"""The settings with which a run was begun: one that continues it has the same, or is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hoigen.whole_files import write_text

RUN_FILE = 'run.json'
"""In the folder of a run's episodes: the settings with which it was begun."""


def settings_of(config: Any, *, without: tuple[str, ...] = ()) -> dict[str, Any]:
    """The fields of a dataclass as JSON values; ``without`` those that change nothing of what is made."""
    return _plain({name: value for name, value in asdict(config).items() if name not in without})


def begin(file: Path, settings: Mapping[str, Any], *, made: bool) -> None:
    """Keep the settings of a run in ``file`` (JSON); if something was ``made`` before, hold them against those there.

    Raises ValueError for each that differs, and for a file that cannot be read or is not there.
    """
    settings = _plain(settings)
    if made:
        refuse_others(file.parent, _read(file), settings)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_text(file, json.dumps(settings, indent=1))


def _read(file: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(file.read_text(encoding='utf-8')))
    except (FileNotFoundError, ValueError, TypeError) as error:
        raise ValueError(
            f'{file}: expected the settings with which what is there was begun, as JSON, got: {error}; remove '
            f'{file.parent} or choose another --out'
        ) from None


def refuse_others(made: Path, before: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
    """ValueError for each setting that is not as it was ``before``, when ``made`` was begun."""
    was, now = dict(_flat(before)), dict(_flat(settings))
    changed = [name for name in now | was if was.get(name) != now.get(name)]
    if changed:
        told = '; '.join(f'{name}: expected {was.get(name)!r}, got {now.get(name)!r}' for name in changed)
        raise ValueError(f'{made} was begun with other settings: {told}; remove it or choose another --out')


def _plain(settings: Mapping[str, Any]) -> dict[str, Any]:
    return dict(json.loads(json.dumps(settings, default=str)))


def _flat(settings: Mapping[str, Any], prefix: str = '') -> Iterator[tuple[str, Any]]:
    """Nested settings under dotted names."""
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f'{prefix}{name}.')
        else:
            yield prefix + name, value
