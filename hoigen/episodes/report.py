"""The report of a run: report.html and preview.mp4 beside the bags that they show."""

from __future__ import annotations

import shutil
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from rich.progress import track

from hoigen.episodes.bags import Bag, find_bags
from hoigen.episodes.errors import EpisodeError, EpisodeWriteFailed
from hoigen.episodes.preview import PreviewWriter
from hoigen.episodes.view import EpisodeView, view_episode
from hoigen.episodes.webpage import Shown, show, write_page

__all__ = ['PREVIEWED', 'write_report']

PREVIEWED = 24
"""preview.mp4 shows so many episodes at most, evenly over the run."""
EXTRACTION = 'extract.json'
"""The settings of `hoigen extract` in its folder."""
AHEAD = 2
"""Bags that are read while another is written."""


def write_report(path: Path) -> Path:
    """Write ``report.html`` and ``preview.mp4`` of the bags that ``path`` means; older ones are replaced.

    path: a bag, its .mcap file or a folder that holds bags at any depth. The report goes into it, that of a file beside
    it, and the images of a long run into ``report_frames``, there too; returns report.html. Bags are read two at a
    time. One that cannot be shown is named in the report with its error; only if none can be shown the report is
    refused, as it is in the folder of `hoigen extract`, whose own report.html lies there. Raises EpisodeWriteFailed if
    the operating system refuses a write; the older report stays then.
    """
    path = Path(path)
    bags = find_bags([path])
    folder = path if path.is_dir() else path.parent
    if (folder / EXTRACTION).is_file() and (folder / 'report').is_dir():
        raise EpisodeError(
            f'{folder}: expected recorded episodes, got an extraction, whose own report.html this would replace; '
            'name one of its clips, or a folder above it'
        )
    page, preview, frames = folder / 'report.html.part', folder / 'preview.part.mp4', folder / 'report_frames.part'
    failures: list[str] = []
    try:
        with page.open('w', encoding='utf-8') as out, PreviewWriter(preview) as video:
            write_page(out, path.resolve().name, _views(bags, video, failures), frames)
        if len(failures) == len(bags):
            raise EpisodeError(f'{path}: expected an episode that can be shown, got ' + '; '.join(failures))
        shutil.rmtree(folder / 'report_frames', ignore_errors=True)
        if frames.exists():
            frames.rename(folder / 'report_frames')
        page.replace(folder / 'report.html')
        preview.replace(folder / 'preview.mp4')
    except OSError as error:
        raise EpisodeWriteFailed(
            f'{folder / "report.html"}: cannot write the report: {error.strerror or error}; the bags are as they were'
        ) from error
    finally:
        shutil.rmtree(frames, ignore_errors=True)
        for file in (page, preview):
            with suppress(FileNotFoundError):
                file.unlink()
    return folder / 'report.html'


def _views(bags: Sequence[Bag], video: PreviewWriter, failures: list[str]) -> Iterator[Shown | tuple[str, str]]:
    previewed = {round(n * (len(bags) - 1) / max(1, PREVIEWED - 1)) for n in range(PREVIEWED)}
    for number, (bag, future) in enumerate(track(_ahead(bags), total=len(bags), description='report')):
        try:
            view, shown = future.result()
        except (EpisodeError, ValueError, ArithmeticError) as error:
            said = str(error) if str(bag.path) in str(error) else f'{bag.path}: {error}'
            failures.append(said)
            yield bag.label, said
        else:
            if len(bags) <= PREVIEWED or number in previewed:
                video.add(view)
            yield shown


def _ahead(bags: Sequence[Bag]) -> Iterator[tuple[Bag, Future[tuple[EpisodeView, Shown]]]]:
    """Each bag with what is shown of it, a few read ahead: images are decoded and encoded without Python's lock."""
    with ThreadPoolExecutor(AHEAD) as pool:
        waiting: deque[tuple[Bag, Future[tuple[EpisodeView, Shown]]]] = deque()
        for bag in bags:
            waiting.append((bag, pool.submit(_read, bag)))
            if len(waiting) > AHEAD:
                yield waiting.popleft()
        yield from waiting


def _read(bag: Bag) -> tuple[EpisodeView, Shown]:
    view = view_episode(bag.path, bag.label)
    return view, show(view)
