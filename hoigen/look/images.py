"""Images for the eye, as files and inside pages."""

from __future__ import annotations

from base64 import b64encode
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from hoigen.whole_files import whole_file


def webp(image: np.ndarray, quality: int | None = 75) -> bytes:
    """A WebP file of [H,W,3] uint8; quality 0 to 100, None: without loss."""
    file = BytesIO()
    options: dict[str, Any] = (
        {'lossless': True, 'quality': 20, 'method': 0} if quality is None else {'quality': quality, 'method': 2}
    )
    Image.fromarray(image).save(file, 'WEBP', **options)
    return file.getvalue()


def data_uri(image: np.ndarray, quality: int | None = 75) -> str:
    """[H,W,3] uint8 inside a page, as :func:`webp` makes it."""
    return 'data:image/webp;base64,' + b64encode(webp(image, quality)).decode()


def image_of(file: bytes) -> np.ndarray:
    """[H,W,3] uint8 of the bytes of an image file; ValueError for others."""
    try:
        return np.asarray(Image.open(BytesIO(file)).convert('RGB'))
    except OSError as error:
        raise ValueError(f'image: expected a readable one, got {len(file)} bytes: {error}') from error


def write_image(path: Path, image: np.ndarray | Image.Image) -> None:
    """Write an image, or [H,W,3] uint8, in the format of the path's suffix; whole or not at all."""
    with whole_file(path) as file:
        (Image.fromarray(image) if isinstance(image, np.ndarray) else image).save(file)


def draw_text(
    pen: ImageDraw.ImageDraw,
    position: tuple[float, float],
    text: str,
    size: int,
    colour: tuple[int, int, int],
    anchor: str,
) -> None:
    """Write a line onto an image; ``anchor`` as in Pillow."""
    pen.text(position, text, fill=colour, font=ImageFont.load_default(size), anchor=anchor)
