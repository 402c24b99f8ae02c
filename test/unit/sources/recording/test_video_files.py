"""Videos as players show them, said to be cut short only where they are, and named where they are none."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from recorded import draw_video, grey_difference, picture, read_here

from hoigen.sources.recording import RecordingError
from hoigen.sources.recording.content import foreign

STAMPS = list(range(0, 40 * 12, 40))
SHOWN = {
    (1, 0, 0, 1): picture(1),
    (-1, 0, 0, 1): picture(1)[:, ::-1],
    (1, 0, 0, -1): picture(1)[::-1],
    (-1, 0, 0, -1): picture(1)[::-1, ::-1],
    (0, 1, -1, 0): np.rot90(picture(1), 3),
    (0, -1, 1, 0): np.rot90(picture(1)),
    (0, 1, 1, 0): picture(1).transpose(1, 0, 2),
    (0, -1, -1, 0): picture(1)[::-1, ::-1].transpose(1, 0, 2),
}
"""Frame 1 by the display matrix: where its right and its down are shown."""


@pytest.fixture(scope='module')
def video(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """moov in front; key frames at 0 and 6."""
    path = tmp_path_factory.mktemp('video') / 'v.mp4'
    draw_video(path, STAMPS, mux={'movflags': 'faststart'}, g='6', keyint_min='6', sc_threshold='0')
    return path.read_bytes()


@pytest.mark.parametrize('decoder', ['auto', 'pyav'])
def test_every_display_matrix(tmp_path: Path, video: bytes, decoder: str) -> None:
    """Front cameras mirror, phones rotate: all eight ways come as players show them, from either decoder."""
    for number, ((a, b, c, d), shown) in enumerate(SHOWN.items()):
        data = bytearray(video)
        at, one = data.find(b'tkhd') + 44, 65536
        data[at : at + 36] = struct.pack('>9i', a * one, b * one, 0, c * one, d * one, 0, 0, 0, 1 << 30)
        path = tmp_path / f'{number}.mp4'
        path.write_bytes(data)
        rgb = read_here(path, decoder=decoder).rgb[1]
        assert rgb.shape == shown.shape
        assert grey_difference(rgb, shown) < 6, (a, b, c, d)


def test_a_trimmed_video_is_not_cut_short(tmp_path: Path, video: bytes) -> None:
    """`ffmpeg -ss -c copy` keeps the frames since the last key frame and hides them by an edit list."""
    data = bytearray(video)
    at = data.find(b'elst') + 16
    (begin,) = struct.unpack('>i', data[at : at + 4])
    (scale,) = struct.unpack('>I', data[data.find(b'mdhd') + 16 :][:4])
    data[at : at + 4] = struct.pack('>i', begin + round(0.12 * scale))
    (tmp_path / 'v.mp4').write_bytes(data)
    read = read_here(tmp_path / 'v.mp4')
    assert len(read.rgb) == 9
    assert grey_difference(read.rgb[0], picture(3)) < 6
    assert read.faults == []


@pytest.mark.parametrize('ending', ['mp4', 'mkv'])
def test_a_time_lapse_is_not_cut_short(tmp_path: Path, ending: str) -> None:
    """Its last frame lasts for a minute too."""
    read = read_here(draw_video(tmp_path / f'v.{ending}', [60_000 * n for n in range(5)]))
    assert len(read.rgb) == 5
    assert read.faults == []


def test_what_is_cut_short_is_said_to_be(tmp_path: Path, video: bytes) -> None:
    (tmp_path / 'v.mp4').write_bytes(video[: -len(video) // 3])
    assert any(fault.startswith('cut short: the file says 12 frames') for fault in read_here(tmp_path / 'v.mp4').faults)


def test_an_unknown_codec_is_named(tmp_path: Path, video: bytes) -> None:
    (tmp_path / 'v.mp4').write_bytes(video.replace(b'avc1', b'wxyz'))
    with pytest.raises(RecordingError, match='in an unknown codec'):
        read_here(tmp_path / 'v.mp4')


def test_what_is_no_video_is_named(tmp_path: Path, video: bytes) -> None:
    """What downloads and copies leave behind, by its content."""
    image = tmp_path / 'image'
    Image.fromarray(picture(0)).save(image, 'PNG')
    moov = video.find(b'moov') - 4
    end = moov + int.from_bytes(video[moov : moov + 4])
    for content, says in (
        (b'', 'an empty file'),
        (bytes(4096), 'a file of zeros'),
        (b'\n<!DOCTYPE html><html>Not found</html>', 'a web page'),
        (b'version https://git-lfs.github.com/spec/v1\noid sha256:0\n', 'git lfs pull'),
        (b'PK\x03\x04' + bytes(64), 'a zip archive'),
        (image.read_bytes(), 'a PNG image'),
        (video[:moov] + video[end:], r'without its index \(moov\)'),
        (b'\x89MCAP0\r\n' + bytes(64), 'give it the ending .mcap'),
        (b'nothing known' * 9, 'cannot be read as one'),
    ):
        (tmp_path / 'v.mp4').write_bytes(content)
        with pytest.raises(RecordingError, match=f'expected a video.* got .*{says}'):
            read_here(tmp_path / 'v.mp4')
    assert foreign(tmp_path / 'absent') == ''


def test_what_is_no_image_is_named(tmp_path: Path) -> None:
    """The same of images in a folder, where a data set was cloned without its files."""
    for number in range(2):
        (tmp_path / f'{number}.5.png').write_bytes(b'version https://git-lfs.github.com/spec/v1\n')
    read = read_here(tmp_path)
    assert read.damaged == [0, 1]
