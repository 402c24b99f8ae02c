"""Where the files that belong to hoigen lie: its configuration, wherever this copy of the package was installed."""

from pathlib import Path

__all__ = ['ResourceMissing', 'config_dir']


class ResourceMissing(RuntimeError):
    """A folder that belongs to hoigen is in none of the places where it should be."""


def config_dir() -> Path:
    """The folder ``config/``: beside the package in the source tree, in it after ``pip install``, or in the
    ``share/hoigen`` of the colcon workspace that holds this file."""
    package = Path(__file__).parent
    places = [package.parent / 'config', package / 'config',
              *(parent / 'share' / 'hoigen' / 'config' for parent in package.parents)]
    for place in places:
        if (place / 'fastdds.xml').is_file():
            return place
    raise ResourceMissing(f'configuration of hoigen: expected fastdds.xml in one of {[str(p) for p in places]}, '
                          'got none of them; install hoigen again')
