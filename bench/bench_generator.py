"""Seconds per clip of the tiny model, and what its control branch costs: python bench/bench_generator.py"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch

from hoigen.conditioning import build_clip, build_conditions
from hoigen.sources.mujoco import MujocoConfig, MujocoSource
from hoigen.video import load_generator
from hoigen.video.denoise import predict
from hoigen.video.model import load
from hoigen.video.transformer import Control, with_first_frame

RUNS = 7


def median_s(call: Callable[[], object]) -> float:
    """Median of ``RUNS`` timed calls after one that is not counted."""
    call()
    times = []
    for _ in range(RUNS):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def main() -> None:
    generator = load_generator('tiny')
    size = {'width': generator.width, 'height': generator.height}
    episode = MujocoSource(MujocoConfig(**size, frames=generator.frames, depth=False)).episode(0)
    conditions = build_conditions(build_clip(episode.assets, episode.frames()), **size)
    clip_s = median_s(lambda: generator.render(conditions, seed=0))
    print(
        f'one clip, {generator.frames} frames of {generator.width}x{generator.height}, {generator.steps} steps: '
        f'{clip_s:.2f} s (median of {RUNS})'
    )

    transformer = load('tiny').transformer
    latents = torch.randn(1, 5, 16, generator.height // 8, generator.width // 8)
    control, step = Control(with_first_frame(latents), latents), torch.tensor([999])
    with torch.no_grad(), torch.autocast('cpu', torch.bfloat16):
        plain_s = median_s(lambda: predict(transformer, latents, latents[:, :1], step, None))
        controlled_s = median_s(lambda: predict(transformer, latents, latents[:, :1], step, control))
    print(
        f'one denoising step: {1e3 * controlled_s:.0f} ms with control, {controlled_s / plain_s:.2f} times '
        'the backbone alone'
    )


if __name__ == '__main__':
    main()
