"""How far fidelity tells videos that follow their scene from such that do not: python bench/bench_fidelity.py [CLIPS]

For every kind of video the smallest, median and largest of the clips' means, over held-out clips.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np

from hoigen.conditioning import pasted_baseline
from hoigen.conventions import HAND, OBJECT, ROLE_CODE
from hoigen.metrics.fidelity import fidelity
from hoigen.records import Conditions
from hoigen.video import load_generator
from hoigen.video.generator import Generator
from hoigen.video.heldout import HeldOut, heldout_clips

APART = 5
"""Which clip is "another": so many further on, of another shape, size and texture."""


def foreign(own: Conditions, other: Conditions) -> Conditions:
    """Another scene's geometry before this scene's first image and background."""
    return replace(other, image=own.image, background=own.background, background_known=own.background_known)


def one_frame_replaced(clip: HeldOut, other: HeldOut, at: int) -> np.ndarray:
    video = clip.truth.copy()
    video[at] = other.truth[at]
    return video


def restyled(clip: HeldOut, seed: int) -> np.ndarray:
    """The true video in another look: an invented background, invented colours fixed to the surfaces, another tone,
    light, sharpness and noise; what is where and how it moves stay true, shadows stay too."""
    rng = np.random.default_rng((APART, seed))
    c, grey = clip.conditions, clip.truth.mean(-1, keepdims=True, dtype=np.float32)
    wall = _wallpaper(rng, *c.mask.shape[1:])
    light = grey / np.maximum(c.background.mean(-1, keepdims=True), 20)
    video = wall * np.clip(light, 0.4, 1.2)
    for role in (ROLE_CODE[HAND], ROLE_CODE[OBJECT]):
        waves = rng.normal(0, 1, (3, 3)) * rng.uniform(2, 8)
        colours = rng.uniform(30, 225, 3) + rng.uniform(5, 60) * np.sin(c.points[0] @ waves + rng.uniform(0, 6, 3))
        shading = grey / max(grey[c.mask == role].mean(), 1)
        for t, mask in enumerate(c.mask == role):
            seen = (c.point_role == role) & c.point_visible[t]
            if mask.any() and seen.any():
                v, u = np.nonzero(mask)
                nearest = np.square(np.stack([u, v], -1)[:, None] - c.point_pixels[t, seen]).sum(-1).argmin(1)
                video[t][mask] = colours[seen][nearest] * np.clip(shading[t][mask], 0.5, 1.6)
    video = 255 * np.clip(video * rng.uniform(0.6, 1.3) / 255, 0, 1) ** rng.uniform(0.7, 1.4)
    blur, noise = rng.uniform(0.3, 0.8), rng.uniform(1, 6)
    video = np.stack([cv2.GaussianBlur(frame, (0, 0), blur) for frame in video]) + rng.normal(0, noise, video.shape)
    return np.clip(video, 0, 255).astype(np.uint8)


def _wallpaper(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """A random texture [H,W,3] with details of 4 to 48 pixels."""
    layers = [
        cv2.resize(rng.uniform(-0.5, 0.5, (height // s + 2, width // s + 2, 3)), (width, height)) for s in (4, 16, 48)
    ]
    return rng.uniform(0, 255, 3) + rng.uniform(40, 160) * np.mean(layers, 0)


def shifted(video: np.ndarray, by: float) -> np.ndarray:
    """Every frame moved by so many pixels, to the right and down."""
    move = np.array([[1, 0, 0.8 * by], [0, 1, 0.6 * by]])
    return np.stack([cv2.warpAffine(f, move, f.shape[1::-1], borderMode=cv2.BORDER_REPLICATE) for f in video])


def object_of_another_size(clip: HeldOut, factor: float) -> np.ndarray:
    """The true video with its object drawn larger about its own middle, behind the hand."""
    video, masks = clip.truth.copy(), clip.conditions.mask
    for frame, mask in zip(video, masks, strict=True):
        v, u = np.nonzero(mask == ROLE_CODE[OBJECT])
        if len(u):
            size, middle = frame.shape[1::-1], (float(u.mean()), float(v.mean()))
            grow = cv2.getRotationMatrix2D(middle, 0, factor)
            grown = cv2.warpAffine((mask == ROLE_CODE[OBJECT]).astype(np.uint8), grow, size) > 0
            grown &= mask != ROLE_CODE[HAND]
            frame[grown] = cv2.warpAffine(frame, grow, size)[grown]
    return video


def late(video: np.ndarray, by: int) -> np.ndarray:
    return video[np.maximum(np.arange(len(video)) - by, 0)]


def kinds(generator: Generator, clips: list[HeldOut]) -> dict[str, Callable[[int], np.ndarray]]:
    """By name, what makes the video of a kind that is judged by the conditions of clip n."""
    rng = np.random.default_rng(0)
    frames = len(clips[0].truth)
    looks = [restyled(clip, n) for n, clip in enumerate(clips)]

    def other(n: int) -> int:
        return (n + APART) % len(clips)

    return {
        'true video': lambda n: clips[n].truth,
        'true, restyled': lambda n: looks[n],
        'model': lambda n: generator.render(clips[n].conditions, seed=n),
        'coloured points pasted': lambda n: pasted_baseline(clips[n].conditions),
        'true, one frame of another clip': lambda n: one_frame_replaced(
            clips[n], clips[other(n)], 4 + n % (frames - 5)
        ),
        **{
            f'{name}, {by} px aside': lambda n, videos=videos, by=by: shifted(videos(n), by)
            for name, videos in (('true', lambda n: clips[n].truth), ('restyled', lambda n: looks[n]))
            for by in (2, 5, 10)
        },
        'true, object 1.25 times the size': lambda n: object_of_another_size(clips[n], 1.25),
        **{
            f'{name}, late by {by}': lambda n, videos=videos, by=by: late(videos(n), by)
            for name, videos in (('true', lambda n: clips[n].truth), ('restyled', lambda n: looks[n]))
            for by in (1, 2, 3)
        },
        'true, in random order': lambda n: clips[n].truth[rng.permutation(frames)],
        'true, backwards': lambda n: clips[n].truth[::-1],
        "model, another clip's condition": lambda n: generator.render(
            foreign(clips[n].conditions, clips[other(n)].conditions), seed=n
        ),
        "another clip's true video": lambda n: clips[other(n)].truth,
        "another clip's, restyled": lambda n: looks[other(n)],
        'first frame repeated': lambda n: np.repeat(clips[n].truth[:1], frames, 0),
        'background alone': lambda n: clips[n].conditions.background,
        'grey': lambda n: np.full_like(clips[n].truth, 128),
        'noise': lambda n: rng.integers(0, 256, clips[n].truth.shape).astype(np.uint8),
    }


def main(count: int) -> None:
    generator = load_generator()
    clips = heldout_clips(generator, count)
    print(f'| {count} held-out clips: least, median, most | outline | motion | value |\n|---|---|---|---|')
    for name, video in kinds(generator, clips).items():
        scores = [fidelity(video(n), clips[n].conditions) for n in range(count)]
        cells = []
        for part in ('outline', 'motion', 'value'):
            means = [float(np.nanmean(getattr(score, part))) for score in scores]
            cells.append(f'{min(means):.2f} {np.median(means):.2f} {max(means):.2f}')
        print(f'| {name} | {" | ".join(cells)} |', flush=True)


if __name__ == '__main__':
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 12)
