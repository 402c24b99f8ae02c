"""How fast recordings become clips without fetched weights: python bench/bench_perception.py [RECORDING]

Times every stage of perception on a held-out simulated clip at 640x360, with measured depth and without, or on the
first 49 frames of a recording, whose hands are followed; and the decoding of the simulated clip as a video. Also as
ratios to one fixed piece of work done in the same run, by which machines that differ can be compared. Ends with
status 1 below 12 frames a second.
"""

from __future__ import annotations

import sys
import tempfile
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from timing import milliseconds, yardstick

from hoigen.perception.evaluate import heldout
from hoigen.perception.perceive import Perceiver, PerceptionConfig
from hoigen.records import Footage
from hoigen.sources.recording import open_recording

RATE_HZ = 12.0
PASSES = 3
REPEATS = 8
"""The clip is decoded so many times in one video: starting the child process that decodes is not to be the measure."""


def stages(footage: Footage, config: PerceptionConfig) -> dict[str, float]:
    """Milliseconds a frame that each stage takes, the median of the passes after one that compiles."""
    perceive = Perceiver(config)
    perceive(footage, 'bench')
    passes = [perceive(footage, 'bench').seconds for _ in range(PASSES)]
    return {stage: 1e3 * float(np.median([spent[stage] for spent in passes])) / len(footage.rgb) for stage in passes[0]}


def write_video(path: Path, footage: Footage) -> int:
    """The footage, time and again, as H.264; the number of its frames."""
    height, width = footage.rgb.shape[1:3]
    with av.open(str(path), 'w') as file:
        stream = file.add_stream('libx264', rate=16, options={'crf': '18'})
        stream.width, stream.height, stream.pix_fmt = width, height, 'yuv420p'
        for number, rgb in enumerate(np.tile(footage.rgb, (REPEATS, 1, 1, 1))):
            frame = av.VideoFrame.from_ndarray(rgb, format='rgb24')
            frame.pts, frame.time_base = number, Fraction(1, 16)
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return REPEATS * len(footage.rgb)


def first_of(path: Path) -> Footage:
    with open_recording(path) as recording:
        return next(iter(recording.stretches(49)))


def decode(path: Path) -> int:
    with open_recording(path) as recording:
        return sum(len(footage.stamps_ns) for footage in recording.stretches(49))


def main() -> int:
    unit, slowest = yardstick(), np.inf
    print(f'fixed work                         {unit:7.1f} ms')
    measured = heldout(0)[0]
    plain = Footage(measured.stamps_ns, measured.rgb, None, None)
    clips = {'RGB-D': measured, 'RGB': plain} if len(sys.argv) < 2 else {sys.argv[1]: first_of(Path(sys.argv[1]))}
    for name, footage in clips.items():
        geometry = 'none' if footage.depth_m is None else 'depth'
        found = stages(footage, PerceptionConfig(masks='motion', geometry=geometry))
        whole = sum(found.values())
        slowest = min(slowest, 1e3 / whole)
        height, width = footage.rgb.shape[1:3]
        print(f'{name}, {len(footage.rgb)} frames at {width}x{height}:')
        for stage, spent in (*found.items(), ('together', whole)):
            print(f'  {stage:32} {spent:7.1f} ms a frame  ratio {spent / unit:5.2f}')
        print(f'  {1e3 / whole:.1f} frames/s')
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'clip.mp4'
        count = write_video(path, measured)
        spent = min(milliseconds(lambda: decode(path)) for _ in range(PASSES))
        print(f'decoding, in its own process       {spent / count:7.1f} ms a frame, {1e3 * count / spent:.0f} frames/s')
    print(f'{slowest:.1f} frames/s, expected at least {RATE_HZ:.0f}')
    return 0 if slowest >= RATE_HZ else 1


if __name__ == '__main__':
    sys.exit(main())
