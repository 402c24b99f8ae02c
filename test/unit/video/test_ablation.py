"""The ablation: every variant is trained without its one thing, measured on the same clips, and told in one table."""

from dataclasses import replace

import numpy as np
import pytest
import small_training
import torch
from safetensors.torch import load_file
from synthetic_scene import moving_scene

from hoigen.conditioning import ConditioningConfig, build_clip, build_conditions
from hoigen.models.tensors import save
from hoigen.video import ablation
from hoigen.video.ablation import LATENT_ERROR, VARIANTS, Variant, ablate, latent_error, measured, train_variant
from hoigen.video.configuration import read_config
from hoigen.video.heldout import HeldOut
from hoigen.video.model import FILES, build
from hoigen.video.options import AblateConfig
from hoigen.video.sampling import Sampling


@pytest.fixture
def config(tmp_path, monkeypatch):
    """The ablation of a model of a few thousand parameters, whose trained autoencoder lies where tiny's would."""
    small = small_training.small_config()
    monkeypatch.setattr(ablation, 'read_config', lambda _: small)
    monkeypatch.setattr(ablation, 'WEIGHTS', tmp_path / 'weights')
    torch.manual_seed(0)
    for part, file in zip((build(small).transformer, build(small).autoencoder), FILES, strict=True):
        save(part, tmp_path / 'weights' / ablation.MODEL / file)
    return AblateConfig(
        (small_training.write_clips(tmp_path / 'clips'),),
        tmp_path / 'runs',
        steps=1,
        heldout=2,
        table=tmp_path / 'table.md',
    )


def held_out() -> HeldOut:
    clip = build_clip(*moving_scene(5, **small_training.SIZE), ConditioningConfig(points=256, tracks=16))
    return HeldOut(clip.rgb, clip, build_conditions(clip, **small_training.SIZE), 'ball')


def test_variants_cover_the_papers_ablation():
    """Each thing that the paper takes away, and each that is ours, is taken away alone once."""
    alone = {v.name: v for v in VARIANTS}
    assert alone['w/o point cloud'].conditions == ('tracking', 'coloured')
    assert alone['w/o tracking'].conditions == ('points', 'coloured')
    assert alone['w/o coloured points'].conditions == ('points', 'tracking')
    assert alone['w/o mask loss'].mask_weight == 0
    assert alone['points interpolated'].resampling == 'interpolate'
    assert len({v.folder for v in VARIANTS}) == len(VARIANTS)


def test_a_variant_is_a_model_that_differs_in_what_it_was_trained_with(config):
    """The mask loss changes the branch, never the backbone; how points are resampled is the variant's configuration."""
    weights, config = {}, replace(config, steps=3)  # Adam's first step knows only the gradient's sign
    for variant in (Variant('full'), Variant('plain', mask_weight=0.0), Variant('listed', resampling='interpolate')):
        train_variant(config, variant)
        folder = config.out / variant.folder
        weights[variant.name] = load_file(folder / FILES[0])
        assert read_config(str(folder)).transformer['point_resampling'] == variant.resampling
    branch, backbone = 'combine_linears.0.weight', 'transformer_blocks.0.attn1.to_q.weight'
    assert not torch.equal(weights['full'][branch], weights['plain'][branch])
    trained = load_file(ablation.WEIGHTS / ablation.MODEL / FILES[0])[backbone]
    assert all(torch.allclose(of[backbone], trained, rtol=0.01) for of in weights.values())  # kept as bfloat16


class Seen:
    """A generator that keeps what it is asked for and gives the truth's latents, off by a known share."""

    def __init__(self, truth, share=0.0):
        self.asked, self._share = [], share
        self._true = torch.from_numpy(truth[::4, ::8, ::8]).permute(0, 3, 1, 2)[None]

    def render(self, conditions, *, seed, sampling):
        self.asked.append((conditions.coloured_state.max(), sampling.conditions))
        return np.repeat(conditions.image[None], len(conditions.stamps_ns), 0)

    def latents(self, conditions, *, seed, sampling):
        return self.encode(None) + self._share

    def encode(self, frames):
        return self._true.float()


def test_without_coloured_points_the_decoder_does_not_see_them_either():
    """Else the reference would paint hand and object whatever the branch had learned."""
    clip = held_out()
    generator = Seen(clip.truth)
    for conditions in (VARIANTS[0].conditions, ('points', 'tracking')):
        rows = measured(generator, 'any', conditions, [clip], 0)
        assert rows[0][LATENT_ERROR] == 0
    assert generator.asked == [(2, ('points', 'tracking', 'coloured')), (0, ('points', 'tracking'))]


def test_the_latent_error_is_a_share_of_the_variance():
    clip = held_out()
    generator = Seen(clip.truth, share=3.0)
    there = torch.nn.functional.max_pool2d(torch.from_numpy(clip.conditions.mask[1:] > 0).float().amax(0)[None], 8) > 0
    variance = generator.encode(None)[:, 1:][there.expand(1, 1, 3, -1, -1)].var()
    assert latent_error(generator, clip, 0, Sampling()) == pytest.approx(float(9 / variance), rel=1e-5)


def test_one_command_writes_the_table(config, monkeypatch):
    """A row for each variant and each choice of conditions, with intervals, and the command beside the numbers."""
    monkeypatch.setattr(ablation, 'VARIANTS', (VARIANTS[0], VARIANTS[5]))
    monkeypatch.setattr(ablation, 'GIVEN', {'all': ('points', 'tracking', 'coloured'), 'no condition': ()})
    monkeypatch.setattr(ablation, 'heldout_clips', lambda generator, count: [held_out()] * count)
    load, full = ablation.load_generator, str(config.out / 'full')
    monkeypatch.setattr(ablation, 'load_generator', lambda name: load(full if name == ablation.MODEL else name))
    ablate(config)
    text = config.table.read_text()
    for name in ('w/o coloured points', 'no condition'):
        assert text.count(f'| {name} |') == 2  # its values, and its difference to the whole
    assert f'hoigen ablate --clips {config.clips[0]} --steps 1' in text
    assert text.count('[') > 6 * len(ablation.SHOWN)
