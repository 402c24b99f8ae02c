"""The report of an extraction: a page for each stretch from which a person sees at once whether perception worked."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from hoigen.look.pages import write_html
from hoigen.perception.report.content import card, content
from hoigen.perception.report.overview import draw_masks, overview

if TYPE_CHECKING:
    from hoigen.perception.perceive import Perceived

__all__ = ['ReportError', 'write_index', 'write_part']

TEMPLATES = 'perception/report/page'
PARTS = 'report'
"""The pages and pictures of single stretches lie in this folder beside report.html."""


class ReportError(RuntimeError):
    """The report cannot be written; the text says which file, and why."""


def write_part(folder: Path, name: str, perceived: Perceived) -> Path:
    """Write the page ``report/NAME.html``, complete in itself, and the picture ``report/NAME.png`` of one stretch.

    Returns the page. Older ones are replaced. Nothing stays in memory.
    """
    page, picture = Path(folder) / PARTS / f'{name}.html', Path(folder) / PARTS / f'{name}.png'
    middle = len(perceived.footage.stamps_ns) // 2
    thumb = draw_masks(perceived.footage.rgb[middle], perceived.segmentation, perceived.boxes, middle)
    shown = {'card': card(perceived, name, thumb), 'content': content(perceived, name)}
    with _replacing(page) as part, part.open('w', encoding='utf-8') as out:
        write_html(out, f'{TEMPLATES}/page.html', title=perceived.provenance.source or name, **shown)
    with _replacing(picture) as part:
        Image.fromarray(overview(perceived)).save(part, 'PNG')
    return page


def write_index(folder: Path, title: str) -> Path:
    """Write ``report.html`` of all stretches whose pages lie in ``folder``; of one alone it is that page itself."""
    folder = Path(folder)
    pages = sorted((folder / PARTS).glob('*.html'))
    if not pages:
        raise ReportError(f'{folder / PARTS}: expected at least one page that write_part wrote, got none')
    index = folder / 'report.html'
    with _replacing(index) as part:
        if len(pages) == 1:
            shutil.copyfile(pages[0], part)
            return index
        with part.open('w', encoding='utf-8') as out:
            write_html(out, f'{TEMPLATES}/index.html', title=title, cards=map(_card_of, pages))
    return index


def _card_of(page: Path) -> str:
    """The line with a page's card, which is near its beginning."""
    with page.open(encoding='utf-8') as lines:
        for line in lines:
            if line.startswith('<script type="application/json" class="card">'):
                return line
    raise ReportError(f'{page}: expected a page that write_part wrote, got another')


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """A file to write that takes ``path``'s place once it is whole; what the system refuses is one clear error."""
    part = path.with_name(path.name + '.part')
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        os.replace(part, path)
    except OSError as error:
        raise ReportError(f'cannot write {path}: {error.strerror or error}') from error
    finally:
        with suppress(FileNotFoundError):
            part.unlink()
