"""Damaged bags: the frames of what is whole, a stretch for each part between holes, and one line of what is wrong."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from recorded import BagFile, read_here

from hoigen.sources.recording import RecordingError, open_recording

KINDS = ('mcap', 'ros1')


def noise(number: int) -> np.ndarray:
    """480 kB that do not compress: three of them fill a chunk."""
    return np.random.default_rng(number).integers(0, 256, (400, 400, 3)).astype(np.uint8)


def bag(folder: Path, kind: str, *, packed: bool | str = True, frames: int = 15) -> Path:
    path = folder / ('x.bag' if kind == 'ros1' else 'x')
    with BagFile(path, kind, packed=packed) as file:
        for number in range(frames):
            file.image('/image', noise(number), 'rgb8', 100 * number, log_ms=100 * number)
    return path


def file_of(path: Path) -> Path:
    return path if path.is_file() else next(p for p in path.iterdir() if p.suffix != '.yaml')


def spoil(path: Path, chunk: int) -> None:
    """Overwrite the beginning of a chunk's compressed bytes."""
    magic = b'\x28\xb5\x2f\xfd' if path.is_dir() else b'\x04\x22\x4d\x18'
    before, *chunks = file_of(path).read_bytes().split(magic)
    chunks[chunk] = b'\xff' * 16 + chunks[chunk][16:]
    file_of(path).write_bytes(magic.join([before, *chunks]))


@pytest.mark.parametrize('kind', KINDS)
def test_a_damaged_chunk(tmp_path: Path, kind: str) -> None:
    """The frames of all the other chunks are given, and nothing spans the hole."""
    path = bag(tmp_path, kind)
    whole = read_here(path)
    assert whole.faults == []
    spoil(path, 2)
    with open_recording(path) as recording:
        stretches = list(recording.stretches(100))
        faults = recording.faults
    stamps = [(stretch.stamps_ns // 10**6).tolist() for stretch in stretches]
    assert len(stamps) == 2
    assert stamps[0] == list(range(0, 100 * len(stamps[0]), 100))
    assert stamps[1][-1] == 1400
    assert 11 <= sum(map(len, stamps)) < 15
    assert all(
        (stretch.rgb[k] == noise(stamp // 100)).all()
        for stretch, part in zip(stretches, stamps, strict=True)
        for k, stamp in enumerate(part)
    )
    assert '1 damaged parts of the bag left out, the first: a chunk of messages at byte' in faults[0]
    assert faults[1] == f'/image: expected 15 messages, as the bag says itself, got {sum(map(len, stamps))}'


@pytest.mark.parametrize('kind', ['mcap', 'sqlite3'])
@pytest.mark.parametrize('packed', ['file', 'message'])
def test_compression_by_rosbag2(tmp_path: Path, kind: str, packed: str) -> None:
    """Files that are compressed whole, and messages one by one; damage of one leaves the others."""
    path = bag(tmp_path, kind, packed=packed, frames=3)
    assert all((rgb == noise(n)).all() for n, rgb in enumerate(read_here(path).rgb))
    if packed == 'message':
        data = file_of(path).read_bytes()
        last = data.rindex(b'\x28\xb5\x2f\xfd')
        file_of(path).write_bytes(data[:last] + bytes(8) + data[last + 8 :])
        read = read_here(path)
        assert len(read.stamps_ms) == 2
        assert 'a message of /image: ' in read.faults[0]
    else:
        file_of(path).write_bytes(file_of(path).read_bytes()[:-1000])
        with pytest.raises(RecordingError, match='damaged or was never closed'):
            read_here(path)


@pytest.mark.parametrize('kind', KINDS)
def test_the_only_chunk_is_damaged(tmp_path: Path, kind: str) -> None:
    path = bag(tmp_path, kind, frames=2)
    spoil(path, 0)
    with pytest.raises(RecordingError, match=r'x(\.bag)?: expected a bag with images, got a damaged one'):
        open_recording(path)


@pytest.mark.parametrize('count', [4, 8])
@pytest.mark.parametrize('kind', KINDS)
def test_inserted_bytes(tmp_path: Path, kind: str, count: int) -> None:
    """Where all that follows is moved: damage, with what to do, and no word of memory."""
    path = bag(tmp_path, kind, packed=False, frames=4)
    data = file_of(path).read_bytes()
    file_of(path).write_bytes(data[:700_000] + bytes(range(count)) + data[700_000:])
    with pytest.raises(RecordingError) as told:
        open_recording(path)
    assert 'damaged or was never closed' in str(told.value)
    assert ('hoigen recover' if kind == 'mcap' else 'rosbag reindex') in str(told.value)
    assert 'MB' not in str(told.value)


def test_fewer_messages_than_promised(tmp_path: Path) -> None:
    """metadata.yaml says how many there are."""
    path = bag(tmp_path, 'mcap', frames=3)
    told = path / 'metadata.yaml'
    told.write_text(told.read_text().replace('message_count: 3', 'message_count: 9'))
    assert read_here(path).faults == ['/image: expected 9 messages, as the bag says itself, got 3']


@pytest.mark.parametrize('name', ['x.mcap', 'x.bag', 'x.db3', 'x.mp4'])
@pytest.mark.parametrize(
    ('content', 'says'),
    [
        (b'', 'an empty file'),
        (b'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n', 'git lfs pull'),
        (b'\n<!DOCTYPE html>\n<html></html>', 'a web page'),
    ],
)
def test_what_stands_in_the_place_of_a_recording(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(RecordingError, match=says):
        read_here(tmp_path / name)


def test_capital_endings(tmp_path: Path) -> None:
    for kind, name in (('mcap', 'X.MCAP'), ('sqlite3', 'X.DB3'), ('ros1', 'X.BAG')):
        (tmp_path / kind).mkdir()
        file_of(bag(tmp_path / kind, kind, packed=False, frames=2)).rename(tmp_path / name)
        assert len(read_here(tmp_path / name).rgb) == 2


@pytest.mark.parametrize(
    'broken',
    [
        '',
        'x: [',
        'rosbag2_bagfile_information: 3\n',
        'rosbag2_bagfile_information:\n  relative_file_paths: [gone.mcap]\n  topics_with_message_count: []\n',
    ],
)
def test_metadata_that_is_none(tmp_path: Path, broken: str) -> None:
    path = bag(tmp_path, 'mcap', frames=1)
    (path / 'metadata.yaml').write_text(broken)
    with pytest.raises(RecordingError, match=r'^metadata\.yaml: expected [^\n]*$'):
        read_here(path)


@pytest.mark.parametrize('kind', [*KINDS, 'sqlite3'])
def test_any_damage(tmp_path: Path, kind: str) -> None:
    """Bytes overwritten anywhere: frames, or RecordingError."""
    path = bag(tmp_path, kind, packed=kind != 'sqlite3', frames=4)
    data, rng = file_of(path).read_bytes(), np.random.default_rng(3)
    ends = [*rng.integers(0, 5000, 12), *(len(data) - rng.integers(1, 3000, 24)), *rng.integers(0, len(data), 6)]
    for at in map(int, ends):
        file_of(path).write_bytes(data[:at] + rng.bytes(8) + data[at + 8 :])
        with suppress(RecordingError):
            read_here(path)
