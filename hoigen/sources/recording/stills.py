"""Single images and depth maps, decoded strictly: what is cut short or too large is refused, never filled in."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image

from hoigen.sources.recording.content import foreign
from hoigen.sources.recording.depth import DepthUnit
from hoigen.sources.recording.options import Damaged, NotRead

PICTURES = ('.png', '.jpg', '.jpeg', '.webp', '.bmp', '.tif', '.tiff')
DEPTHS = ('.png', '.tif', '.tiff', '.npy')

_8_BITS = ('RGB', 'RGBA', 'RGBX', 'L', 'P', 'LA', 'PA', '1', 'YCbCr')
"""Pillow's modes that become RGB without a guess; CMYK would need its colour profile."""
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""By EXIF's orientation, what makes an image upright."""


def read_picture(source: Path | bytes, name: str, pixels: int, *, as_stored: bool = False) -> np.ndarray:
    """[H,W,3] uint8 RGB of a PNG, JPEG, WebP, BMP or TIFF, from its file or bytes, rotated as its EXIF says.

    pixels: the most that are decoded. as_stored: of an image with depth or a calibration, which might be of the stored
    pixels or of the rotated ones: NotRead where the two differ.
    """
    picture = _open(source, name, pixels, ('PNG', 'JPEG', 'WEBP', 'BMP', 'TIFF'))
    if picture.mode not in _8_BITS:
        raise NotRead(
            f'{name}: expected an image in RGB or grey of 8 bits a channel, got {picture.mode}, which is not read'
        )
    with _decoding(name, 'an image'):
        several = getattr(picture, 'is_animated', False) and picture.format != 'MPO'  # a photo with its preview
    if several:
        raise NotRead(f'{name}: expected one image in a file, got several')
    orientation = _orientation(picture)
    if as_stored and orientation in _UPRIGHT:
        raise NotRead(
            f'{name}: expected an image stored upright, as its depth or calibration may be of either way, '
            f'got EXIF orientation {orientation}: save it upright'
        )
    with _decoding(name, 'a whole image'):
        rgb = picture.convert('RGB')
    if orientation in _UPRIGHT and picture.format != 'TIFF':  # which Pillow rotates itself
        rgb = rgb.transpose(_UPRIGHT[orientation])
    return np.array(rgb)


def read_depth(source: Path | bytes, name: str, pixels: int, unit: DepthUnit) -> np.ndarray:
    """[H,W] float32 metres, NaN unknown: integers (PNG, TIFF, npy) or floats (TIFF, npy) in ``unit``."""
    return unit.metres(depth_values(source, name, pixels), name)


def depth_values(source: Path | bytes, name: str, pixels: int) -> np.ndarray:
    """[H,W] integers (PNG, TIFF, npy) or floats (TIFF, npy) of a depth map, as they are written."""
    if isinstance(source, Path) and source.suffix.lower() == '.npy':
        return _numpy(source, name, pixels)
    picture = _open(source, name, pixels, ('PNG', 'TIFF'))
    with _decoding(name, 'a whole image'):
        return np.array(picture)


def _open(source: Path | bytes, name: str, pixels: int, formats: tuple[str, ...]) -> Image.Image:
    with _decoding(name, f'a {", ".join(formats)} image', source):
        picture = Image.open(source if isinstance(source, Path) else BytesIO(source), formats=formats)
    if picture.width * picture.height > pixels:
        raise NotRead(f'{name}: expected at most {pixels} pixels, got {picture.width}x{picture.height}')
    return picture


def _orientation(picture: Image.Image) -> int:
    """EXIF's orientation, 1 to 8; 1 where there is none, or none that can be read, as viewers take it."""
    try:
        with _decoding('EXIF', 'an orientation'):
            return picture.getexif().get(ExifTags.Base.Orientation, 1)
    except Damaged:
        return 1


def _numpy(path: Path, name: str, pixels: int) -> np.ndarray:
    with _decoding(name, 'a numpy array (npy)', path):
        values = np.lib.format.open_memmap(path, mode='r')
    if values.size > pixels:
        raise NotRead(f'{name}: expected at most {pixels} values, got {list(values.shape)}')
    return np.asarray(values)


@contextmanager
def _decoding(name: str, expected: str, source: Path | bytes | None = None) -> Iterator[None]:
    """Damaged for whatever a library raises on a bad file, NotRead for a size that it does not open.

    source: of what is opened, the file or its bytes, which may be of another kind.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            yield
    except MemoryError:
        raise
    except Image.DecompressionBombError as error:
        raise NotRead(f'{name}: expected {expected} of a size that is read, got: {error}') from None
    except Exception as error:
        what = foreign(source) if source is not None else ''
        raise Damaged(f'{name}: expected {expected}, got {what or f"what cannot be read: {error}"}') from None
