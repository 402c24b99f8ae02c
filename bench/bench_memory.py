"""How the memory of the simulated source grows with its episodes: python bench/bench_memory.py [EPISODES] [ros]

With ``ros`` each frame also becomes messages, as in sim_source. Prints the resident memory every tenth of the way, as
it is and after the C library gave back what it kept for later: only the second grows with a leak.
"""

from __future__ import annotations

import ctypes
import gc
import os
import sys
from pathlib import Path

from hoigen.sources.mujoco import MujocoConfig, MujocoSource


def resident_mb() -> float:
    """Resident memory of this process."""
    return int(Path('/proc/self/statm').read_text().split()[1]) * os.sysconf('SC_PAGE_SIZE') / 1e6


def main(episodes: int, ros: bool) -> None:
    source = MujocoSource(MujocoConfig(width=96, height=64, frames=17, attempts=25))
    if ros:
        from hoigen.ros import convert
    give_back = ctypes.CDLL('libc.so.6').malloc_trim
    print('| episodes | resident MB | after malloc_trim |\n|---|---|---|', flush=True)
    for number in range(episodes):
        episode = source.episode(0, number)
        if ros:
            convert.ENCODER.assets(episode.assets, 0)
        for frame in episode.frames():
            if ros:
                convert.ENCODER.frame(frame, frame.stamp_ns)
        if (number + 1) % max(episodes // 10, 1) == 0:
            gc.collect()
            resident = resident_mb()
            give_back(0)
            print(f'| {number + 1} | {resident:.0f} | {resident_mb():.0f} |', flush=True)


if __name__ == '__main__':
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 60, 'ros' in sys.argv[2:])
