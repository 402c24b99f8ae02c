"""Where hoigen's data files lie: configuration and message definitions, in every way of installing it."""

from __future__ import annotations

import os
from pathlib import Path

import hoigen


class ResourceMissing(FileNotFoundError):
    """A data file of hoigen's own is in none of the places where it belongs."""


def find(name: str) -> Path:
    """The file or folder ``name`` ('config/models/tiny.yaml', 'msg'): of the source tree, pip's copy or ROS's share."""
    prefixes = [Path(p) for p in os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep) if p]
    packages = [Path(p) for p in hoigen.__path__]
    places = [p.parent / name for p in packages if (p.parent / 'package.xml').is_file()]
    places += [p / 'share' / name for p in packages]
    places += [p / 'share' / 'hoigen' / name for p in prefixes]
    for place in places:
        if place.exists():
            return place
    raise ResourceMissing(f'{name}: expected it in one of {[str(p) for p in places]}, found it in none; '
                          'install hoigen again')
