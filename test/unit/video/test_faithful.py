"""Rejecting clips that do not follow their scene: which seeds are drawn, what is told, and what happens at the end."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from hoigen.records import Camera, Fidelity, GeneratedClip, Labels, Provenance
from hoigen.video.faithful import FidelityTooLow, NothingInView, first_accepted, generate_faithful, seed_of_try
from hoigen.video.sampling import Acceptance, Sampling

CAMERA = Camera(np.array([[8.0, 0, 3.5], [0, 8, 3.5], [0, 0, 1]]), 8, 8, np.eye(4))
LABELS = Labels(episode=0, frame=0, last=True, task='lift')


VIEW = SimpleNamespace(mask=np.ones((1, 8, 8), np.uint8))
"""Of the conditions only the mask is read: hand or object is in view."""


class Drawing:
    """A generator whose clips have the given fidelities, one after the other."""

    def __init__(self, *scores):
        self.scores, self.seeds = list(scores), []

    def generate(self, conditions, labels, *, seed, sampling, on_step):
        self.seeds.append(seed)
        for step in (1, 2):
            if on_step is not None:
                on_step(step, 2, np.zeros((8, 8, 3), np.uint8))
        score = np.atleast_1d(np.array(self.scores[len(self.seeds) - 1], np.float32))
        frames = len(score)
        return GeneratedClip(
            np.arange(frames),
            (CAMERA,) * frames,
            np.zeros((frames, 8, 8, 3), np.uint8),
            Fidelity(score, score, score),
            labels * frames,
            Provenance(seed, {'model': 'drawn', 'steps': sampling.steps}, '', {}, {}, {}),
        )


def draw(generator, min_fidelity=0.5, tries=3, **more):
    return generate_faithful(
        generator,
        VIEW,
        (LABELS,),
        seed=7,
        sampling=Sampling(steps=2),
        acceptance=Acceptance(min_fidelity, tries),
        **more,
    )


def test_a_good_clip_is_taken_at_once_with_the_seed_that_was_asked_for():
    """Who is content gets the clip that the generator alone would give."""
    generator = Drawing(0.5)
    made = draw(generator)
    assert generator.seeds == [7]
    assert made.provenance.seed == 7
    assert made.provenance.config == {
        'model': 'drawn',
        'steps': 2,
        'min_fidelity': 0.5,
        'tries': [{'seed': 7, 'fidelity': 0.5}],
    }


def test_rejected_clips_are_followed_by_other_seeds_that_follow_from_the_first():
    """The third is good enough: its seed made it, and all three are told; the same seed draws the same again."""
    generator, again = Drawing(0.25, 0.375, 0.75, 1), Drawing(0.25, 0.375, 0.75, 1)
    made = draw(generator)
    draw(again)
    assert generator.seeds == again.seeds == [seed_of_try(7, number) for number in range(3)]
    assert len(set(generator.seeds)) == 3
    assert made.provenance.seed == generator.seeds[2]
    assert [(one['seed'], one['fidelity']) for one in made.provenance.config['tries']] == list(
        zip(generator.seeds, (0.25, 0.375, 0.75), strict=True)
    )


def test_when_no_try_is_good_enough_the_error_tells_the_best_and_what_was_expected():
    """Nothing is given as good; who handles the error gets the best clip, and learns the tries."""
    generator = Drawing(0.25, 0.375, 0.125, 1)
    with pytest.raises(FidelityTooLow, match=r'expected 0\.5 or more, got 0\.375 at best with the seeds 7') as failure:
        draw(generator)
    assert failure.value.fidelity == 0.375
    [best] = failure.value.clips
    assert best.fidelity.mean == 0.375
    told = best.provenance
    assert told.seed == generator.seeds[1]
    assert [one['fidelity'] for one in told.config['tries']] == [0.25, 0.375, 0.125]


def test_views_of_one_scene_are_kept_or_rejected_together():
    """They must come from one noise, so the worst of them decides for all."""
    generator = Drawing(0.75, 0.25, 0.625, 0.5)

    def draw_two(seed, _):
        return [generator.generate(None, (LABELS,), seed=seed, sampling=Sampling(), on_step=None) for _ in range(2)]

    made = first_accepted(draw_two, [VIEW, VIEW], 7, Acceptance(0.5, 2))
    assert [clip.provenance.seed for clip in made] == [seed_of_try(7, 1)] * 2
    assert [one['fidelity'] for one in made[1].provenance.config['tries']] == [0.25, 0.5]


@pytest.mark.parametrize('min_fidelity', [0.5, 0.0])
def test_a_scene_without_hand_or_object_in_view_is_refused_before_anything_is_drawn(min_fidelity):
    """Also of one view among several, and where every clip is kept: the usual slip is named."""
    generator, unseen = Drawing(1.0), SimpleNamespace(mask=np.zeros((5, 8, 8), np.uint8))
    with pytest.raises(NothingInView, match=r'got none in 5; is camera/pose the optical frame \(x right, y down'):
        first_accepted(
            lambda seed, _: [generator.generate(None, (LABELS,), seed=seed, sampling=Sampling(), on_step=None)] * 2,
            [VIEW, unseen],
            7,
            Acceptance(min_fidelity),
        )
    assert generator.seeds == []


@pytest.mark.parametrize('min_fidelity', [0.5, 0.0])
def test_a_clip_whose_fidelity_cannot_be_measured_is_never_kept(min_fidelity):
    """NaN passes no comparison by chance, is null in the JSON, and asks for no further seed."""
    generator = Drawing(np.nan, 1.0)
    with pytest.raises(FidelityTooLow, match='got nothing that can be measured with the seeds 7') as failure:
        draw(generator, min_fidelity=min_fidelity)
    assert generator.seeds == [7]
    [best] = failure.value.clips
    assert best.provenance.config['tries'] == [{'seed': 7, 'fidelity': None}]


def test_frames_that_cannot_be_measured_do_not_count():
    generator = Drawing([0.25, np.nan, 0.75])
    assert draw(generator).fidelity.mean == 0.5


def test_zero_switches_rejection_off():
    generator = Drawing(0.0)
    assert draw(generator, min_fidelity=0.0).fidelity.mean == 0
    assert generator.seeds == [7]


def test_progress_never_goes_back():
    """A rejected clip adds its steps to what there is to do; the caller may still stop it."""
    told = []
    draw(Drawing(0.25, 0.75), on_step=lambda done, steps, preview: told.append((done, steps)))
    assert told == [(1, 2), (2, 2), (3, 4), (4, 4)]

    def stop(*_):
        raise InterruptedError

    generator = Drawing(1)
    with pytest.raises(InterruptedError):
        draw(generator, on_step=stop)
    assert len(generator.seeds) == 1


@pytest.mark.parametrize(
    ('wrong', 'match'),
    [
        ({'min_fidelity': 1.5}, r'min_fidelity: expected in \[0, 1\], got 1.5'),
        ({'tries': 0}, 'tries: expected in'),
        ({'min_fidelity': float('nan')}, 'min_fidelity: expected'),
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong, match):
    with pytest.raises(ValueError, match=match):
        replace(Acceptance(), **wrong)
