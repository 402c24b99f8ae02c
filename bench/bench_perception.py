"""How fast recordings become clips without learned weights: python bench/bench_perception.py

Times every stage of perception on a held-out simulated clip at 640x360, with measured depth and without, and the
decoding of the same clip as a video. Also as ratios to one fixed piece of work done in the same run, by which machines
that differ can be compared. Ends with status 1 below 10 frames a second.
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

RATE_HZ = 10.0
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


def decode(path: Path) -> int:
    with open_recording(path) as recording:
        return sum(len(footage.stamps_ns) for footage in recording.stretches(49))


def main() -> int:
    unit, slowest = yardstick(), np.inf
    print(f'fixed work                         {unit:7.1f} ms')
    measured = heldout(0)[0]
    plain = Footage(measured.stamps_ns, measured.rgb, None, None)
    for name, footage, geometry in (('RGB-D', measured, 'depth'), ('RGB', plain, 'none')):
        found = stages(footage, PerceptionConfig(masks='motion', geometry=geometry))
        whole = sum(found.values())
        slowest = min(slowest, 1e3 / whole)
        print(f'{name}, {len(footage.rgb)} frames at 640x360:')
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
