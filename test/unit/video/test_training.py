"""The training loop: what is learnt depends on the seed and the settings, not on kills, processes or passes."""

import json
import math
import os

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from hoigen.learning import loop as loop_module
from hoigen.learning.checkpoint import STATE, TrainingError, last_checkpoint
from hoigen.learning.curves import CURVES, PICTURE, read_curves
from hoigen.learning.loop import Objective, train
from hoigen.learning.options import Hardware, LoopConfig

PLAIN = Hardware(precision='no')


class Numbers:
    """Ten 'clips'."""

    size = 10

    def __len__(self):
        return self.size

    def name(self, index):
        return f'clip {index}'

    def order(self, seed, count):
        return np.random.default_rng(seed).integers(10, size=count)


class Line(Objective):
    """Fit a line to noisy data; ``stop`` and ``bad`` are called and made NaN at that example."""

    def __init__(self, stop_at=None, bad_at=None):
        super().__init__()
        torch.manual_seed(0)
        self.layer, self.clips = nn.Linear(3, 1), Numbers()
        self.count, self.stop_at, self.bad_at = 0, stop_at, bad_at

    def example(self, index, generator):
        x = torch.randn(3, generator=generator) + index / 10
        return {'x': x, 'y': x.sum() + 0.1 * torch.randn((), generator=generator)}

    def forward(self, batch):
        if self.count == self.stop_at:
            raise KeyboardInterrupt
        self.count += 1
        error = (self.layer(batch['x'])[:, 0] - batch['y']).square()
        first = torch.arange(len(error)) == 0
        return {
            'loss': torch.where(first & (self.count - 1 == self.bad_at), math.nan, error),
            'seldom': torch.where(batch['y'] > 0, error, math.nan),
        }


def fit(folder, hardware=PLAIN, steps=50, ema=0.9, **at):
    objective = Line(**at)
    train(
        'line',
        objective,
        folder,
        LoopConfig(steps=steps, learning_rate=0.1, warmup=5, checkpoint_every=10, batch=4, ema=ema, schedule='cosine'),
        hardware,
    )
    return objective.layer.weight.detach().clone(), [row['loss'] for row in read_curves(folder / 'line')]


def test_a_stopped_run_resumes_to_the_same_weights_and_curve(tmp_path):
    """Hours of training must not depend on whether the machine was restarted in between."""
    whole, curve = fit(tmp_path / 'whole')
    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path / 'cut', stop_at=37)
    assert last_checkpoint(tmp_path / 'cut' / 'line').name == 'checkpoint-00000030'
    resumed, resumed_curve = fit(tmp_path / 'cut')
    assert torch.equal(resumed, whole)
    assert resumed_curve == curve
    assert len(curve) == 50


def test_a_run_that_goes_on_with_other_clips_says_so(tmp_path, capsys):
    """Its curve would look like one run's, and no run would ever draw it again."""
    fit(tmp_path, steps=10)
    fit(tmp_path, steps=20)
    assert 'other clips' not in capsys.readouterr().out
    Numbers.size = 12
    try:
        fit(tmp_path, steps=30)
    finally:
        Numbers.size = 10
    assert 'line: goes on at step 20 with other clips: 12 in place of 10' in capsys.readouterr().out


def test_accumulation_changes_nothing(tmp_path):
    """Who has less memory trains the same model, only slower."""
    whole, curve = fit(tmp_path / 'whole')
    parts, parts_curve = fit(tmp_path / 'parts', Hardware(precision='no', micro_batch=1))
    torch.testing.assert_close(parts, whole, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(parts_curve, curve, rtol=1e-5)


def test_the_loop_learns_and_shows_it(tmp_path):
    _, losses = fit(tmp_path)
    assert losses[-1] < 0.1 * losses[0]
    assert (tmp_path / 'line' / PICTURE).stat().st_size > 5000
    assert list((tmp_path / 'line').glob('events.out.tfevents.*'))
    rows = [json.loads(line) for line in (tmp_path / 'line' / CURVES).read_text().splitlines()]
    assert [row['step'] for row in rows] == list(range(1, 51))
    assert all('seldom' not in row or math.isfinite(row['seldom']) for row in rows)


def test_averaged_weights_are_left_and_the_raw_ones_go_on(tmp_path):
    """The average is what is used; training itself must not start again from it."""
    averaged, _ = fit(tmp_path, ema=0.99)
    raw = load_file(last_checkpoint(tmp_path / 'line') / 'trained.safetensors')['layer.weight']
    kept = load_file(last_checkpoint(tmp_path / 'line') / 'average.safetensors')['layer.weight']
    assert torch.equal(averaged, kept)
    assert not torch.equal(averaged, raw)


def test_a_loss_that_is_not_finite_names_the_clip_and_keeps_the_last_checkpoint(tmp_path):
    with pytest.raises(
        TrainingError,
        match=r'line: step 33: expected a finite loss, got nan for clip clip \d; '
        r'the last good checkpoint is .*checkpoint-00000030$',
    ):
        fit(tmp_path, bad_at=33)
    assert json.loads((last_checkpoint(tmp_path / 'line') / STATE).read_text())['step'] == 30
    with pytest.raises(TrainingError, match=r'step 3: .* there is no checkpoint yet'):
        fit(tmp_path / 'early', bad_at=3)


def test_a_gradient_that_is_not_finite_stops_too(tmp_path, monkeypatch):
    """A finite loss can have an infinite gradient, which would make every weight NaN."""
    monkeypatch.setattr(
        Line,
        'forward',
        lambda self, batch: {'loss': (self.layer(batch['x'])[:, 0] * 0).abs().sqrt() + self.layer.weight.sum()},
    )
    with pytest.raises(TrainingError, match='step 0: expected a finite gradient, got one of norm nan'):
        fit(tmp_path)


def test_a_full_disk_keeps_the_previous_checkpoint_and_says_so(tmp_path, monkeypatch):
    whole, _ = fit(tmp_path / 'whole')
    real, calls = loop_module.save_checkpoint.__globals__['save_file'], []

    def save_file(tensors, path):
        calls.append(path)
        if len(calls) == 5:  # the second file of the second checkpoint
            path.write_bytes(b'half')
            raise OSError(28, 'No space left on device')
        real(tensors, path)

    monkeypatch.setitem(loop_module.save_checkpoint.__globals__, 'save_file', save_file)
    with pytest.raises(
        TrainingError,
        match=r"checkpoint of step 20: .*No space left on device: '.*\.safetensors'; kept: "
        r'.*checkpoint-00000010. Make room and run the same command again',
    ):
        fit(tmp_path / 'cut')
    assert sorted(p.name for p in (tmp_path / 'cut' / 'line').glob('checkpoint*')) == ['checkpoint-00000010']
    resumed, _ = fit(tmp_path / 'cut')
    assert torch.equal(resumed, whole)


def test_a_crash_while_saving_loses_nothing(tmp_path, monkeypatch):
    """Wherever a kill strikes in saving, a whole checkpoint is found, the old or the new one."""
    real, stops = os.fsync, iter(range(100))

    def stop(handle):
        if next(stops) == 7:
            raise KeyboardInterrupt
        real(handle)

    monkeypatch.setattr(os, 'fsync', stop)
    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path)
    assert last_checkpoint(tmp_path / 'line').name == 'checkpoint-00000010'
    (tmp_path / 'line' / 'checkpoint.partial').mkdir()  # what kill -9 would have left
    assert last_checkpoint(tmp_path / 'line').name == 'checkpoint-00000010'


def test_another_models_checkpoint_is_refused(tmp_path):
    fit(tmp_path)
    other = Line()
    other.layer = nn.Linear(4, 1)
    with pytest.raises(
        TrainingError,
        match=r'expected the trained parameters of this model, 1 do not fit, the first: '
        r"\['layer.weight'\]",
    ):
        train('line', other, tmp_path, LoopConfig(steps=50), PLAIN)


def test_a_batch_that_does_not_divide_is_refused(tmp_path):
    with pytest.raises(TrainingError, match='batch: expected a multiple of 1 processes x 3 clips at once, got 4'):
        fit(tmp_path, Hardware(precision='no', micro_batch=3))


def test_epochs_count_clips(tmp_path):
    """Without steps, the paper's 20 epochs: every clip 20 times."""
    train('line', Line(), tmp_path, LoopConfig(epochs=2, batch=4), PLAIN)
    assert read_curves(tmp_path / 'line')[-1]['step'] == 5
