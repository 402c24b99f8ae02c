"""All episodes of a report as one video: source | condition | generated, with captions."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from hoigen.episodes.view import EpisodeView, Picture
from hoigen.look.movies import Movie

__all__ = ['PreviewWriter']

WIDTH, MARGIN, GAP, HEAD, FOOT = 1440, 24, 8, 64, 56
LOOPS, HOLD_S = 2, 0.5
INK, FAINT, GROUND, EMPTY, ACCENT = (240, 242, 246), (150, 158, 172), (15, 17, 22), (30, 33, 41), (150, 138, 255)

Box = tuple[int, int, int, int]


class PreviewWriter:
    """Writes episodes one after the other into a movie; each is shown twice at its own speed."""

    def __init__(self, path: Path) -> None:
        self._movie = Movie(path, quality=18)
        self._boxes: dict[str, Box] = {}
        self._start_s = 0.0

    def __enter__(self) -> PreviewWriter:
        self._movie.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._boxes and error is None:
            self._put(self._held, self._start_s)  # the last image stays as long as that of every other episode
        self._movie.__exit__(kind, error, trace)

    def add(self, view: EpisodeView) -> None:
        """Append an episode. The first one decides the layout; pictures of another aspect are fitted into it."""
        if not self._boxes:
            self._boxes, self._height = _layout(view)
        size = (WIDTH, self._height)
        drawn = [_draw(view, frame, self._boxes, size) for frame in range(len(view.stamps_ns))]
        seconds = (np.array(view.stamps_ns) - view.stamps_ns[0]) / 1e9
        for _ in range(LOOPS):
            for image, second in zip(drawn, seconds, strict=True):
                self._put(image, self._start_s + second)
            self._start_s += seconds[-1] + HOLD_S

    def _put(self, image: np.ndarray, second: float) -> None:
        self._held = image
        self._movie.put(image, second)


def _layout(view: EpisodeView) -> tuple[dict[str, Box], int]:
    """Boxes (left, top, width, height) of the panels, two of half height in the middle, and the video's height."""
    rows, columns = next(picture.shape[:2] for picture in view.panels['source'] if picture is not None)
    aspect = columns / rows
    wide = int((WIDTH - 2 * MARGIN - 2 * GAP + GAP * aspect / 2) / 2.5)
    tall = int(wide / aspect)
    low = (tall - GAP) // 2
    middle = MARGIN + wide + GAP
    narrow = WIDTH - 2 * (middle)
    return {
        'source': (MARGIN, HEAD, wide, tall),
        'tracking': (middle, HEAD, narrow, low),
        'coloured': (middle, HEAD + tall - low, narrow, low),
        'generated': (WIDTH - MARGIN - wide, HEAD, wide, tall),
    }, (HEAD + tall + FOOT) // 2 * 2


def _draw(view: EpisodeView, frame: int, boxes: dict[str, Box], size: tuple[int, int]) -> np.ndarray:
    """[H,W,3] uint8 of one instant."""
    canvas = Image.new('RGB', size, GROUND)
    pen = ImageDraw.Draw(canvas)
    for name, box in boxes.items():
        _place(canvas, pen, view.panels[name][frame], box)
    left, middle, right = boxes['source'], boxes['tracking'], boxes['generated']
    time_s = (view.stamps_ns[frame] - view.stamps_ns[0]) / 1e9
    _write(pen, (MARGIN, HEAD / 2), view.labels[0].task, 26, INK, 'lm')
    _write(pen, (size[0] - MARGIN, HEAD / 2), f'{view.name}   {time_s:.2f} s', 20, FAINT, 'rm')
    caption = left[1] + left[3] + FOOT / 2
    fidelity = view.fidelity['value'][frame]
    _write(pen, (left[0], caption), 'source', 22, INK, 'lm')
    _write(pen, (middle[0], caption), 'condition', 22, INK, 'lm')
    _write(pen, (right[0], caption), 'edited' if view.edited else 'generated', 22, ACCENT, 'lm')
    score = _missing(view, frame) if fidelity is None else f'fidelity {fidelity:.2f}'
    _write(pen, (size[0] - MARGIN, caption), score, 20, FAINT, 'rm')
    return np.asarray(canvas)


def _missing(view: EpisodeView, frame: int) -> str:
    if view.edited:
        return ''
    if view.panels['generated'][frame] is not None:
        return 'fidelity not measured'
    return 'rejected' if view.rejection else 'not generated'


def _place(canvas: Image.Image, pen: ImageDraw.ImageDraw, picture: Picture, box: Box) -> None:
    left, top, width, height = box
    pen.rectangle((left, top, left + width - 1, top + height - 1), fill=EMPTY)
    if picture is None:
        return
    scale = min(width / picture.shape[1], height / picture.shape[0])
    shown = Image.fromarray(picture).resize(
        (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale))), Image.Resampling.BICUBIC
    )
    canvas.paste(shown, (left + (width - shown.width) // 2, top + (height - shown.height) // 2))


def _write(
    pen: ImageDraw.ImageDraw,
    place: tuple[float, float],
    text: str,
    size: int,
    colour: tuple[int, int, int],
    anchor: str,
) -> None:
    pen.text(place, text, fill=colour, font=ImageFont.load_default(size), anchor=anchor)
