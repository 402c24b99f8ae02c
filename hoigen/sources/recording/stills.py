"""Single pictures and depth maps, decoded strictly: what is cut short or too large is refused, never filled in."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from hoigen.sources.recording.depth import DepthUnit
from hoigen.sources.recording.options import Damaged, NotRead

__all__ = ['DEPTHS', 'PICTURES', 'depth_values', 'read_depth', 'read_picture']

PICTURES = ('.png', '.jpg', '.jpeg')
DEPTHS = ('.png', '.tif', '.tiff', '.npy')

_DAMAGED = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)  # what Pillow and numpy raise on bad files
_COLOURS = ('RGB', 'RGBA', 'L', 'P', 'LA')


def read_picture(source: Path | bytes, name: str, pixels: int) -> np.ndarray:
    """[H,W,3] uint8 RGB of a PNG or JPEG, from its file or bytes; ``pixels`` is the most that are decoded."""
    picture = _open(source, name, pixels, ('PNG', 'JPEG'))
    if picture.mode not in _COLOURS:
        raise NotRead(f'{name}: expected a picture with 8 bits a channel, got mode {picture.mode}')
    return np.array(_load(picture.convert, 'RGB', name=name))


def read_depth(source: Path | bytes, name: str, pixels: int, unit: DepthUnit) -> np.ndarray:
    """[H,W] float32 metres, NaN unknown: integers (PNG, TIFF, npy) or floats (TIFF, npy) in ``unit``."""
    return unit.metres(depth_values(source, name, pixels), name)


def depth_values(source: Path | bytes, name: str, pixels: int) -> np.ndarray:
    """[H,W] integers (PNG, TIFF, npy) or floats (TIFF, npy) of a depth map, as they are written."""
    if isinstance(source, Path) and source.suffix.lower() == '.npy':
        return _numpy(source, name, pixels)
    picture = _open(source, name, pixels, ('PNG', 'TIFF'))
    return _load(np.array, picture, name=name)


def _open(source: Path | bytes, name: str, pixels: int, formats: tuple[str, ...]) -> Image.Image:
    try:
        picture = Image.open(source if isinstance(source, Path) else BytesIO(source), formats=formats)
    except _DAMAGED as error:
        raise Damaged(f'{name}: expected a {" or ".join(formats)} picture, got: {error}') from None
    if picture.width * picture.height > pixels:
        raise NotRead(f'{name}: expected at most {pixels} pixels, got {picture.width}x{picture.height}')
    return picture


def _load(decode, *arguments, name: str) -> np.ndarray:
    try:
        return decode(*arguments)
    except _DAMAGED as error:
        raise Damaged(f'{name}: expected a whole picture, got: {error}') from None


def _numpy(path: Path, name: str, pixels: int) -> np.ndarray:
    try:
        values = np.load(path, mmap_mode='r', allow_pickle=False)
    except _DAMAGED as error:
        raise Damaged(f'{name}: expected a numpy array, got: {error}') from None
    if values.size > pixels:
        raise NotRead(f'{name}: expected at most {pixels} values, got {list(values.shape)}')
    return np.asarray(values)
