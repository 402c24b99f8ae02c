"""Video in the messages of a bag: each frame under its own stamp, and none that is guessed."""

from __future__ import annotations

import itertools
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from recorded import SIZE, BagFile, Read, grey_difference, picture, read_here
from rosbags.typesys import get_types_from_msg

from hoigen.sources.recording import RecordingError, open_recording
from hoigen.sources.recording.bag_video import FrameNumbers

K = np.array([[100.0, 0, 47.5], [0, 100, 31.5], [0, 0, 1]])
FRAMES, KEYS = 20, 8
DEFINITIONS = {
    'foxglove_msgs/msg/CompressedVideo': 'builtin_interfaces/Time timestamp\nstring frame_id\nuint8[] data\n'
    'string format',
    'ffmpeg_image_transport_msgs/msg/FFMPEGPacket': 'std_msgs/Header header\nint32 width\nint32 height\n'
    'string encoding\nuint64 pts\nuint8 flags\nbool is_bigendian\n'
    'uint8[] data',
}


def packets(codec: str = 'libx264', **options: str) -> list[bytes]:
    """FRAMES pictures, a key frame every KEYS."""
    chosen = (
        {'x264-params': f'repeat-headers=1:bframes=0:scenecut=0:keyint={KEYS}'}
        if codec == 'libx264'
        else {'x265-params': f'repeat-headers=1:bframes=0:scenecut=0:keyint={KEYS}:log-level=none'}
    )
    encoder = av.CodecContext.create(codec, 'w')
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = *SIZE, 'yuv420p', Fraction(1, 25)
    encoder.options = chosen | options
    found = []
    for number in range(FRAMES):
        frame = av.VideoFrame.from_ndarray(picture(number), format='rgb24')
        frame.pts, frame.time_base = number, Fraction(1, 25)
        found += encoder.encode(frame)
    return [bytes(packet) for packet in (*found, *encoder.encode(None))]


H264 = packets()


def bag(
    path: Path,
    data: list[bytes],
    form: str = 'h264',
    kind: str = 'image',
    *,
    numbers: list[int] | None = None,
    depth: bool = False,
) -> Path:
    with BagFile(path, 'mcap') as file:
        for name, text in DEFINITIONS.items():
            file.types.register(get_types_from_msg(text, name))
        for number, packet in zip(range(FRAMES) if numbers is None else numbers, data, strict=True):
            stamp, pixels = 1000 + 40 * number, np.frombuffer(packet, np.uint8)
            header = file._header(stamp, 'camera')
            if kind == 'image':
                file.compressed('/c/image', packet, form, stamp)
            elif kind == 'foxglove':
                file.add(
                    '/c/image',
                    file.types.types['foxglove_msgs/msg/CompressedVideo'](header.stamp, 'camera', pixels, form),
                    stamp,
                )
            else:
                file.add(
                    '/c/image',
                    file.types.types['ffmpeg_image_transport_msgs/msg/FFMPEGPacket'](
                        header, *SIZE, form, number, 0, False, pixels
                    ),
                    stamp,
                )
            if depth:
                file.info('/c/camera_info', K, SIZE, stamp)
                file.image('/c/depth', np.full(SIZE[::-1], 800 + number, np.uint16), '16UC1', stamp + 8)
    return path


def same(read: Read, numbers: list[int]) -> None:
    assert read.stamps_ms == [1000 + 40 * n for n in numbers]
    assert max(grey_difference(rgb, picture(n)) for n, rgb in zip(numbers, read.rgb, strict=True)) < 12


@pytest.mark.parametrize(
    ('form', 'kind'),
    [('h264', 'image'), ('h264', 'foxglove'), ('libx264', 'ffmpeg'), ('h264_nvenc;yuv420p;bgr8', 'ffmpeg')],
)
def test_h264(tmp_path: Path, form: str, kind: str) -> None:
    read = read_here(bag(tmp_path / 'x', H264, form, kind))
    same(read, list(range(FRAMES)))
    assert read.faults == []


def test_h265(tmp_path: Path) -> None:
    same(read_here(bag(tmp_path / 'x', packets('libx265'), 'h265', 'foxglove')), list(range(FRAMES)))


def test_video_and_depth(tmp_path: Path) -> None:
    """Depth 8 ms later belongs to the frame before it; a pace leaves out frames that others lean on."""
    read = read_here(bag(tmp_path / 'x', H264, depth=True), rate_hz=5.0)
    same(read, [0, 5, 10, 15])
    assert [round(float(depth[3, 3]) * 1000) for depth in read.depth_m if depth is not None] == [800, 805, 810, 815]


@pytest.mark.parametrize(('codec', 'form'), [('libx264', 'h264'), ('libx265', 'h265')])
@pytest.mark.parametrize('lost', [{3}, {9, 10}, {8}, {0}])
def test_lost_messages(tmp_path: Path, codec: str, form: str, lost: set[int]) -> None:
    """What leans on a frame that was not recorded is left out up to the next key frame, and no stretch spans it."""
    data = H264 if codec == 'libx264' else packets(codec)
    numbers = [n for n in range(FRAMES) if n not in lost]
    whole = [n for n in numbers if not any(k <= n and k // KEYS == n // KEYS for k in lost)]
    path = bag(tmp_path / 'x', [data[n] for n in numbers], form, numbers=numbers)
    same(read_here(path), whole)
    with open_recording(path) as recording:
        parts = [((stretch.stamps_ns // 10**6 - 1000) // 40).tolist() for stretch in recording.stretches(FRAMES)]
        assert f'{len(numbers) - len(whole)} damaged frames left out' in recording.faults[0]
    assert list(itertools.chain(*parts)) == whole
    assert all(np.diff(part).max(initial=1) == 1 for part in parts)


def test_a_damaged_message(tmp_path: Path) -> None:
    data = [*H264[:4], H264[4][:8] + bytes(30), *H264[5:]]
    same(read_here(bag(tmp_path / 'x', data)), [*range(4), *range(KEYS, FRAMES)])


def test_b_frames_are_refused(tmp_path: Path) -> None:
    data = packets(**{'x264-params': 'repeat-headers=1:bframes=2:keyint=8'})
    with pytest.raises(RecordingError, match=r'/c/image: expected one frame in each message, .*B-frames'):
        read_here(bag(tmp_path / 'x', data))


@pytest.mark.parametrize('kind', ['foxglove', 'ffmpeg'])
def test_other_codecs_are_named(tmp_path: Path, kind: str) -> None:
    with pytest.raises(RecordingError, match=r"expected video in H\.264 or H\.265, got 'vp9'"):
        read_here(bag(tmp_path / 'x', H264, 'vp9', kind))


@pytest.mark.parametrize('options', [{}, {'profile': 'baseline'}, {'profile': 'high'}, {'tune': 'zerolatency'}])
def test_frame_numbers(options: dict[str, str]) -> None:
    """A jump is told for every frame that is missing before another, and for no other."""
    data = packets(**options)
    assert not any(map(FrameNumbers().jump, data))
    for lost in range(1, FRAMES - 1):
        numbers = FrameNumbers()
        jumps = [number for number in range(FRAMES) if number != lost and numbers.jump(data[number])]
        assert jumps == ([] if (lost + 1) % KEYS == 0 else [lost + 1])
