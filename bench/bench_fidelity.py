"""How far fidelity tells videos that follow their scene from such that do not: python bench/bench_fidelity.py [CLIPS]

For every kind of video the smallest, median and largest of the clips' means, over held-out clips.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from hoigen.conditioning import pasted_baseline
from hoigen.metrics.fidelity import fidelity
from hoigen.records import Conditions
from hoigen.video import load_generator
from hoigen.video.generator import Generator
from hoigen.video.heldout import HeldOut, heldout_clips

APART = 5
"""Which clip is "another": so many further on, of another shape, size and texture."""


def foreign(own: Conditions, other: Conditions) -> Conditions:
    """Another scene's geometry before this scene's first picture and background."""
    return replace(other, image=own.image, background=own.background, background_known=own.background_known)


def one_frame_replaced(clip: HeldOut, other: HeldOut, at: int) -> np.ndarray:
    video = clip.truth.copy()
    video[at] = other.truth[at]
    return video


def kinds(generator: Generator, clips: list[HeldOut]) -> dict[str, Callable[[int], np.ndarray]]:
    """By name, what makes the video of a kind that is judged by the conditions of clip n."""
    rng = np.random.default_rng(0)
    frames = len(clips[0].truth)

    def other(n: int) -> HeldOut:
        return clips[(n + APART) % len(clips)]

    def late(n: int, by: int) -> np.ndarray:
        return clips[n].truth[np.maximum(np.arange(frames) - by, 0)]

    return {
        'true video': lambda n: clips[n].truth,
        'model': lambda n: generator.render(clips[n].conditions, seed=n),
        'coloured points pasted': lambda n: pasted_baseline(clips[n].conditions),
        'true, one frame of another clip': lambda n: one_frame_replaced(clips[n], other(n), 4 + n % (frames - 5)),
        'true, one frame late': lambda n: late(n, 1),
        'true, three frames late': lambda n: late(n, 3),
        'true, in random order': lambda n: clips[n].truth[rng.permutation(frames)],
        'true, backwards': lambda n: clips[n].truth[::-1],
        "model, another clip's condition": lambda n: generator.render(
            foreign(clips[n].conditions, other(n).conditions), seed=n
        ),
        "another clip's true video": lambda n: other(n).truth,
        'first frame repeated': lambda n: np.repeat(clips[n].truth[:1], frames, 0),
        'background alone': lambda n: clips[n].conditions.background,
        'grey': lambda n: np.full_like(clips[n].truth, 128),
        'noise': lambda n: rng.integers(0, 256, clips[n].truth.shape).astype(np.uint8),
    }


def main(count: int) -> None:
    generator = load_generator()
    clips = heldout_clips(generator, count)
    print(f'| {count} held-out clips: least, median, most | mask | motion | value |\n|---|---|---|---|')
    for name, video in kinds(generator, clips).items():
        scores = [fidelity(video(n), clips[n].conditions) for n in range(count)]
        cells = []
        for part in ('mask', 'motion', 'value'):
            means = [float(np.nanmean(getattr(score, part))) for score in scores]
            cells.append(f'{min(means):.2f} {np.median(means):.2f} {max(means):.2f}')
        print(f'| {name} | {" | ".join(cells)} |', flush=True)


if __name__ == '__main__':
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 12)
