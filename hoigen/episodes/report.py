"""The report of a run: report.html and preview.mp4 beside the bags that they show, made anew of new bags only."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache
from hashlib import sha256
from pathlib import Path

import av
from rich.progress import track

from hoigen.episodes.bags import Bag, find_bags, mcap_files
from hoigen.episodes.errors import EpisodeError, EpisodeWriteFailed
from hoigen.episodes.view import view_episode
from hoigen.look.episode_page import made_of, write_page, write_part
from hoigen.look.preview import write_preview, write_preview_part

PREVIEWED = 24
"""preview.mp4 shows at most this many episodes, evenly over the run."""
EXTRACTION = 'extract.json'
"""The settings of `hoigen extract` in its folder."""
PARTS = 'report_parts'
"""The folder of what is made once of each bag, beside report.html."""
AT_ONCE = 2
"""Bags that are read at the same time: images are decoded and encoded without Python's lock."""

Part = Path | tuple[str, str]
"""The file of an episode for the page, or the name and the error of a bag that cannot be shown."""


def write_report(path: Path) -> Path:
    """Write ``report.html`` and ``preview.mp4`` of the bags that ``path`` means; older ones are replaced.

    path: a bag, its .mcap file or a folder that holds bags at any depth. The report goes into it, that of a file beside
    it, and what is made of each bag into ``report_parts``, there too: a bag that has not changed is not read again.
    Returns report.html. A bag that cannot be shown is named in the report with its error; only if none can be shown the
    report is refused, as it is in the folder of `hoigen extract`, whose own report.html lies there. Raises
    EpisodeWriteFailed if the operating system refuses a write; the older report stays then.
    """
    path = Path(path)
    bags = find_bags([path], rejected=True)
    folder = path if path.is_dir() else path.parent
    if (folder / EXTRACTION).is_file() and (folder / 'report').is_dir():
        raise EpisodeError(
            f'{folder}: expected recorded episodes, got an extraction, whose own report.html this would replace; '
            'name one of its clips, or a folder above it'
        )
    page = folder / 'report.html'
    try:
        made = _parts(bags, folder / PARTS)
        shown = [part for part in made if isinstance(part, Path)]
        if not shown:
            errors = '; '.join(part[1] for part in made if isinstance(part, tuple))
            raise EpisodeError(f'{path}: expected an episode that can be shown, got {errors}')
        write_page(page, path.resolve().name, made)
        write_preview(folder / 'preview.mp4', [movie for movie in map(_movie_of, shown) if movie.exists()])
    except OSError as error:
        raise EpisodeWriteFailed(
            f'{page}: cannot write the report: {error.strerror or error}; the bags are as they were'
        ) from error
    return page


def _parts(bags: list[Bag], folder: Path) -> list[Part]:
    """What the page shows of each bag; what is no longer shown is removed."""
    every = 1
    while len(bags) > PREVIEWED * every:
        every *= 2  # a run that grows needs the movie of no older episode then
    folder.mkdir(exist_ok=True)
    jobs = [(bag, folder / f'{bag.name}.js', number % every == 0) for number, bag in enumerate(bags)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        made = list(track(pool.map(lambda job: _part(*job), jobs), total=len(jobs), description='report'))
    kept = {file for part in made if isinstance(part, Path) for file in (part, _movie_of(part))}
    kept -= {_movie_of(file) for _, file, previewed in jobs if not previewed}
    for file in set(folder.glob('[!.]*')) - kept:  # hidden ones are being written
        file.unlink(missing_ok=True)
    if not any(folder.iterdir()):
        folder.rmdir()
    return made


def _part(bag: Bag, file: Path, previewed: bool) -> Part:
    """Make the file of a bag and its movie, unless the bag is as it was when they were made."""
    movie = _movie_of(file)
    try:
        state = _state_of(bag)
        if made_of(file) != state or (previewed and not movie.exists()):
            view = view_episode(bag.path, bag.label)
            if previewed:
                write_preview_part(movie, view)
            write_part(file, view, state)
    except (EpisodeError, ValueError, ArithmeticError) as error:
        return bag.label, str(error) if str(bag.path) in str(error) else f'{bag.path}: {error}'
    return file


def _movie_of(file: Path) -> Path:
    return file.with_suffix('.mp4')


def _state_of(bag: Bag) -> str:
    """Another one for every change of the bag's files and of the code that shows them."""
    files = [file for file in (*mcap_files(bag.path), bag.path / 'metadata.yaml') if file.is_file()]
    stats = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return sha256(repr((_code(), bag.label, stats)).encode()).hexdigest()


@cache
def _code() -> str:
    rooms = [Path(__file__).parents[1] / room for room in ('messages', 'episodes', 'look')]
    files = [file for room in rooms for file in sorted(room.rglob('*.py'))]
    return sha256(b''.join(file.read_bytes() for file in files) + av.__version__.encode()).hexdigest()
