"""The report of a run: report.html and preview.mp4 beside the bags that they show."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from hoigen.episodes.errors import EpisodeError
from hoigen.episodes.preview import PreviewWriter
from hoigen.episodes.view import EpisodeView, episode_folders, view_episode
from hoigen.episodes.webpage import write_page

__all__ = ['write_report']


def write_report(folder: Path) -> None:
    """Write ``report.html`` and ``preview.mp4`` of all bags in ``folder``, into ``folder``; older ones are replaced.

    Bags are read one at a time. One that cannot be shown is named in the report with its error; only if none can be
    shown the report is refused.
    """
    folder = Path(folder)
    bags = episode_folders(folder)
    if not bags:
        raise EpisodeError(f'{folder}: expected at least one episode (a folder with an .mcap file), got none')
    page, preview = folder / 'report.html.part', folder / 'preview.part.mp4'
    failures: list[str] = []
    try:
        with page.open('w', encoding='utf-8') as out, PreviewWriter(preview) as video:
            write_page(out, folder.resolve().name, _views(bags, video, failures))
        if len(failures) == len(bags):
            raise EpisodeError(f'{folder}: expected an episode that can be shown, got ' + '; '.join(failures))
        page.replace(folder / 'report.html')
        preview.replace(folder / 'preview.mp4')
    finally:
        with suppress(FileNotFoundError):
            page.unlink()
        with suppress(FileNotFoundError):
            preview.unlink()


def _views(bags: list[Path], video: PreviewWriter, failures: list[str]) -> Iterator[EpisodeView | tuple[str, str]]:
    for bag in bags:
        try:
            view = view_episode(bag)
        except (EpisodeError, ValueError) as error:
            failures.append(str(error))
            yield bag.name, str(error)
        else:
            video.add(view)
            yield view
