"""Where hoigen's data files lie (configuration, message definitions), in every way of installing it."""

from __future__ import annotations

from pathlib import Path

import hoigen


class ResourceError(FileNotFoundError):
    """A data file of hoigen's own is in none of the places where it belongs."""


def find(name: str) -> Path:
    """The file or folder ``name`` ('config/models/tiny.yaml', 'msg').

    Looked for beside the package in the source tree, in it after ``pip install`` (``hoigen/share``), and in the
    ``share/hoigen`` of the colcon workspace that holds it.
    """
    packages = [Path(folder) for folder in hoigen.__path__]
    places = [package.parent / name for package in packages if (package.parent / 'package.xml').is_file()]
    places += [package / 'share' / name for package in packages]
    places += [parent / 'share' / 'hoigen' / name for package in packages for parent in package.parents]
    for place in places:
        if place.exists():
            return place
    raise ResourceError(
        f'{name}: expected it in one of {[str(p) for p in places]}, found it in none; install hoigen again'
    )
