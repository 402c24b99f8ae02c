"""Evaluate a model that is told a look: held-out motions of one look, asked for in another, against its true video."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from rich.progress import track

from hoigen.conditioning import ConditioningConfig, build_clip, build_conditions
from hoigen.conventions import HAND, OBJECT, ROLE_CODE
from hoigen.metrics.measures import HUE, OUTLINE_IOU
from hoigen.metrics.statistics import Summary
from hoigen.sources.mujoco import look_of
from hoigen.video.generator import Generator
from hoigen.video.heldout import HeldOut, heldout_episode
from hoigen.video.sampling import Look, Sampling

SOURCE, FIRST, NO_LATENT = 'source look', 'first frame repeated', 'decoder alone (no diffusion)'
IMAGE, POINTS, SCENE, WORDS = 'image', 'image and coloured points', 'empty scene', 'words'
CAMERAS = ('front', 'side', 'over')
"""They stand still, so that an empty scene shows all of the background."""
HUE_DEGREES, COLOURFUL = 30.0, 0.3
"""A hue is right up to this difference; it is asked for where the true colour has this saturation."""
SEEN = 40
"""Sum of the channels' differences from the empty scene, levels, from which something is seen before it."""


@dataclass(frozen=True, eq=False)
class Asked(HeldOut):
    """A held-out clip in the look that is asked for; source: [T,H,W,3] uint8 in the look of the simulator."""

    source: np.ndarray
    clean_background: np.ndarray


def asked_clips(generator: Generator, count: int) -> list[Asked]:
    """The first ``count`` held-out motions, in two looks."""
    return [_asked(generator, index) for index in track(range(count), description='held-out looks')]


def _asked(generator: Generator, index: int) -> Asked:
    episode = heldout_episode(generator, index, CAMERAS, size=(generator.width, generator.height))
    look = look_of(episode, 1)
    clip = build_clip(episode.assets, look.frames(), ConditioningConfig())
    conditions = build_conditions(clip, width=generator.width, height=generator.height)
    source, background = np.stack([frame.rgb for frame in episode.frames()]), look.clean_background()
    assert background is not None
    return Asked(clip.rgb, clip, replace(conditions, prompt=look.prompt), episode.shape, source, background)


def rendered(generator: Generator, asked: Asked, look: Look, seed: int, sampling: Sampling) -> np.ndarray:
    """The clip as the generator makes it, told its look in this way."""
    conditions = asked.conditions
    if look == 'scene':
        before = build_conditions(
            asked.clip, width=generator.width, height=generator.height, background=asked.clean_background
        )
        conditions = replace(before, prompt=conditions.prompt)
    return generator.render(conditions, seed=seed, sampling=replace(sampling, look=look))


def look_measures(frames: np.ndarray, asked: Asked) -> dict[str, float]:
    """How well a video keeps the look and the outlines that were asked for.

    Hue: the fraction of hand and object, of those that are colourful, whose mean hue is right. Outline: of what is
    seen before the empty scene, in the video and in the true one, away from shadows.
    """
    c = asked.conditions
    right = [
        same_hue(*(video[1:][c.mask[1:] == ROLE_CODE[role]].mean(0) for video in (frames, asked.truth)))
        for role in (HAND, OBJECT)
    ]
    lit = (c.shadow[1:] & 2) == 0
    made, true = (_apart(video[1:], asked.clean_background) & lit for video in (frames, asked.truth))
    return {
        HUE: float(np.nanmean(right)) if any(r == r for r in right) else np.nan,
        OUTLINE_IOU: float((made & true).sum() / max((made | true).sum(), 1)),
    }


def diversity(videos: Sequence[np.ndarray]) -> float:
    """Mean deviation between videos of the same clip, levels."""
    return float(np.stack(videos).astype(np.float32).std(axis=0).mean())


def missed(summaries: dict[str, dict[str, Summary]], diversities: Sequence[float]) -> list[str]:
    """The bounds that a shipped model must keep, as sentences, for those that it misses."""

    def mean(method: str, measure: str) -> float:
        return summaries[method][measure].mean

    ho = 'PSNR hand-object'
    checks = (
        (mean(IMAGE, ho) >= 17, f'{ho} of "{IMAGE}": {mean(IMAGE, ho):.2f} dB is not at least 17'),
        (mean(IMAGE, ho) > mean(FIRST, ho), f'{ho} of "{IMAGE}" is not above that of "{FIRST}"'),
        (mean(NO_LATENT, ho) < 12, f'{ho} of "{NO_LATENT}": {mean(NO_LATENT, ho):.2f} dB is not below 12'),
        *(
            (
                mean(m, HUE) >= 0.9,
                f'{HUE} of "{m}": {mean(m, HUE):.2f} is not at least 0.9',
            )
            for m in (IMAGE, WORDS)
        ),
        *(
            (mean(m, OUTLINE_IOU) >= 0.85, f'{OUTLINE_IOU} of "{m}": {mean(m, OUTLINE_IOU):.2f} is not at least 0.85')
            for m in (IMAGE, SCENE)
        ),
        (np.mean(diversities) > 4, f'diversity of "{WORDS}": {np.mean(diversities):.1f} levels are not above 4'),
    )
    return [said for ok, said in checks if not ok]


def same_hue(made: np.ndarray, true: np.ndarray) -> float:
    """1 or 0; NaN where the true colour [3] is nearly grey."""
    hue, saturation, _ = colorsys.rgb_to_hsv(*true / 255)
    if saturation < COLOURFUL:
        return np.nan
    apart = abs(colorsys.rgb_to_hsv(*made / 255)[0] - hue)
    return float(360 * min(apart, 1 - apart) <= HUE_DEGREES)


def _apart(frames: np.ndarray, background: np.ndarray) -> np.ndarray:
    return np.abs(frames.astype(int) - background).sum(-1) > SEEN
