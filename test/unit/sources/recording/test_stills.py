"""Single images as viewers show them, and bad ones as one clear error, whatever is done to their bytes."""

from __future__ import annotations

import io
import random
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from recorded import BagFile, read_here, write_calibration

from hoigen.sources.recording import RecordingError
from hoigen.sources.recording.depth import DepthUnit
from hoigen.sources.recording.options import Damaged, NotRead
from hoigen.sources.recording.stills import read_depth, read_picture

LIMIT = 10**6
GREY = np.arange(8 * 12, dtype=np.uint8).reshape(8, 12).repeat(8, 0).repeat(8, 1)
STORED = np.stack([GREY, GREY, GREY // 2], axis=-1)
UPRIGHT = {
    1: STORED,
    2: STORED[:, ::-1],
    3: STORED[::-1, ::-1],
    4: STORED[::-1],
    5: STORED.transpose(1, 0, 2),
    6: np.rot90(STORED, 3),
    7: STORED[::-1, ::-1].transpose(1, 0, 2),
    8: np.rot90(STORED),
}
"""What viewers show of an image that is stored so, by its EXIF orientation."""


def encoded(kind: str, orientation: int = 1, **options: object) -> bytes:
    exif, held = Image.Exif(), io.BytesIO()
    exif[0x112] = orientation
    own = {'WEBP': {'lossless': True}, 'JPEG': {'quality': 95}}.get(kind, {})
    Image.fromarray(STORED).save(held, kind, **(own | ({} if kind == 'BMP' else {'exif': exif}) | options))
    return held.getvalue()


@pytest.mark.parametrize(
    ('kind', 'options'), [('PNG', {}), ('JPEG', {}), ('WEBP', {}), ('TIFF', {}), ('TIFF', {'compression': 'tiff_lzw'})]
)
def test_exif_orientation(kind: str, options: dict[str, str]) -> None:
    for orientation, shown in UPRIGHT.items():
        rgb = read_picture(encoded(kind, orientation, **options), 'x', LIMIT)
        assert rgb.shape == shown.shape
        assert np.abs(rgb.astype(int) - shown).mean() < 2, orientation


def test_an_unreadable_orientation_is_none() -> None:
    """Viewers show such a photo as it is stored."""
    data = bytearray(encoded('JPEG', 6))
    begin = data.find(b'Exif') + 6
    data[begin : begin + 4] = b'????'
    assert read_picture(bytes(data), 'x', LIMIT).shape == STORED.shape


def test_a_rotated_photo_with_a_calibration_is_refused(tmp_path: Path) -> None:
    """The calibration may be of the stored pixels or of the upright ones; without one the photo is shown upright."""
    (tmp_path / '1.5.jpg').write_bytes(encoded('JPEG', 3))
    assert np.abs(read_here(tmp_path).rgb[0].astype(int) - UPRIGHT[3]).mean() < 2
    write_calibration(tmp_path, (96, 64))
    read = read_here(tmp_path)
    assert read.not_read == [0]
    with pytest.raises(NotRead, match=r'1\.5\.jpg: expected an image stored upright.*got EXIF orientation 3'):
        read_picture(tmp_path / '1.5.jpg', '1.5.jpg', LIMIT, as_stored=True)


def test_a_compressed_image_is_upright_too(tmp_path: Path) -> None:
    with BagFile(tmp_path / 'bag', 'mcap') as bag:
        bag.compressed('/camera/compressed', encoded('JPEG', 6), 'jpeg', 5)
    assert read_here(tmp_path / 'bag').rgb[0].shape == UPRIGHT[6].shape


@pytest.mark.parametrize('name', ['1.5.webp', '1.5.bmp', '1.5.tif', '1.5.TIFF', '1.5.PNG'])
def test_kinds_of_images_in_a_folder(tmp_path: Path, name: str) -> None:
    kind = {'webp': 'WEBP', 'bmp': 'BMP', 'png': 'PNG'}.get(name[4:].lower(), 'TIFF')
    (tmp_path / name).write_bytes(encoded(kind))
    assert np.array_equal(read_here(tmp_path).rgb[0], STORED)


@pytest.mark.parametrize('mode', ['L', 'P', 'RGBA', '1'])
def test_modes_that_are_rgb_without_a_guess(mode: str) -> None:
    held = io.BytesIO()
    picture = Image.fromarray(STORED).convert(mode)
    picture.save(held, 'PNG')
    assert np.array_equal(read_picture(held.getvalue(), 'x', LIMIT), np.array(picture.convert('RGB')))


def test_what_is_not_read_is_named() -> None:
    """A mode without a single meaning in RGB, several images in one file, more pixels than are decoded."""
    cmyk, pages = io.BytesIO(), io.BytesIO()
    Image.fromarray(STORED).convert('CMYK').save(cmyk, 'JPEG')
    Image.fromarray(STORED).save(pages, 'TIFF', save_all=True, append_images=[Image.fromarray(STORED)])
    for data, says in (
        (cmyk.getvalue(), 'x: expected .*, got CMYK, which is not read'),
        (pages.getvalue(), 'x: expected one image in a file, got several'),
    ):
        with pytest.raises(NotRead, match=says):
            read_picture(data, 'x', LIMIT)
    with pytest.raises(NotRead, match='x: expected at most 100 pixels, got 96x64'):
        read_picture(encoded('PNG'), 'x', 100)
    header = bytearray(encoded('PNG'))
    header[16:24] = b'\0\0\x7f\xff\0\0\x7f\xff'
    with pytest.raises(RecordingError, match='x: expected'):
        read_picture(bytes(header), 'x', LIMIT)


def test_bytes_changed_at_will() -> None:
    """Of any bytes either an image or one clear error with the name comes, and no warning."""
    draws = random.Random(0)
    whole = [encoded(kind, 6) for kind in ('PNG', 'JPEG', 'WEBP', 'TIFF', 'BMP')]
    refused = 0
    for _ in range(1500):
        data = bytearray(draws.choice(whole))
        for _ in range(draws.randint(1, 6)):
            data[draws.randrange(min(len(data), draws.choice([40, 200, 10**6])))] = draws.choice(
                [0, 255, draws.randrange(256)]
            )
        try:
            read_picture(bytes(data[: draws.randrange(len(data))] if draws.random() < 0.3 else data), 'x.png', LIMIT)
        except RecordingError as error:
            refused += str(error).startswith('x.png: expected')
    assert 300 < refused < 1500


def test_numpy_headers_changed_at_will(tmp_path: Path) -> None:
    """Headers are written by strangers: pickles, huge shapes, foreign types and broken text are refused by name."""
    held, draws, path = io.BytesIO(), random.Random(0), tmp_path / 'd.npy'
    np.save(held, np.ones((8, 12), np.float32))
    refused = 0
    for _ in range(1000):
        data = bytearray(held.getvalue())
        for _ in range(draws.randint(1, 4)):
            data[draws.randrange(90)] = draws.choice(b"0123456789<>fiuO(),'{}: \n\0\xff")
        path.write_bytes(data)
        try:
            read_depth(path, 'd.npy', LIMIT, DepthUnit())
        except RecordingError as error:
            refused += str(error).startswith('d.npy: expected')
    assert 600 < refused < 1000
    np.savez(tmp_path / 'd.npz', np.ones((8, 12)))
    (tmp_path / 'd.npz').rename(path)
    with pytest.raises(Damaged, match=r'd\.npy: expected a numpy array \(npy\)'):
        read_depth(path, 'd.npy', LIMIT, DepthUnit())
