"""Clips that follow their scene: one that does not is rejected, and the next seed drawn, a bounded number of times."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np

from hoigen.records import Conditions, GeneratedClip, Labels
from hoigen.video.sampling import ACCEPTANCE, DEFAULT, Acceptance, Sampling

OnStep = Callable[[int, int, np.ndarray], None]
"""Called after each denoising step with (done, steps, preview [H,W,3] uint8); raise to stop."""


class Draws(Protocol):
    """What makes a clip of a seed: :class:`hoigen.video.generator.Generator`."""

    def generate(
        self,
        conditions: Conditions,
        labels: tuple[Labels, ...],
        *,
        seed: int,
        sampling: Sampling,
        on_step: OnStep | None,
    ) -> GeneratedClip: ...


class NothingInView(RuntimeError):
    """A scene that never shows hand or object, of which nothing is drawn."""


class FidelityTooLow(RuntimeError):
    """No seed gave clips that may be kept.

    ``clips``: the best try's, of each view one; their provenance names every try. ``fidelity``: theirs, NaN if it
    cannot be measured.
    """

    def __init__(self, reason: str, fidelity: float, clips: list[GeneratedClip]) -> None:
        super().__init__(reason)
        self.fidelity, self.clips = fidelity, clips


def generate_faithful(
    generator: Draws,
    conditions: Conditions,
    labels: tuple[Labels, ...],
    *,
    seed: int,
    sampling: Sampling = DEFAULT,
    acceptance: Acceptance = ACCEPTANCE,
    on_step: OnStep | None = None,
) -> GeneratedClip:
    """The first clip of the seeds ``seed_of_try(seed, 0)``, ``1`` ... that may be kept; else :class:`FidelityTooLow`.

    Its provenance names the seed that made it, and under ``tries`` every seed that was drawn with its mean fidelity.
    ``on_step`` counts over all tries: a rejected clip adds its steps to what there is to do.
    """

    def draw(drawn: int, number: int) -> list[GeneratedClip]:
        return [
            generator.generate(conditions, labels, seed=drawn, sampling=sampling, on_step=_counting(on_step, number))
        ]

    return first_accepted(draw, [conditions], seed, acceptance)[0]


def first_accepted(
    draw: Callable[[int, int], list[GeneratedClip]], views: Sequence[Conditions], seed: int, acceptance: Acceptance
) -> list[GeneratedClip]:
    """The clips of the first ``draw(seed, number of the try)`` of which each may be kept; else :class:`FidelityTooLow`.

    Several clips of one seed (of one scene's ``views``) are kept or rejected together, by the least of their
    fidelities. Nothing is kept whose fidelity is NaN: what cannot be measured is not known to be true. Raises
    :class:`NothingInView`.
    """
    for conditions in views:
        if not conditions.mask.any():
            raise NothingInView(
                f'conditions: expected hand or object in one frame at least, got none in {len(conditions.mask)}; is '
                'camera/pose the optical frame (x right, y down, z forward)?'
            )
    tries: list[dict[str, int | float | None]] = []
    best: list[GeneratedClip] = []
    for number in range(acceptance.tries):
        drawn = seed_of_try(seed, number)
        clips = draw(drawn, number)
        least = _least(clips)
        tries.append({'seed': drawn, 'fidelity': None if np.isnan(least) else round(least, 4)})
        best = clips if not best or least > _least(best) else best
        if least >= acceptance.min_fidelity or np.isnan(least):  # of another seed it can be measured as little
            break
    told = {'min_fidelity': acceptance.min_fidelity, 'tries': tries}
    best = [replace(clip, provenance=replace(clip.provenance, config=clip.provenance.config | told)) for clip in best]
    reached = _least(best)
    if not reached >= acceptance.min_fidelity:
        seeds = ', '.join(str(one['seed']) for one in tries)
        got = 'nothing that can be measured' if np.isnan(reached) else f'{reached:.3f} at best'
        raise FidelityTooLow(
            f'fidelity: expected {acceptance.min_fidelity:.3g} or more, got {got} with the seeds {seeds}',
            reached,
            best,
        )
    return best


def _least(clips: list[GeneratedClip]) -> float:
    """NaN if that of one clip cannot be measured."""
    return float(np.min([clip.fidelity.mean for clip in clips]))


def seed_of_try(seed: int, number: int) -> int:
    """The seed of a try: first the one that was asked for, then others that follow from it."""
    return seed if number == 0 else int(np.random.SeedSequence((seed, number)).generate_state(1)[0])


def clip_seed(seed: int, episode: int) -> int:
    """The generator's seed: of every episode another, whichever of them is generated first."""
    return int(np.random.SeedSequence((seed, episode)).generate_state(1)[0])


def _counting(on_step: OnStep | None, number: int) -> OnStep | None:
    if on_step is None:
        return None
    return lambda done, steps, preview: on_step(number * steps + done, (number + 1) * steps, preview)
