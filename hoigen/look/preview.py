"""Episodes as one video: source, conditions, generated, with captions; each a movie of its own that is made once."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from hoigen.look.episode_page import EpisodeView, Picture
from hoigen.look.images import draw_text
from hoigen.look.movies import Movie, join_movies

WIDTH, HEIGHT, MARGIN, GAP, HEAD, WIDE, TALL = 1440, 514, 24, 8, 64, 592, 394
"""Of the video, its margins, and the panels at its sides; those of the conditions share the column between them."""
LOOPS, HOLD_S = 2, 0.5
INK, FAINT, GROUND, EMPTY, ACCENT = (240, 242, 246), (150, 158, 172), (15, 17, 22), (30, 33, 41), (150, 138, 255)

Box = tuple[int, int, int, int]
"""Left, top, width, height."""


def write_preview_part(path: Path, view: EpisodeView) -> None:
    """The movie of one episode, at its own speed."""
    with Movie(path, quality=18) as movie:
        for frame, stamp in enumerate(view.stamps_ns):
            movie.put(_draw(view, frame), (stamp - view.stamps_ns[0]) / 1e9)


def write_preview(path: Path, parts: Iterable[Path]) -> None:
    """Join the movies of episodes; each is shown twice."""
    join_movies(path, [part for part in parts for _ in range(LOOPS)], HOLD_S)


def _boxes(view: EpisodeView) -> dict[str, Box]:
    source, *conditions, generated = view.panels
    left, between = MARGIN + WIDE + GAP, WIDTH - 2 * (MARGIN + WIDE + GAP)
    low = (TALL - GAP * (len(conditions) - 1)) // len(conditions)
    return {
        source: (MARGIN, HEAD, WIDE, TALL),
        **{name: (left, HEAD + n * (low + GAP), between, low) for n, name in enumerate(conditions)},
        generated: (WIDTH - MARGIN - WIDE, HEAD, WIDE, TALL),
    }


def _draw(view: EpisodeView, frame: int) -> np.ndarray:
    """[HEIGHT,WIDTH,3] uint8 of one frame."""
    canvas, boxes = Image.new('RGB', (WIDTH, HEIGHT), GROUND), _boxes(view)
    pen = ImageDraw.Draw(canvas)
    for name, box in boxes.items():
        _place(canvas, pen, view.panels[name][frame], box)
    left, middle, *_, right = boxes.values()
    time_s = (view.stamps_ns[frame] - view.stamps_ns[0]) / 1e9
    draw_text(pen, (MARGIN, HEAD / 2), view.labels[0].task, 26, INK, 'lm')
    draw_text(pen, (WIDTH - MARGIN, HEAD / 2), f'{view.name}   {time_s:.2f} s', 20, FAINT, 'rm')
    caption = (HEAD + TALL + HEIGHT) / 2
    made = 'edited' if view.edited else 'rejected' if view.rejection else 'generated'
    fidelity = view.fidelity['value'][frame]
    draw_text(pen, (left[0], caption), 'source', 22, INK, 'lm')
    draw_text(pen, (middle[0], caption), 'scene' if 'depth' in boxes else 'condition', 22, INK, 'lm')
    draw_text(pen, (right[0], caption), made, 22, ACCENT, 'lm')
    score = _missing(view, frame) if fidelity is None else f'fidelity {fidelity:.2f}'
    draw_text(pen, (WIDTH - MARGIN, caption), score, 20, FAINT, 'rm')
    return np.asarray(canvas)


def _missing(view: EpisodeView, frame: int) -> str:
    if view.edited:
        return ''
    return 'not generated' if view.panels['generated'][frame] is None else 'fidelity not measured'


def _place(canvas: Image.Image, pen: ImageDraw.ImageDraw, picture: Picture, box: Box) -> None:
    left, top, width, height = box
    if picture is None:
        pen.rectangle((left, top, left + width - 1, top + height - 1), fill=EMPTY)
        return
    scale = min(width / picture.shape[1], height / picture.shape[0])
    shown = Image.fromarray(picture).resize(
        (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale))), Image.Resampling.BICUBIC
    )
    canvas.paste(shown, (left + (width - shown.width) // 2, top + (height - shown.height) // 2))
