"""Seconds per clip of the tiny model by threads and wait policy, idle and busy: python bench/bench_threads.py

One process for each way, asked in turn, so that all of them meet the same machine; busy is a busy loop on each core.
OpenMP reads its wait policy only when it is loaded: hoigen sets PASSIVE, ACTIVE is near to OpenMP's own.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass

ROUNDS = 5
WAYS = (('PASSIVE', 1), ('PASSIVE', 2), ('ACTIVE', 2))
WORKER = """
import time
from hoigen.conditioning import build_clip, build_conditions
from hoigen.sources.mujoco import MujocoConfig, MujocoSource
from hoigen.video import load_generator

generator = load_generator('tiny')
size = {'width': generator.width, 'height': generator.height}
episode = MujocoSource(MujocoConfig(**size, frames=generator.frames, depth=False)).episode(0)
conditions = build_conditions(build_clip(episode.assets, episode.frames()), **size)
generator.render(conditions, seed=0)
while True:
    input()
    began = time.perf_counter()
    generator.render(conditions, seed=0)
    print(time.perf_counter() - began, flush=True)
"""


@dataclass(frozen=True)
class Way:
    """A process that makes a clip whenever it is asked, with a wait policy and a number of threads."""

    name: str
    process: subprocess.Popen[str]

    def clip_s(self) -> float:
        assert self.process.stdin
        assert self.process.stdout
        print(file=self.process.stdin, flush=True)
        return float(self.process.stdout.readline())


def start(stack: ExitStack, arguments: list[str], **environment: str) -> subprocess.Popen[str]:
    process = stack.enter_context(
        subprocess.Popen(
            arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | environment
        )
    )
    stack.callback(process.kill)
    return process


def main() -> None:
    cores = len(os.sched_getaffinity(0))
    with ExitStack() as stack:
        ways = [
            Way(
                f'{policy.lower()}, {threads} threads',
                start(stack, [sys.executable, '-c', WORKER], OMP_WAIT_POLICY=policy, OMP_NUM_THREADS=str(threads)),
            )
            for policy, threads in WAYS
        ]
        for busy in (0, cores):
            for _ in range(busy):
                start(stack, [sys.executable, '-c', 'while True: pass'])
            seconds = [[way.clip_s() for way in ways] for _ in range(ROUNDS)]
            for way, times in zip(ways, zip(*seconds, strict=True), strict=True):
                print(
                    f'{way.name:20} {busy} busy loops on {cores} cores: {statistics.median(times):6.2f} s a clip, '
                    f'at most {max(times):6.2f} s',
                    flush=True,
                )


if __name__ == '__main__':
    main()
