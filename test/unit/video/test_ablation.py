"""The ablation: every variant is trained without its one thing, measured on the same clips, and told in one table."""

from dataclasses import replace

import numpy as np
import pytest
import small_training
import torch
from safetensors.torch import load_file
from synthetic_scene import moving_scene

from hoigen.conditioning import ConditioningConfig, build_clip, build_conditions
from hoigen.video import ablation
from hoigen.video.ablation import VARIANTS, AblateConfig, Variant, ablate, train_variant
from hoigen.video.heldout import HeldOut
from hoigen.video.model import FILES, build, read_config, save


@pytest.fixture
def config(tmp_path, monkeypatch):
    """The ablation of a model of a few thousand parameters, whose trained autoencoder lies where tiny's would."""
    small = small_training.small_config()
    monkeypatch.setattr(ablation, 'read_config', lambda _: small)
    monkeypatch.setattr(ablation, 'WEIGHTS', tmp_path / 'weights')
    torch.manual_seed(0)
    for part, file in zip((build(small).transformer, build(small).autoencoder), FILES, strict=True):
        save(part, tmp_path / 'weights' / ablation.MODEL / file)
    return AblateConfig((small_training.write_clips(tmp_path / 'clips'),), tmp_path / 'runs', steps=1, heldout=2,
                        table=tmp_path / 'table.md')


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


def test_without_coloured_points_the_decoder_does_not_see_them_either(config, monkeypatch):
    """Else the reference would paint hand and object whatever the branch had learned."""
    seen = []
    monkeypatch.setattr(ablation, 'load_generator', lambda _: None)
    monkeypatch.setattr(ablation, 'evaluate_generator', lambda generator, clips, **given: seen.extend(
        (c.conditions.coloured_state.max(), given['sampling'].conditions) for c in clips) or ablation)
    monkeypatch.setattr(ablation, 'rows', [], raising=False)
    for variant in (VARIANTS[0], Variant('w/o coloured points', ('points', 'tracking'))):
        ablation.measure_variant(config, variant, [held_out()])
    assert seen == [(2, ('points', 'tracking', 'coloured')), (0, ('points', 'tracking'))]


def test_one_command_writes_the_table(config, monkeypatch):
    """A row for each variant with intervals, and the command beside the numbers."""
    monkeypatch.setattr(ablation, 'VARIANTS', (VARIANTS[0], VARIANTS[5]))
    monkeypatch.setattr(ablation, 'heldout_clips', lambda generator, count: [held_out()] * count)
    generators = []
    load = ablation.load_generator
    monkeypatch.setattr(ablation, 'load_generator',
                        lambda name: generators.append(name) or (None if name == ablation.MODEL else load(name)))
    ablate(config)
    text = config.table.read_text()
    assert text.count('| w/o coloured points |') == 2  # its values, and its difference to the full model
    assert f'hoigen ablate --clips {config.clips[0]} --steps 1' in text
    assert np.char.count(text, '[') > 2 * len(ablation.SHOWN)
    assert len(generators) == 3
