"""Encodings of images and depth maps that cameras publish: the same scene comes out of each, or its name is told."""

from __future__ import annotations

import struct
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from recorded import BagFile, Read, read_here

from hoigen.messages import decode
from hoigen.sources.recording.bag import rgb_of
from hoigen.sources.recording.bag_depth import depth_values_of, rvl_values
from hoigen.sources.recording.options import Damaged, NotRead

SIZE = (16, 12)
K = np.array([[100.0, 0, 7.5], [0, 100, 5.5], [0, 0, 1]])
RED, BLUE = (200, 60, 30), (20, 90, 220)
SCENE = np.tile(np.array([RED] * 8 + [BLUE] * 8, np.uint8), (12, 1, 1))


def bayer(order: str) -> np.ndarray:
    """The scene behind a mosaic of colour filters."""
    mosaic = np.empty(SCENE.shape[:2], np.uint8)
    for place, colour in enumerate(order):
        at = np.s_[place // 2 :: 2, place % 2 :: 2]
        mosaic[at] = SCENE[at][..., 'rgb'.index(colour)]
    return mosaic


def yuv(first: str) -> np.ndarray:
    """The scene as brightness and, in turns, the two colour differences of BT.601."""
    r, g, b = np.moveaxis(SCENE.astype(float), -1, 0)
    y = 16 + (65.481 * r + 128.553 * g + 24.966 * b) / 255
    u = 128 + (-37.797 * r - 74.203 * g + 112 * b) / 255
    v = 128 + (112 * r - 93.786 * g - 18.214 * b) / 255
    colour = np.where(np.arange(SIZE[0]) % 2 == 0, u, v)
    return np.rint(np.stack([colour, y] if first == 'u' else [y, colour], -1)).astype(np.uint8)


OPAQUE = np.concatenate([SCENE, np.full((*SCENE.shape[:2], 1), 255, np.uint8)], -1)
ENCODED = {
    'rgb8': SCENE,
    'bgr8': SCENE[..., ::-1],
    '8UC3': SCENE[..., ::-1],
    'rgba8': OPAQUE,
    'bgra8': OPAQUE[..., [2, 1, 0, 3]],
    '8UC4': OPAQUE[..., [2, 1, 0, 3]],
    'rgb16': SCENE.astype('<u2') * 257,
    'bgr16': SCENE[..., ::-1].astype('<u2') * 257,
    'yuv422': yuv('u'),
    'uyvy': yuv('u'),
    'yuv422_yuy2': yuv('y'),
    'yuyv': yuv('y'),
}
ENCODED |= {f'bayer_{order}8': bayer(order) for order in ('rggb', 'bggr', 'gbrg', 'grbg')}
ENCODED |= {f'bayer_{order}16': bayer(order).astype('<u2') * 257 for order in ('rggb', 'grbg')}
GREY = {'mono8': SCENE[..., 0], '8UC1': SCENE[..., 0], 'mono16': SCENE[..., 0].astype('<u2') * 257}


@pytest.fixture(scope='module')
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bag with a topic for each encoding."""
    path = tmp_path_factory.mktemp('encodings') / 'x'
    with BagFile(path, 'mcap') as file:
        for encoding, pixels in (ENCODED | GREY).items():
            file.image(f'/{encoding}', pixels, encoding, 1000)
    return path


@pytest.mark.parametrize('encoding', ENCODED)
def test_colours(images: Path, encoding: str) -> None:
    """Red stays red and blue blue, away from the edge between them, which a mosaic blurs."""
    (rgb,) = read_here(images, image=f'/{encoding}').rgb
    tolerance = 0 if encoding.endswith(('8', '16', '3', '4')) else 3  # YUV is rounded
    assert np.abs(rgb[2:-2, 2:6].astype(int) - RED).max() <= tolerance
    assert np.abs(rgb[2:-2, 10:14].astype(int) - BLUE).max() <= tolerance


@pytest.mark.parametrize('encoding', GREY)
def test_greys(images: Path, encoding: str) -> None:
    """Three equal channels; 16 bits are scaled to 8."""
    (rgb,) = read_here(images, image=f'/{encoding}').rgb
    np.testing.assert_array_equal(rgb, np.repeat(SCENE[..., :1], 3, -1))


@pytest.mark.parametrize('big', [0, 1])
def test_rows_with_padding_and_byte_order(big: int) -> None:
    """Of 16 bits in either byte order, in rows that are longer than their pixels: also in the live graph."""
    rows = np.zeros((12, 40), np.uint8)
    rows[:, :32] = GREY['mono16'].astype('>u2' if big else '<u2').view(np.uint8)
    message = SimpleNamespace(encoding='mono16', is_bigendian=big, height=12, width=16, step=40, data=rows.ravel())
    np.testing.assert_array_equal(decode.rgb(message), np.repeat(SCENE[..., :1], 3, -1))


@pytest.mark.parametrize('encoding', ['32SC1', '16SC1', 'nv21', 'rgb8 '])
def test_what_is_not_read_is_named(encoding: str) -> None:
    message = SimpleNamespace(encoding=encoding, is_bigendian=0, height=2, width=2, step=8, data=np.zeros(16, np.uint8))
    with pytest.raises(NotRead, match=f"'{encoding}'"):
        rgb_of(message, '/image', 100)


METRES = np.linspace(0.4, 2.0, 192, dtype=np.float32).reshape(12, 16)
METRES[0, :5] = np.nan
STEPS = np.nan_to_num(METRES * 1000).round().astype('<u2')


def compressed(values: np.ndarray, form: str, a: float = 0.0, b: float = 0.0) -> bytes:
    """As compressed_depth_image_transport writes it."""
    if form == 'png':
        return struct.pack('<iff', 0, a, b) + cv2.imencode('.png', values)[1].tobytes()
    return struct.pack('<iff', 0, a, b) + struct.pack('<ii', *values.shape[::-1]) + rvl(values.ravel().tolist())


def rvl(values: list[int]) -> bytes:
    """Wilson's code, group by group."""
    groups, at, last = list[int](), 0, 0

    def put(number: int) -> None:
        while number > 7:
            groups.append(number & 7 | 8)
            number >>= 3
        groups.append(number)

    while at < len(values):
        begin = at
        while at < len(values) and not values[at]:
            at += 1
        put(at - begin)
        begin = at
        while at < len(values) and values[at]:
            at += 1
        put(at - begin)
        for value in values[begin:at]:
            put(2 * (value - last) if value >= last else 2 * (last - value) - 1)
            last = value
    groups += [0] * (-len(groups) % 8)
    return b''.join(
        struct.pack('<I', int(''.join(f'{group:x}' for group in groups[k : k + 8]), 16))
        for k in range(0, len(groups), 8)
    )


def depth_bag(path: Path, pixels: np.ndarray | bytes, encoding: str) -> Read:
    with BagFile(path, 'mcap') as file:
        file.info('/c/camera_info', K, SIZE, 1000)
        file.image('/c/image', SCENE, 'rgb8', 1000)
        if isinstance(pixels, bytes):
            file.compressed('/c/depth', pixels, encoding, 1000)
        else:
            file.image('/c/depth', pixels, encoding, 1000)
    return read_here(path)


FAR_M, QUANTA = 10.0, 100.0
A, B = QUANTA * (QUANTA + 1), 1 - (QUANTA + 1) * QUANTA / FAR_M
INVERSE = np.nan_to_num(A / METRES + B).astype('<u2')


@pytest.mark.parametrize(
    ('pixels', 'encoding', 'within'),
    [
        (STEPS, '16UC1', 6e-4),
        (STEPS, 'mono16', 6e-4),
        (METRES, '32FC1', 0),
        (np.nan_to_num(METRES), '32FC1', 0),
        (METRES.astype('<f8'), '64FC1', 0),
        (compressed(STEPS, 'png'), '16UC1; compressedDepth', 6e-4),
        (compressed(STEPS, 'rvl'), '16UC1; compressedDepth rvl', 6e-4),
        (compressed(INVERSE, 'png', A, B), '32FC1; compressedDepth png', 2e-3),
        (compressed(INVERSE, 'rvl', A, B), '32FC1; compressedDepth rvl', 2e-3),
    ],
)
def test_depth(tmp_path: Path, pixels: np.ndarray | bytes, encoding: str, within: float) -> None:
    """One scene in metres; 0 and NaN are unknown."""
    (depth,) = depth_bag(tmp_path / 'x', pixels, encoding).depth_m
    assert depth is not None
    np.testing.assert_allclose(depth, METRES, atol=within, rtol=1e-6)


@pytest.mark.parametrize('encoding', ['16SC1', '8UC1', 'rgb8'])
def test_depth_that_is_not_read_is_named(encoding: str) -> None:
    message = SimpleNamespace(encoding=encoding, is_bigendian=0, height=2, width=2, step=8, data=np.zeros(16, np.uint8))
    with pytest.raises(NotRead, match=encoding):
        depth_values_of(message, '/depth', 100)


@pytest.mark.parametrize(
    ('data', 'form'),
    [
        (bytes(12) + b'\xff\xd8\xff\xe0' + bytes(20), '16UC1; compressedDepth jpeg'),
        (compressed(STEPS.astype('u1'), 'png'), '16UC1; compressedDepth png'),
        (compressed(STEPS, 'png'), '8UC1; compressedDepth png'),
    ],
)
def test_compressed_depth_that_is_not_read_is_named(data: bytes, form: str) -> None:
    with pytest.raises(NotRead, match=form):
        depth_values_of(SimpleNamespace(format=form, data=data), '/depth', 10**6)


@pytest.mark.parametrize('seed', range(30))
def test_rvl_of_anything(seed: int) -> None:
    """Any values come back, and no bytes make it fail otherwise than as damage."""
    rng = np.random.default_rng(seed)
    values = (rng.integers(0, 65536, (9, 7)) * (rng.random((9, 7)) < rng.random())).astype(np.uint16)
    data = struct.pack('<ii', 7, 9) + rvl(values.ravel().tolist())
    np.testing.assert_array_equal(rvl_values(data, '/d', 100), values)
    spoilt = bytearray(data)
    spoilt[int(rng.integers(8, len(data)))] ^= 1 << int(rng.integers(8))
    for wrong in (spoilt, data[: int(rng.integers(8, len(data)))], struct.pack('<ii', 7, 9) + rng.bytes(40)):
        with suppress(Damaged):
            assert rvl_values(bytes(wrong), '/d', 100).shape == (9, 7)


def test_compressed_depth_that_is_cut() -> None:
    for length in (0, 11, 13, 19):
        message = SimpleNamespace(format='16UC1; compressedDepth rvl', data=compressed(STEPS, 'rvl')[:length])
        with pytest.raises(Damaged):
            depth_values_of(message, '/d', 10**6)
