"""Single pictures and depth maps, decoded strictly: what is cut short or too large is refused, never filled in."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from hoigen.sources.recording.options import Damaged, NotRead

__all__ = ['DEPTHS', 'PICTURES', 'depth_metres', 'read_depth', 'read_picture']

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


def read_depth(source: Path | bytes, name: str, pixels: int, unit_m: float) -> np.ndarray:
    """[H,W] float32 metres, NaN unknown: integers in steps of ``unit_m`` (PNG, TIFF), floats in metres (TIFF, npy)."""
    if isinstance(source, Path) and source.suffix == '.npy':
        values = _numpy(source, name, pixels)
    else:
        picture = _open(source, name, pixels, ('PNG', 'TIFF'))
        values = _load(np.array, picture, name=name)
    return depth_metres(values, name, unit_m)


def depth_metres(values: np.ndarray, name: str, unit_m: float) -> np.ndarray:
    """[H,W] float32 metres, NaN unknown, of integers in steps of ``unit_m`` or floats in metres; 0 is unknown."""
    if values.ndim != 2 or values.dtype.kind not in 'uif' or values.dtype == np.uint8:
        raise NotRead(f'{name}: expected depth [H,W] of 16 bit integers or floats, '
                      f'got {values.dtype} {list(values.shape)}')
    metres = values.astype(np.float32) * np.float32(1 if values.dtype.kind == 'f' else unit_m)
    metres[~np.isfinite(metres) | (metres == 0)] = np.nan
    behind = int((metres < 0).sum())
    if behind:
        raise NotRead(f'{name}: expected depth > 0 m, 0 or NaN where unknown, got {behind} values < 0')
    return metres


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
