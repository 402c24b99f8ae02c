"""Flow matching: FLUX's schedule as published, and Euler's method by its laws."""

import numpy as np
import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler

from hoigen.editing.flux.configuration import read_config
from hoigen.models.flux import noise, sample, schedule


def test_schedule_as_published(golden):
    """The 25 steps of the released code at 32x32 tokens."""
    published = np.load(golden / 'fixtures' / 'uno_ids.npz')['schedule_25_seq1024']
    np.testing.assert_allclose(schedule(25, 1024), published, atol=3e-7)  # theirs is computed in float32


def test_uno_is_sampled_as_its_own_pipeline_does():
    """Which shifts for (width / 8) (height / 8) / 256 tokens, far fewer than the image has."""
    config = read_config('insertion-flux-dev')
    assert config.schedule_tokens == (config.size // 8) ** 2 // 256
    assert schedule(config.steps, config.schedule_tokens)[5] < schedule(config.steps, (config.size // 16) ** 2)[5]


@pytest.mark.parametrize(('steps', 'tokens'), [(1, 64), (8, 256), (28, 4096)])
def test_schedule_is_that_of_diffusers(steps, tokens):
    """FLUX's own pipeline comes to the same times; its scheduler is a second, independent witness."""
    scheduler = FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True)
    mu = 0.5 + (1.15 - 0.5) * (tokens - 256) / (4096 - 256)
    scheduler.set_timesteps(sigmas=np.linspace(1, 1 / steps, steps), mu=mu)
    np.testing.assert_allclose(schedule(steps, tokens), scheduler.sigmas.numpy(), atol=1e-6)


def test_schedule_without_shift_is_even():
    np.testing.assert_allclose(schedule(4, 1024, shift=1), [1, 0.75, 0.5, 0.25, 0])


def test_no_steps_are_refused():
    with pytest.raises(ValueError, match='steps: expected >= 1, got 0'):
        schedule(0, 64)


@pytest.mark.parametrize('steps', [1, 3, 8])
def test_a_straight_flow_arrives_in_any_number_of_steps(steps):
    """Where the velocity is noise minus picture everywhere, every schedule ends at the picture."""
    start, picture = noise(0, 6, 4), torch.full((1, 6, 4), 0.3)
    end = sample(lambda x, t: start - picture, start, schedule(steps, 64))
    torch.testing.assert_close(end, picture, atol=1e-6, rtol=0)


def test_many_steps_follow_a_curved_flow():
    """dx/dt = x has an exact end, which Euler's method nears as its steps grow more: order one."""
    start = torch.ones(1, 1, 1, dtype=torch.float64)
    faults = [abs(float(sample(lambda x, t: x, start, schedule(n, 64, shift=1))) - np.exp(-1)) for n in (50, 100)]
    assert faults[1] < 0.55 * faults[0] < 0.01


def test_each_step_tells_what_is_expected_of_the_end():
    """Number, count and the clean tokens of that moment, which in a straight flow are the end from the first on."""
    start, picture, told = noise(1, 2, 3), torch.zeros(1, 2, 3), []
    sample(lambda x, t: start - picture, start, schedule(3, 64), lambda *step: told.append(step))
    assert [step[:2] for step in told] == [(1, 3), (2, 3), (3, 3)]
    for _, _, clean in told:
        torch.testing.assert_close(clean, picture, atol=1e-6, rtol=0)


def test_what_a_step_raises_ends_the_sampling():
    """A user who cancels does not wait for the rest."""
    calls = []

    def cancel(step, steps, clean):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sample(lambda x, t: calls.append(t) or x, noise(0, 2, 3), schedule(5, 64), cancel)
    assert len(calls) == 1


def test_times_come_as_one_per_picture():
    """The model is told the time that its tokens have, for each picture of a batch."""
    seen = []
    sample(lambda x, t: seen.append(t) or 0 * x, torch.zeros(2, 3, 4), schedule(2, 64, shift=1))
    assert [t.tolist() for t in seen] == [[1, 1], [0.5, 0.5]]


def test_noise_is_of_its_seed():
    assert torch.equal(noise(3, 4, 5), noise(3, 4, 5))
    assert not torch.equal(noise(3, 4, 5), noise(4, 4, 5))
