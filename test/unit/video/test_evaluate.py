"""Evaluation: held-out clips measured on everything, bounds that can be missed, tables that say N and intervals."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest

from hoigen.conditioning import pasted_baseline
from hoigen.metrics.contact import contact_errors
from hoigen.metrics.learned import LearnedMeasures
from hoigen.metrics.measures import (
    CONTACT_FOUND,
    CONTACT_MM,
    CONTACT_PX,
    MEASURES,
    SHADOW,
    contact_points,
    higher_is_better,
    measure,
    regions,
)
from hoigen.metrics.options import LearnedConfig
from hoigen.metrics.statistics import Summary, summarise
from hoigen.metrics.tables import markdown, measure_table
from hoigen.video.evaluate import (
    BASELINES,
    ENLARGED,
    FIRST,
    GIVEN,
    MODEL,
    NO_LATENT,
    OTHER,
    PASTED,
    Measures,
    _methods,
    _write,
    evaluate_frames,
    evaluate_generator,
    margin_table,
    missed_bounds,
    sheet,
)
from hoigen.video.generator import load_generator
from hoigen.video.heldout import heldout_clip, heldout_clips
from hoigen.video.options import EvaluateConfig
from hoigen.video.sampling import Sampling


class Size:
    """What a held-out clip is made for."""

    width, height, frames = 192, 128, 13


class Paster:
    """A generator that pastes the coloured points, brighter for odd seeds, so that its numbers are known."""

    def render(self, conditions, *, seed, sampling):
        assert isinstance(sampling, Sampling)
        return np.clip(pasted_baseline(conditions).astype(int) + 5 * (seed % 2), 0, 255).astype(np.uint8)


@pytest.fixture(scope='module')
def held():
    return heldout_clip(Size(), 1)


@pytest.fixture(scope='module')
def perfect(held):
    return measure(held.truth, held.truth, held.clip, held.conditions)


def test_the_truth_is_perfect_on_every_measure(held, perfect):
    for name in MEASURES:
        best = {'PSNR': np.inf, 'SSIM': 1, 'ST-SSIM': 1, 'L1': 0, 'GMSD': 0, 'GMSD-T': 0, 'contact': 0}
        wanted = 1 if name == CONTACT_FOUND else best[name.split()[0]]
        assert perfect[name] == pytest.approx(wanted, abs=1e-2), name


def test_baselines_are_worse_on_every_measure(held, perfect):
    """Every measure sees that the first frame does not move and that pasted points have holes and no shadows."""
    for frames in (np.repeat(held.truth[:1], len(held.truth), 0), pasted_baseline(held.conditions)):
        row = measure(frames, held.truth, held.clip, held.conditions)
        for name in MEASURES:
            assert (row[name] < perfect[name]) if higher_is_better(name) else (row[name] > perfect[name]), name


def test_frame_0_does_not_count(held, perfect):
    frames = held.truth.copy()
    frames[0] = 0
    assert measure(frames, held.truth, held.clip, held.conditions) == perfect


def test_contact_points_lie_where_hand_and_object_meet(held):
    """Every judged point is on the mask of hand or object, in this frame's own pixels, to a pixel at silhouettes."""
    points = contact_points(held.clip, held.conditions)
    assert points.seen.sum() > 20
    t, n = np.nonzero(points.seen)
    u, v = np.rint(points.pixels[t, n]).astype(int).T
    around = np.stack([cv2.dilate((mask > 0).astype(np.uint8), np.ones((3, 3))) for mask in held.conditions.mask])
    assert around[t, v, u].all()


def test_contact_errors_are_those_of_each_frames_own_points(held):
    """Leaving out frame 0 must leave out its points too, not shift the others against their frames."""
    frames, points = pasted_baseline(held.conditions), contact_points(held.clip, held.conditions)
    points.seen[0] = False
    wanted = contact_errors(frames, held.truth, points)
    row = measure(frames, held.truth, held.clip, held.conditions)
    assert row[CONTACT_PX] == pytest.approx(wanted.pixels.mean())
    assert row[CONTACT_MM] == pytest.approx(wanted.millimetres.mean())
    assert row[CONTACT_FOUND] == pytest.approx(wanted.found.mean())


def test_a_moved_hand_and_object_are_measured_in_pixels(held):
    """The whole picture 3 pixels to the right: every contact point's surroundings are 3 pixels off."""
    row = measure(np.roll(held.truth, 3, axis=2), held.truth, held.clip, held.conditions)
    assert row[CONTACT_PX] == pytest.approx(3, abs=0.1)


def test_the_shadow_region_is_where_the_light_has_changed(held):
    c = held.conditions
    scene = np.repeat(c.image[None], len(c.stamps_ns), 0)
    alone = replace(c, background=scene, background_known=np.ones_like(c.background_known), mask=np.zeros_like(c.mask))
    darker = scene.copy()
    darker[:, 20:60, 20:60] = np.rint(darker[:, 20:60, 20:60] * 0.6)
    region = regions(darker, alone)[SHADOW]
    assert region[:, 25:55, 25:55].mean() > 0.9
    region[:, 14:66, 14:66] = False
    assert not region.any()
    assert not regions(scene, alone)[SHADOW].any()


def test_a_region_that_a_clip_lacks_is_nan_and_not_counted(held):
    """A clip without an object in view has no object measure; the others stay."""
    gone = replace(held.conditions, mask=np.where(held.conditions.mask == 2, 1, held.conditions.mask))
    row = measure(held.truth, held.truth, held.clip, gone)
    assert np.isnan(row['SSIM object'])
    assert row['SSIM hand-object'] == pytest.approx(1)
    assert summarise([row, row])['SSIM object'].n == 0


def test_a_generator_is_measured_clip_by_clip_with_its_own_seeds(held):
    """Clip i from seed + i: the rows are those of its frames, with and without learned measures."""
    clips = [held, held]
    measures = evaluate_generator(Paster(), clips, seed=2)
    made = [Paster().render(held.conditions, seed=s, sampling=Sampling()) for s in (2, 3)]
    assert measures.rows == [measure(frames, held.truth, held.clip, held.conditions) for frames in made]
    assert measures.rows[0]['L1 full'] != measures.rows[1]['L1 full']
    assert measures.distributions == []
    nothing = evaluate_frames(lambda i: made[i], [held], LearnedMeasures(LearnedConfig()))
    assert nothing.rows == measures.rows[:1]


def summaries(value: float) -> dict[str, Summary]:
    """Every measure as good as ``value``, more being better."""
    return {m: Summary(value if higher_is_better(m) else -value, 0.0, 0.0, 4) for m in MEASURES}


def test_bounds_name_what_is_missed():
    """The model card's promise: a model that only equals a baseline, or ignores its condition, does not pass."""
    good, base = summaries(30), summaries(20)
    means = {FIRST: base, PASTED: base, MODEL: good, OTHER: base, GIVEN: base, NO_LATENT: base}
    assert missed_bounds(means) == []
    assert len(missed_bounds({**means, PASTED: good})) == len(MEASURES) - 1, 'all but the patterns found'
    close = {**base, 'PSNR hand-object': Summary(28.0, 0, 0, 4)}
    assert 'PSNR hand-object' in missed_bounds({**means, OTHER: close})[0]
    one_worse = {**good, 'GMSD-T shadow': Summary(-10.0, 0, 0, 4)}
    assert [f.split(':')[0] for f in missed_bounds({**means, MODEL: one_worse})] == ['GMSD-T shadow'] * 2


def test_bounds_are_missed_where_the_model_has_no_number():
    """NaN against a number is not better."""
    good, base = summaries(30), summaries(20)
    means = {
        FIRST: base,
        PASTED: base,
        MODEL: {**good, 'L1 full': Summary(np.nan, np.nan, np.nan, 4)},
        OTHER: base,
        GIVEN: base,
        NO_LATENT: base,
    }
    assert len(missed_bounds(means)) == 2


def test_margins_are_positive_where_the_model_is_better():
    rows = {
        MODEL: [{'PSNR full': 30.0, 'L1 full': 2.0}] * 3,
        FIRST: [{'PSNR full': x, 'L1 full': 9.0} for x in (20.0, 25.0, 27.0)],
        PASTED: [{'PSNR full': 31.0, 'L1 full': 1.0}] * 3,
    }
    table = margin_table({name: Measures(of, []) for name, of in rows.items()})
    assert table[0] == ['model better by', *BASELINES, 'N']
    assert table[1][0] == 'PSNR full'
    assert table[1][1].startswith('+6.00 [+3.00, +')
    assert table[1][2:] == ['-1.00 [-1.00, -1.00]', '3']
    assert table[2][1:] == ['+7.00 [+7.00, +7.00]', '-1.00 [-1.00, -1.00]', '3']


def test_tables_say_direction_interval_n_and_weights():
    text = markdown(
        measure_table(
            {'a': {'PSNR full': Summary(25.0, 24.0, 26.0, 7), 'LPIPS full': Summary(1, 0, 2, 7)}}, {'lpips': 'abc123'}
        )
    )
    assert '| PSNR full ↑ | 25.00 [24.00, 26.00] | 7 |' in text
    assert '| LPIPS full ↓ (weights abc123) | 1.000 [0.000, 2.000] | 7 |' in text


def test_results_are_files_that_others_read(held, tmp_path):
    """Valid JSON, also where a measure is NaN, and every clip's row; the table; the sheet."""
    rows = [measure(held.truth // 2, held.truth, held.clip, held.conditions) | {'L1 object': float('nan')}]
    results = {name: Measures(rows, []) for name in (FIRST, PASTED, GIVEN, MODEL, OTHER, NO_LATENT)}
    _write(EvaluateConfig(out=tmp_path, clips=1), results, ['a fault'], {}, [margin_table(results)])
    told = json.loads((tmp_path / 'results.json').read_text(), parse_constant=pytest.fail)
    assert told['clips'][MODEL][0]['L1 object'] is None
    assert told['clips'][MODEL][0]['PSNR full'] == rows[0]['PSNR full']
    assert told['missed'] == ['a fault']
    assert f'| {MODEL} |' in (tmp_path / 'table.md').read_text()
    assert sheet([(held, held.truth)]).shape == (2 * 128 + 6, 2 * (4 * 192 + 6), 3)


def test_at_the_source_s_size_every_method_makes_frames_of_that_size(monkeypatch):
    """A table that mixed sizes would compare other pixels; what is enlarged is the model's own size alone."""
    generator = load_generator('tiny')
    monkeypatch.setattr(generator, 'frames', 13)
    clips = heldout_clips(generator, 1, detail=True)
    frames = {name: render(0) for name, render in _methods(generator, clips, EvaluateConfig(source_size=True)).items()}
    assert {of.shape for of in frames.values()} == {clips[0].truth.shape} == {(13, 480, 720, 3)}
    near, far = (np.abs(frames[name].astype(int) - clips[0].truth).mean() for name in (MODEL, FIRST))
    assert near < far / 2
    own = clips[0].conditions.mask.shape[1:]
    assert own == (128, 192)
    blurred = [cv2.Laplacian(frames[name][6], cv2.CV_32F).std() for name in (MODEL, ENLARGED)]
    assert blurred[0] > 1.2 * blurred[1]
