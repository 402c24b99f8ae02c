"""Videos: true stamps, true pictures from either decoder, and no picture that was not recorded."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import av
import numpy as np
import pytest
from recorded import (
    draw_video,
    grey_difference,
    picture,
    read_here,
    turn_quarter,
    write_growing_video,
    write_jpegs,
)

from hoigen.sources.recording import RecordingError, open_recording
from hoigen.sources.recording.fit import SizeChange, fit_of
from hoigen.sources.recording.instants import Faults
from hoigen.sources.recording.video_av import AvPictures, scan
from hoigen.sources.recording.video_decord import DecordFailed, DecordPictures
from hoigen.untrusted.limits import Limits

VARYING = [40, 57, 120, 133, 133 + 250, 400, 460, 475, 520, 533, 600, 711]
STEADY = list(range(0, 40 * 60, 40))
DECODERS = ('auto', 'pyav')
DECORD = find_spec('decord') is not None
needs_decord = pytest.mark.skipif(not DECORD, reason='decord has no wheel for this machine')


@pytest.fixture(scope='module')
def steady(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 frames at 25 Hz, a key frame every 20, moov in front so that a cut leaves a file that opens."""
    return draw_video(
        tmp_path_factory.mktemp('steady') / 'v.mp4',
        STEADY,
        mux={'movflags': 'faststart'},
        g='20',
        keyint_min='20',
        sc_threshold='0',
    )


@pytest.fixture(scope='module', params=['libx264', 'mpeg4'])
def wide(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same at 320x192: in packets of a few bytes a codec cannot find damage."""
    return draw_video(
        tmp_path_factory.mktemp('wide') / 'v.mp4',
        STEADY,
        (320, 192),
        codec=request.param,
        g='20',
        keyint_min='20',
        sc_threshold='0',
    )


@pytest.mark.parametrize('decoder', DECODERS)
@pytest.mark.parametrize('ending', ['mp4', 'mkv', 'ts'])
def test_varying_rate_keeps_its_stamps(tmp_path: Path, decoder: str, ending: str) -> None:
    """Frames come at the times at which they were taken, beginning at the file's own, with the pictures of then."""
    read = read_here(draw_video(tmp_path / f'v.{ending}', VARYING), decoder=decoder)
    begins = VARYING[0] if ending == 'mp4' else read.stamps_ms[0]  # the others' writers move the start
    tolerance = 0.01 if ending == 'ts' else 1e-9  # 90 kHz
    assert np.abs(np.array(read.stamps_ms) - begins - np.array(VARYING) + VARYING[0]).max() <= tolerance
    assert max(grey_difference(rgb, picture(n)) for n, rgb in enumerate(read.rgb)) < 6
    assert min(grey_difference(rgb, picture(n + 1)) for n, rgb in enumerate(read.rgb)) > 20
    assert ('decord' in read.says) == (DECORD and decoder == 'auto' and ending != 'ts')
    assert 'varying' in read.says
    assert not read.faults


@pytest.mark.parametrize('decoder', DECODERS)
def test_pace_start_and_duration(steady: Path, decoder: str) -> None:
    """Of 25 Hz, 5 Hz takes every fifth; the part is counted from the first frame."""
    read = read_here(steady, decoder=decoder, rate_hz=5.0, start_s=0.4, duration_s=1.0)
    assert read.stamps_ms == [400, 600, 800, 1000, 1200]
    assert max(grey_difference(rgb, picture(int(s) // 40)) for s, rgb in zip(read.stamps_ms, read.rgb, strict=True)) < 6


@pytest.mark.parametrize('decoder', DECODERS)
def test_cut_short_gives_what_is_whole(steady: Path, tmp_path: Path, decoder: str) -> None:
    """Of a file that was cut, every picture that comes is that of the whole file, and the rest is told."""
    data = steady.read_bytes()
    (tmp_path / 'cut.mp4').write_bytes(data[: int(len(data) * 0.6)])
    whole, read = read_here(steady, decoder='pyav'), read_here(tmp_path / 'cut.mp4', decoder=decoder)
    assert 15 < len(read.rgb) < 45
    assert all(np.array_equal(a, b) for a, b in zip(read.rgb, whole.rgb, strict=False))
    assert any('the file says 60 frames' in fault for fault in read.faults)


def overwrite(path: Path, number: int) -> Path:
    """A copy whose packet ``number`` has a second half of noise; its length is still right."""
    with av.open(str(path)) as file:
        packet = [packet for packet in file.demux(video=0) if packet.size][number]
        begin, end = packet.pos + packet.size // 2, packet.pos + packet.size
    data = bytearray(path.read_bytes())
    data[begin:end] = np.random.default_rng(number).integers(0, 256, end - begin, np.uint8).tobytes()
    other = path.with_name(f'damaged_{number}.mp4')
    other.write_bytes(data)
    return other


@pytest.mark.parametrize('decoder', DECODERS)
@pytest.mark.parametrize('number', [0, 2, 20, 41, 47, 58])
def test_damage_is_left_out_not_smeared(wide: Path, decoder: str, number: int) -> None:
    """After damage, decoders guess pictures until the next key frame; none of them comes.

    All others do, but for the three that a decoder may hold back and loses with an error.
    """
    whole, read = read_here(wide, decoder='pyav'), read_here(overwrite(wide, number), decoder=decoder)
    true = dict(zip(whole.stamps_ms, whole.rgb, strict=True))
    assert all(np.array_equal(true[stamp], rgb) for stamp, rgb in zip(read.stamps_ms, read.rgb, strict=True))
    assert read.damaged
    assert set(read.damaged) <= set(range(max(number // 20 * 20 - 3, 0), (number // 20 + 1) * 20))
    assert len(read.rgb) + len(read.damaged) == 60


def test_no_stretch_has_a_hole(wide: Path) -> None:
    """A stretch ends before damaged frames: motion is measured between neighbours."""
    with open_recording(overwrite(wide, 30)) as recording:
        stamps = [footage.stamps_ns for footage in recording.stretches(100)]
        assert len(stamps) > 1
        assert all((np.diff(part) == 40_000_000).all() for part in stamps)
        assert any('damaged' in fault for fault in recording.faults)


def test_one_frame(tmp_path: Path) -> None:
    """A video of one frame is a stretch of one."""
    with open_recording(draw_video(tmp_path / 'one.mp4', [0])) as recording:
        (footage,) = recording.stretches(8)
    assert footage.rgb.shape == (1, 64, 96, 3)
    assert footage.depth_m is None
    assert footage.K is None


def test_no_frame(tmp_path: Path) -> None:
    """A video without a frame is refused when it is opened, by its name."""
    with av.open(str(tmp_path / 'none.mp4'), 'w') as file:
        stream = file.add_stream('libx264', rate=30)
        stream.width, stream.height, stream.pix_fmt = 96, 64, 'yuv420p'
        stream.codec_context.open()
        file.start_encoding()
    with pytest.raises(RecordingError, match=r'none\.mp4: expected'):
        open_recording(tmp_path / 'none.mp4')


@pytest.mark.parametrize('content', [b'', b'not a video at all' * 100])
def test_not_a_video(tmp_path: Path, content: bytes) -> None:
    (tmp_path / 'x.mp4').write_bytes(content)
    with pytest.raises(RecordingError, match='expected a video'):
        read_here(tmp_path / 'x.mp4')


def test_playlists_are_not_followed(steady: Path) -> None:
    """A text that names other files, or addresses, is not a video, whatever it is called."""
    playlist = f'#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{steady}\n#EXT-X-ENDLIST\n'
    for number, text in enumerate((playlist, f"ffconcat version 1.0\nfile '{steady.name}'\n")):
        path = steady.with_name(f'list_{number}.mp4')
        path.write_text(text)
        with pytest.raises(RecordingError, match='expected a video'):
            read_here(path)


def test_size_changes(tmp_path: Path) -> None:
    """The recording ends before the first picture of another size, and says which and how large."""
    path = write_jpegs(tmp_path / 'v.avi', [(96, 64)] * 5 + [(64, 48)] * 3)
    with open_recording(path) as recording:
        (footage,) = recording.stretches(8)
        assert len(footage.rgb) == 5
        (fault,) = recording.faults
    assert 'frame 5: expected pictures of 96x64, got 64x48' in fault


@pytest.mark.parametrize('decoder', DECODERS)
def test_size_changes_within_the_stream(tmp_path: Path, decoder: str) -> None:
    """decord would scale such pictures to the first size and say nothing."""
    read = read_here(write_growing_video(tmp_path / 'v.mp4', [(96, 64), (64, 48)], 5), decoder=decoder)
    assert [rgb.shape[:2] for rgb in read.rgb] == [(64, 96)] * 5 + [(48, 64)] * 5
    assert ('decord' in read.says) == (DECORD and decoder == 'auto')


@needs_decord
def test_decord_is_held_against_key_frames_that_are_skipped(tmp_path: Path) -> None:
    """The size may have changed at one of them."""
    path = write_growing_video(tmp_path / 'v.mp4', [(96, 64), (64, 48)], 5)
    pictures = DecordPictures(path, scan(path, 10**6, Faults()))
    pictures.picture(4)
    with pytest.raises(DecordFailed):
        pictures.picture(7)


@needs_decord
def test_decord_is_held_against_the_key_frames(steady: Path, tmp_path: Path) -> None:
    """Where the two decoders do not give the same picture, decord is not believed."""
    other = draw_video(tmp_path / 'other.mp4', STEADY, (64, 96), g='20', keyint_min='20', sc_threshold='0')
    pictures = DecordPictures(steady, scan(steady, 10**6, Faults()))
    assert grey_difference(pictures.picture(0), picture(0)) < 6
    pictures = DecordPictures(steady, scan(steady, 10**6, Faults()))
    pictures._keys = iter([])
    pictures._key = next(av.open(str(other)).decode(video=0))
    with pytest.raises(DecordFailed):
        pictures.picture(0)


@needs_decord
def test_decord_with_other_stamps_is_not_used(steady: Path) -> None:
    """decord that counts other frames than PyAV would give pictures of other times."""
    found = scan(steady, 10**6, Faults())
    object.__setattr__(found, 'stamps_ns', found.stamps_ns + np.arange(60) * 2_000_000)
    with pytest.raises(DecordFailed, match='other frames'):
        DecordPictures(steady, found)


def test_pictures_by_number(steady: Path) -> None:
    """Skipping ahead, further than a key frame too, gives the frame that was asked for."""
    found = scan(steady, 10**6, Faults())
    pictures = AvPictures(steady, found, 10**6)
    assert all(grey_difference(pictures.picture(n), picture(n)) < 6 for n in (25, 26, 31, 59))


@pytest.mark.parametrize('decoder', DECODERS)
def test_turned(tmp_path: Path, decoder: str) -> None:
    """A phone's upright video comes upright, from both decoders in the same way."""
    path = draw_video(tmp_path / 'v.mp4', [0, 40, 80])
    turn_quarter(path)
    read = read_here(path, decoder=decoder)
    assert grey_difference(read.rgb[1], np.rot90(picture(1), 3)) < 6


@needs_decord
def test_long_videos_are_not_for_decord(steady: Path) -> None:
    """decord keeps what it decoded ahead: only clips that would fit into memory are given to it."""
    assert 'decord' in read_here(steady, limits=Limits(memory_mb=1024)).says
    long = draw_video(steady.parent / 'long.mp4', list(range(0, 1000, 10)), (1280, 720), preset='ultrafast')
    assert 'PyAV' in read_here(long, limits=Limits(memory_mb=1024), duration_s=0.02).says


def test_oblong_pixels(tmp_path: Path) -> None:
    """Pixels that are not square would make every measure wrong."""
    path = tmp_path / 'v.mp4'
    with av.open(str(path), 'w') as file:
        stream = file.add_stream('libx264', rate=30)
        stream.width, stream.height, stream.pix_fmt = 96, 64, 'yuv420p'
        stream.codec_context.sample_aspect_ratio = 2
        file.mux(stream.encode(av.VideoFrame.from_ndarray(picture(0), format='rgb24')))
        file.mux(stream.encode())
    with pytest.raises(RecordingError, match='square pixels'):
        read_here(path)


def test_too_many_pixels(steady: Path) -> None:
    with pytest.raises(RecordingError, match='at most 1000 pixels, got 96x64'):
        read_here(steady, limits=Limits(pixels=1000))


def test_fit_refuses_another_size() -> None:
    fit = fit_of(picture(0), None, None)
    with pytest.raises(SizeChange, match='expected depth pictures of 96x64, got 48x32'):
        fit.depth(np.ones((32, 48), np.float32))
