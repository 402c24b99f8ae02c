"""How to sample: settings that are refused, and guidance as it is defined."""

import math
from dataclasses import replace

import pytest
import torch
from diffusers import CogVideoXDPMScheduler, CogVideoXTransformer3DModel

from hoigen.video.denoise import Denoiser, sample, text_guidance
from hoigen.video.sampling import Sampling
from hoigen.video.transformer import Control, with_first_frame

SCHEDULER = {
    'prediction_type': 'v_prediction',
    'timestep_spacing': 'trailing',
    'rescale_betas_zero_snr': True,
    'snr_shift_scale': 1.0,
    'clip_sample': False,
}


@pytest.fixture
def draw():
    g = torch.Generator().manual_seed(5)
    return lambda *shape: torch.randn(*shape, generator=g)


@pytest.fixture
def denoiser(small_model, draw):
    """Four steps of a small model whose branch has an effect, with a prompt."""
    with torch.no_grad():
        for parameter in small_model.control_parameters():
            parameter.add_(0.1 * draw(*parameter.shape))
    scheduler = CogVideoXDPMScheduler(**SCHEDULER)
    scheduler.set_timesteps(4)
    return Denoiser(small_model, scheduler, 4, Sampling(), text=draw(1, 5, 12), no_text=draw(1, 5, 12))


@pytest.fixture
def inputs(draw):
    """Noisy latents, the first frame's latent and a control for them."""
    return draw(1, 3, 4, 6, 8), draw(1, 1, 4, 6, 8), Control(with_first_frame(draw(1, 3, 4, 6, 8)), draw(1, 3, 4, 6, 8))


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        ({'steps': 0}, 'steps: expected >= 1, got 0'),
        ({'guidance': 0.5}, r'guidance: expected a number >= 1 \(1: off\), got 0.5'),
        ({'guidance': math.nan}, 'guidance: expected a number'),
        ({'guidance': 1.0, 'dynamic_guidance': True}, 'dynamic_guidance: expected a guidance > 1'),
        ({'guidance': 1.0, 'negative_prompt': 'blur'}, 'negative_prompt: expected a guidance > 1'),
        ({'conditions': ('points', 'depth')}, r"conditions: expected names from .*, got \['depth'\]"),
        ({'conditions': ('points', 'points')}, 'conditions: expected each once'),
        ({'strength': -1.0}, 'strength: expected a number >= 0'),
        ({'start': 0.5, 'end': 0.5}, r'start, end: expected 0 <= start < end <= 1, got \(0.5, 0.5\)'),
        ({'control_guidance': 0.0}, 'control_guidance: expected a number >= 1'),
        ({'conditions': (), 'control_guidance': 2.0}, 'control_guidance: expected 1 without conditions'),
        ({'overlap': 0}, 'overlap: expected >= 1'),
    ],
)
def test_settings_that_mean_nothing_are_refused(settings, message):
    """A typing error on the command line must not cost an hour of sampling."""
    with pytest.raises(ValueError, match=message):
        Sampling(**settings)


@torch.no_grad()
@pytest.mark.parametrize('control', [None, Control()])
def test_without_conditions_a_step_is_the_plain_backbones_bit_for_bit(denoiser, inputs, small_config, control):
    """No condition at all: what diffusers' own transformer predicts, whatever the branch has learned."""
    noisy, first, _ = inputs
    plain = CogVideoXTransformer3DModel(**small_config, use_rotary_positional_embeddings=True).eval()
    weights = denoiser.model.state_dict()
    plain.load_state_dict({k: weights[k] for k in plain.state_dict()})
    timestep = denoiser.scheduler.timesteps[1][None]
    want = plain(
        with_first_frame(noisy, first),
        denoiser.text,
        timestep,
        image_rotary_emb=denoiser.model.rotary(3, 6, 8, noisy.device),
    ).sample
    assert torch.equal(denoiser.velocity(noisy, first, 1, control), want)


@torch.no_grad()
def test_guidance_on_text_and_on_the_condition_is_what_is_written(denoiser, inputs):
    """Both kinds of guidance, alone and together, from the four predictions that they combine."""
    noisy, first, control = inputs

    def at(used, text):
        return replace(denoiser, text=text).velocity(noisy, first, 0, used)

    def guided(**settings):
        return replace(denoiser, sampling=Sampling(**settings)).velocity(noisy, first, 0, control)

    both, alone = at(control, denoiser.text), at(None, denoiser.text)
    mute, free = at(control, denoiser.no_text), at(None, denoiser.no_text)
    assert not torch.allclose(both, alone)
    assert not torch.allclose(both, mute)
    torch.testing.assert_close(guided(guidance=6.0), mute + 6 * (both - mute))
    torch.testing.assert_close(guided(control_guidance=3.0), alone + 3 * (both - alone))
    low, high = free + 6 * (alone - free), mute + 6 * (both - mute)
    torch.testing.assert_close(guided(guidance=6.0, control_guidance=3.0), low + 3 * (high - low))


def test_dynamic_guidance_is_that_of_the_published_pipelines():
    """Values of the expression in diffusers' CogVideoX image-to-video pipeline, for 50 steps and a scale of 6."""
    dynamic = Sampling(guidance=6.0, dynamic_guidance=True)
    assert [round(text_guidance(dynamic, 50, t), 2) for t in (999, 979, 959, 39, 19)] == [2.29, 2.54, 6.97, 1.0, 1.12]
    assert text_guidance(Sampling(guidance=6.0), 50, 999) == 6.0


@torch.no_grad()
@pytest.mark.parametrize(
    ('start', 'end', 'on'), [(0.0, 1.0, [0, 1, 2, 3]), (0.0, 0.5, [0, 1]), (0.5, 1.0, [2, 3]), (0.2, 0.7, [1, 2])]
)
def test_the_branch_runs_during_its_share_of_the_steps(denoiser, inputs, start, end, on):
    """Outside its share the prediction is the backbone's, bit for bit."""
    noisy, first, control = inputs
    part = replace(denoiser, sampling=Sampling(start=start, end=end))
    ran = [
        not torch.equal(part.velocity(noisy, first, step, control), part.velocity(noisy, first, step, None))
        for step in range(4)
    ]
    assert [step for step in range(4) if ran[step]] == on


@torch.no_grad()
def test_strength_scales_what_the_branch_adds(denoiser, inputs):
    """At 0 the branch adds nothing; between, the prediction moves from one to the other."""
    noisy, first, control = inputs
    at = lambda strength: replace(denoiser, sampling=Sampling(strength=strength)).velocity(noisy, first, 0, control)  # noqa: E731
    none, half, full = at(0.0), at(0.5), at(1.0)
    assert torch.equal(none, denoiser.velocity(noisy, first, 0, None))
    assert 0 < (half - none).norm() < (full - none).norm()


def test_known_latents_come_out_as_they_went_in_and_the_others_go_on_from_them(denoiser, inputs):
    """What windows of a long clip share is one thing: the later window keeps it and reads it at every step."""
    noise, first, control = inputs
    run = lambda known: denoiser.run(first, noise, control, torch.Generator().manual_seed(1), known=known)  # noqa: E731
    free, held = run(None), run(torch.full((1, 1, 4, 6, 8), 0.7))
    assert torch.equal(held[:, 1], torch.full((1, 4, 6, 8), 0.7))
    assert not torch.allclose(held[:, 2], free[:, 2])
    assert torch.equal(run(noise[:, :0]), free)


def test_a_clip_of_a_batch_does_not_depend_on_the_others(denoiser, inputs):
    """A generator for each clip: the batch may be split in any way."""
    first = inputs[1]
    generators = lambda: [torch.Generator().manual_seed(seed) for seed in (1, 2)]  # noqa: E731
    both = sample(
        denoiser.model, denoiser.scheduler, first.expand(2, -1, -1, -1, -1), 3, None, steps=2, generator=generators()
    )
    second = sample(denoiser.model, denoiser.scheduler, first, 3, None, steps=2, generator=generators()[1])
    torch.testing.assert_close(both[1:], second)


def test_a_branch_without_points_refuses_them(small_config, cloud, draw):
    """A tracking branch alone must not ignore the point cloud in silence."""
    from hoigen.video.transformer import ControlledCogVideoX

    model = ControlledCogVideoX(**small_config, control_blocks=1, point_branch=False)
    with pytest.raises(ValueError, match='expected tracking alone'):
        model(draw(2, 3, 8, 6, 8), draw(2, 5, 12), torch.tensor([1, 1]), control=Control(points=cloud))
