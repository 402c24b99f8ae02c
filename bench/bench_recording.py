"""How fast recordings are decoded: python bench/bench_recording.py

Writes a video, an RGB-D folder and a bag of 640x360 pictures, and reads them as the pipeline does: through the child
process, in stretches of 33 frames. Also as ratios to one fixed piece of work done in the same run, by which machines
that differ can be compared. Ends with status 1 where one is slower than 30 frames a second.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from timing import yardstick

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'test'))

from recorded import BagFile, draw_rgbd, draw_video, picture

from hoigen.sources.recording import RecordingOptions, open_recording

SIZE, FRAMES, RATE_HZ = (640, 360), 300, 30.0


def write_bag(path: Path) -> Path:
    """Raw pictures with depth and camera_info."""
    K = np.array([[500.0, 0, 319.5], [0, 500, 179.5], [0, 0, 1]])
    depth = np.full(SIZE[::-1], 900, np.uint16)
    with BagFile(path, 'mcap') as file:
        for number in range(FRAMES):
            stamp = 1000 + 33 * number
            file.info('/camera/camera_info', K, SIZE, stamp)
            file.image('/camera/image', picture(number, SIZE), 'rgb8', stamp)
            file.image('/camera/depth', depth, '16UC1', stamp)
    return path


def rate_hz(path: Path, options: RecordingOptions) -> float:
    """Frames a second from the first stretch asked for to the last, the best of two readings."""
    rates = []
    for _ in range(2):
        with open_recording(path, options) as recording:
            start = time.perf_counter()
            frames = sum(len(footage.rgb) for footage in recording.stretches(33))
            rates.append(frames / (time.perf_counter() - start))
    return max(rates)


def main() -> int:
    unit, slowest = yardstick(), np.inf
    print(f'fixed work                     {unit:7.1f} ms')
    with tempfile.TemporaryDirectory() as folder:
        video = draw_video(Path(folder) / 'video.mp4', list(range(0, 33 * FRAMES, 33)), SIZE)
        names = [f'{number / RATE_HZ:.6f}' for number in range(FRAMES // 5)]
        for name, path, options in (
            ('H.264, decord', video, RecordingOptions()),
            ('H.264, PyAV', video, RecordingOptions(decoder='pyav')),
            ('RGB-D folder of PNG', draw_rgbd(Path(folder) / 'rgbd', names, size=SIZE), RecordingOptions()),
            ('MCAP, raw RGB-D', write_bag(Path(folder) / 'bag'), RecordingOptions()),
        ):
            rate = rate_hz(path, options)
            slowest = min(slowest, rate)
            print(f'{name:30} {1e3 / rate:7.2f} ms a frame, {rate:5.0f} frames/s, {1e3 / rate / unit:.3f} of the work')
    return int(slowest < RATE_HZ)


if __name__ == '__main__':
    sys.exit(main())
