"""The settings with which a run was begun: one that continues it has the same, or is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hoigen.whole_files import write_text

__all__ = ['LOGS', 'RUN_FILE', 'begin', 'refuse_others', 'settings_of']

RUN_FILE = 'run.json'
"""In the folder of a run's episodes: the settings with which it was begun."""
LOGS = 'logs'
"""In the same folder: what its processes print."""


def settings_of(config: Any, *, without: tuple[str, ...] = ()) -> dict[str, Any]:
    """The fields of a dataclass as JSON values; ``without`` those that change nothing of what is made."""
    return _plain({name: value for name, value in asdict(config).items() if name not in without})


def begin(file: Path, settings: Mapping[str, Any]) -> None:
    """Keep the settings of a new run in ``file`` (JSON), or hold them against those of the run that it continues.

    Raises ValueError for each that differs, and for a file that cannot be read. A run that has left nothing but logs is
    begun anew.
    """
    folder, settings = file.parent, _plain(settings)
    folder.mkdir(parents=True, exist_ok=True)
    before = _read(file) if file.exists() else settings
    if any(path.name not in (file.name, LOGS) for path in folder.iterdir()):
        refuse_others(folder, before, settings)
    write_text(file, json.dumps(settings, indent=1))


def _read(file: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(file.read_text(encoding='utf-8')))
    except (ValueError, TypeError) as error:
        raise ValueError(
            f'{file}: expected the settings of a run that was begun, as JSON, got: {error}; remove {file.parent} or '
            'choose another --out'
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
