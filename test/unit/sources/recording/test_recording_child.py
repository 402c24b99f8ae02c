"""The child process: its limits hold, and whatever it does its parent goes on with one clear error."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image
from recorded import draw_video, picture

from hoigen.sources.recording import Recording, RecordingError, RecordingOptions, open_recording, read_still
from hoigen.untrusted.limits import Limits
from hoigen.untrusted.pipe import PipeClosed, PipeSlow, receive_head, receive_into, send


@pytest.fixture(scope='module')
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """200 frames of 720 kB: the pipe holds one of them."""
    return draw_video(
        tmp_path_factory.mktemp('video') / 'long.mp4', list(range(0, 8000, 40)), (640, 384), preset='ultrafast'
    )


def child_of(recording: Recording) -> psutil.Process:
    return psutil.Process(recording._child.pid)


def read_until_it_fails(recording: Recording, act: Callable[[psutil.Process], None], error: str) -> list[int]:
    """Stamps in ms of all that comes when ``act`` is done to the child after the first stretch."""
    stretches = recording.stretches(10)
    stamps = [(next(stretches).stamps_ns // 10**6).tolist()]
    act(child_of(recording))
    with pytest.raises(RecordingError, match=error):
        stamps.extend((footage.stamps_ns // 10**6).tolist() for footage in stretches)
    return list(itertools.chain(*stamps))


@pytest.mark.parametrize('size', [None, (1280, 768)])
@pytest.mark.parametrize('number', [signal.SIGSEGV, signal.SIGKILL])
def test_death_of_the_child(video: Path, number: signal.Signals, size: tuple[int, int] | None) -> None:
    """What came before is given, then one error tells the file and the signal; also when half a frame was sent."""
    with open_recording(video, RecordingOptions(size=size)) as recording:
        stamps = read_until_it_fails(
            recording, lambda child: child.send_signal(number), rf'long\.mp4: the decoder died by signal {number.name}'
        )
    assert stamps == list(range(0, 40 * len(stamps), 40))
    assert 10 <= len(stamps) < 200


def test_a_decoder_that_stands_still(video: Path) -> None:
    with open_recording(video) as recording:
        child, stretches = child_of(recording), recording.stretches(10)
        read = [next(stretches)]
        recording.options = RecordingOptions(limits=Limits(timeout_s=0.5))  # the next stretch is being read already
        read.append(next(stretches))
        child.suspend()
        with pytest.raises(RecordingError, match=r'one frame took longer than 0\.5 s'):
            read.extend(stretches)
        stamps = np.concatenate([footage.stamps_ns for footage in read]) // 10**6
        assert stamps.tolist() == list(range(0, 40 * len(stamps), 40))
        child.wait(600)


def test_child_ends_with_the_recording(video: Path) -> None:
    """No process is left behind, whether the recording was read or not."""
    with open_recording(video) as recording:
        child = child_of(recording)
        next(recording.stretches(3))
    assert not child.is_running()


def test_memory_does_not_grow_with_the_length(tmp_path: Path) -> None:
    """1,400 frames of 180 kB go through a child that holds a few of them."""
    path = draw_video(tmp_path / 'v.mp4', list(range(0, 60_000, 40)), (320, 192), preset='ultrafast')
    with open_recording(path, RecordingOptions(limits=Limits(memory_mb=1024))) as recording:
        assert 'PyAV' in recording.describe()
        used = [child_of(recording).memory_info().rss >> 20 for _ in recording.stretches(100)]
    assert len(used) == 15
    assert used[-2] - used[1] < 20


def test_memory_limit(tmp_path: Path) -> None:
    """A small file that is a huge picture: the child runs out of memory, not the machine."""
    Image.fromarray(np.zeros((13000, 13000), np.uint8)).save(tmp_path / '1.5.png')
    assert (tmp_path / '1.5.png').stat().st_size < 500_000
    with pytest.raises(RecordingError, match='decoding needs more than the 1024 MB it may use'):
        open_recording(tmp_path, RecordingOptions(limits=Limits(memory_mb=1024, pixels=200_000_000)))


def test_a_single_image_is_decoded_by_a_child_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At its own size; a broken file is one error, and nothing of it is opened in this process."""
    monkeypatch.setattr(Image, 'open', lambda *a, **k: pytest.fail('opened in this process'))
    rgb = np.random.default_rng(0).integers(0, 256, (31, 901, 3), np.uint8)
    Image.fromarray(rgb).save(tmp_path / 'whole.png')
    assert np.array_equal(read_still(tmp_path / 'whole.png'), rgb)
    (tmp_path / 'cut.png').write_bytes((tmp_path / 'whole.png').read_bytes()[:4000])
    (tmp_path / 'page.png').write_text('<html>')
    for name, says in (
        ('cut.png', 'image: expected a whole image, got what cannot be read'),
        ('page.png', 'image: expected a PNG, .* image, got a web page in place of the file'),
        ('absent.png', 'image: expected a PNG, .* image, got what cannot be read: .*No such file'),
    ):
        with pytest.raises(RecordingError, match=f'{name}: {says}'):
            read_still(tmp_path / name)


def test_pixel_limit(tmp_path: Path) -> None:
    """Such a picture is not decoded at all where its size is told beforehand."""
    Image.fromarray(np.zeros((9000, 9000), np.uint8)).save(tmp_path / '1.5.png')
    with pytest.raises(RecordingError, match='at most 64000000 pixels, got 9000x9000'):
        open_recording(tmp_path)


def test_time_limit(video: Path) -> None:
    """A decoder that does not answer is ended."""
    with pytest.raises(RecordingError, match=r'long\.mp4: one frame took longer than 0\.02 s'):
        open_recording(video, RecordingOptions(limits=Limits(timeout_s=0.02)))


def test_processor_time_limit() -> None:
    """A decoder in an endless loop ends by itself, also when nobody waits for it any more."""
    code = 'from hoigen.untrusted.limits import Limits, limit\nlimit(Limits(timeout_s=0.1))\nwhile True: pass'
    done = subprocess.run(
        [sys.executable, '-c', code], cwd=Path(__file__).parents[4], check=False, timeout=600, capture_output=True
    )
    assert done.returncode == -signal.SIGXCPU, done.stderr


def test_file_limit(tmp_path: Path) -> None:
    """The child cannot fill the disk."""
    code = (
        'from hoigen.untrusted.limits import Limits, limit\n'
        'limit(Limits(memory_mb=1024))\nimport os\n'
        f'with open({str(tmp_path / "x")!r}, "wb") as file: os.truncate(file.fileno(), 2**31)'
    )
    done = subprocess.run(
        [sys.executable, '-c', code],
        cwd=Path(__file__).parents[4],
        check=False,
        timeout=600,
        capture_output=True,
        text=True,
    )
    assert 'File too large' in done.stderr


def test_read_once(video: Path) -> None:
    with open_recording(video, RecordingOptions(duration_s=0.1)) as recording:
        assert sum(len(footage.rgb) for footage in recording.stretches(2)) == 3
        with pytest.raises(RecordingError, match='open it again'):
            next(recording.stretches(2))


def test_what_the_options_say_arrives(video: Path) -> None:
    """Size, pace, part and count reach the child and come back."""
    options = RecordingOptions(size=(64, 64), rate_hz=5.0, start_s=1.0, duration_s=2.0)
    with open_recording(video, options) as recording:
        assert recording.count == 11
        (footage,) = recording.stretches(100)
    assert footage.rgb.shape == (10, 64, 64, 3)
    assert footage.stamps_ns.tolist() == [(1000 + 200 * n) * 10**6 for n in range(10)]
    middle = picture(25, (640, 384))[:, 128:512].reshape(64, 6, 64, 6, 3).mean((1, 3))
    assert np.abs(footage.rgb[0] - middle).mean() < 6


@pytest.mark.parametrize(
    ('wrong', 'says'),
    [
        ({'size': (4, 4)}, 'size: expected at least 16x16'),
        ({'rate_hz': 0.0}, 'rate_hz: expected > 0'),
        ({'start_s': -1.0}, 'start_s: expected >= 0'),
        ({'duration_s': float('nan')}, 'duration_s: expected > 0'),
    ],
)
def test_options_that_cannot_be_kept(wrong: dict, says: str) -> None:
    with pytest.raises(RecordingError, match=says):
        RecordingOptions(**wrong)


def test_pipe_reads_numbers_only() -> None:
    """What is cut, too long or no table is a closed pipe; what does not come is a slow one."""
    reading, writing = os.pipe()
    send(writing, {'a': 1}, (np.arange(3, dtype=np.int32),))
    assert receive_head(reading, 1.0) == {'a': 1}
    numbers = np.zeros(3, np.int32)
    receive_into(reading, numbers, 1.0)
    assert numbers.tolist() == [0, 1, 2]
    with pytest.raises(PipeSlow):
        receive_head(reading, 0.01)
    for bad in (b'\xff\xff\xff\x7f', b'\x02\0\0\0[]', b'\x02\0\0\0{{'):
        os.write(writing, bad)
        with pytest.raises(PipeClosed):
            receive_head(reading, 1.0)
    os.write(writing, b'\x09\0')
    os.close(writing)
    with pytest.raises(PipeClosed):
        receive_head(reading, 1.0)
    os.close(reading)
