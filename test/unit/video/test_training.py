"""The training loop: a stopped run goes on as if it had not been stopped, and a bad loss loses nothing."""

import json

import pytest
import torch
from torch import nn

from hoigen.video.training.diffusion import latent_mask, masked_velocity_loss
from hoigen.video.training.loop import CURVES, LoopConfig, TrainingError, train


class Stop(Exception):
    pass


def fit(folder, steps=50, stop_at=None, bad_at=None):
    """Fit a line with noisy data; returns the weight and the loss curve."""
    torch.manual_seed(0)
    module = nn.Linear(3, 1)

    def loss(step, generator):
        if step == stop_at:
            raise Stop
        x = torch.randn(8, 3, generator=generator)
        error = (module(x).float() - x.sum(1, keepdim=True)).square().mean()
        return {'loss': error * (float('nan') if step == bad_at else 1)}

    train('line', module, module.parameters(), loss, folder,
          LoopConfig(steps=steps, learning_rate=1e-2, warmup=5, checkpoint_every=10))
    rows = [json.loads(line) for line in (folder / 'line' / CURVES).read_text().splitlines()]
    return module.weight.detach().clone(), [r['loss'] for r in rows]


def test_a_killed_run_resumes_to_the_same_weights(tmp_path):
    """Hours of training must not depend on whether the machine was restarted in between."""
    whole, _ = fit(tmp_path / 'whole')
    with pytest.raises(Stop):
        fit(tmp_path / 'cut', stop_at=37)
    resumed, _ = fit(tmp_path / 'cut')
    assert torch.equal(resumed, whole)


def test_the_loop_learns(tmp_path):
    _, losses = fit(tmp_path)
    assert losses[-1] < 0.9 * losses[0]


def test_a_loss_that_is_not_finite_stops_and_keeps_the_last_checkpoint(tmp_path):
    with pytest.raises(TrainingError, match='step 33: expected a finite loss, got nan'):
        fit(tmp_path, bad_at=33)
    state = torch.load(tmp_path / 'line' / 'checkpoint' / 'state.pt', weights_only=True)
    assert state['step'] == 30


def test_the_mask_loss_weighs_an_error_in_the_region_four_times():
    """(1 + M) doubles the error, so its square counts four times (HVG-3D, mask diffusion loss)."""
    velocity, mask = torch.zeros(1, 1, 2, 4, 4), torch.zeros(1, 1, 1, 4, 4)
    mask[..., :2] = 1
    inside, outside = torch.zeros_like(velocity), torch.zeros_like(velocity)
    inside[..., 0, 0], outside[..., 0, 3] = 1, 1
    assert masked_velocity_loss(inside, velocity, mask) == 4 * masked_velocity_loss(outside, velocity, mask)


def test_the_latent_mask_covers_the_frames_of_its_latent():
    """A pixel of the mask in frame 6 marks latent 2 (frames 5..8) at its place, and no other."""
    mask = torch.zeros(1, 9, 1, 32, 48)
    mask[0, 6, 0, 17, 41] = 1
    grid = latent_mask(mask)
    assert grid.shape == (1, 3, 1, 4, 6)
    assert grid.nonzero().tolist() == [[0, 2, 0, 2, 5]]
