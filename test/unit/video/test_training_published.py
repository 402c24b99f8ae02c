"""Training a model with published weights, at toy size: from the bare backbone, from a released branch, and on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from published_layout import toy_config, write_pipeline, write_tracking_branch
from safetensors.torch import load_file
from small_training import write_clips

from hoigen.learning.curves import read_curves
from hoigen.learning.options import Hardware
from hoigen.models.configuration import save_config
from hoigen.models.hub import ModelError
from hoigen.video.assembly import CONTROL
from hoigen.video.configuration import read_config
from hoigen.video.data import ClipSet
from hoigen.video.model import load
from hoigen.video.options import DiffusionLoss, TrainConfig, recipe
from hoigen.video.training.latents import encode_video
from hoigen.video.training.stages import run, start_model


@pytest.fixture(scope='module')
def folder(tmp_path_factory) -> Path:
    """A model's folder that names published weights, a released branch, and clips of the model's size."""
    folder = tmp_path_factory.mktemp('published')
    write_tracking_branch(folder / 'shader', write_pipeline(folder / 'base'))
    save_config(toy_config(folder / 'base', None), folder / 'model')
    write_clips(folder / 'clips', 2, frames=9, width=80, height=96)
    return folder


def config_of(folder: Path, out: str, **given) -> TrainConfig:
    config = recipe(str(folder / 'model'), clips=(folder / 'clips',), out=folder / out, **given)
    return replace(config, diffusion=replace(config.diffusion, steps=2, batch=2, warmup=1, learning_rate=1e-2))


def test_from_the_bare_backbone_to_a_model_that_generates(folder):
    """The paper's recipe with its defaults: prompts, image noise, checkpointing, bf16; only the branch is left."""
    config = config_of(folder, 'bare')
    assert config.hardware == Hardware(checkpointing=True)
    run(config)
    left = load_file(folder / 'bare' / CONTROL)
    assert {key.split('.')[0] for key in left} == {
        'transformer_blocks_copy',
        'combine_linears',
        'point_encoder',
        'point_to_grid',
        'condition_embed',
    }
    assert left['combine_linears.0.weight'].any()
    latents = next((folder / 'clips').glob('latents-*'))
    stored = load_file(next(latents.glob('*.safetensors')))
    assert stored['text'].shape == (7, 12)
    assert not torch.equal(stored['text'], stored['no_text'])
    model = load(str(folder / 'bare'))
    tracking = ClipSet([folder / 'clips']).tracking(0)
    alone = encode_video(model.autoencoder, tracking[:, :1])
    torch.testing.assert_close(stored['first_track'].float(), alone[0], atol=1e-3, rtol=1e-3)
    assert not torch.allclose(stored['videos'][1, :1].float(), alone[0], atol=1e-2), 'the encoder sees later frames'
    torch.testing.assert_close(
        model.transformer.combine_linears[0].weight, left['combine_linears.0.weight'].float(), rtol=1e-2, atol=1e-3
    )


def test_from_a_released_branch_and_on_from_ours(folder):
    """Diffusion-as-Shader's tracking branch is where the branch starts; so is what training left before."""
    config = config_of(folder, 'shaded', start=str(folder / 'shader'))
    branch = start_model(config).transformer.combine_linears
    assert start_model(config).config.transformer['control_form'] == 'das'
    assert branch[1].weight.any()
    assert not branch[2].weight.any(), 'the released branch has two blocks; the third changes nothing'
    run(config)
    first = read_curves(folder / 'shaded' / 'diffusion')
    trained = read_config(str(folder / 'shaded'))
    assert trained.transformer['control_form'] == 'das'
    assert trained.conditions == ['points', 'tracking', 'coloured']
    some = DiffusionLoss(conditions=('points', 'tracking'))
    run(config_of(folder, 'on', start=str(folder / 'shaded'), diffusion_loss=some))
    assert load(str(folder / 'on')).config.conditions == ['points', 'tracking'], 'a branch reads what it has learnt'
    assert len(read_curves(folder / 'on' / 'diffusion')) == len(first) == 2


def test_clips_and_model_have_the_same_tracking_colours(folder):
    """Clips hold the colours of today; a model that generates with others must not learn from them."""
    save_config(replace(toy_config(folder / 'base', None), tracking_colours='metric'), folder / 'older')
    with pytest.raises(ModelError, match="tracking_colours 'image', as clips have them, got 'metric'"):
        start_model(replace(config_of(folder, 'never'), model=str(folder / 'older')))


def test_a_published_autoencoder_is_not_trained(folder):
    with pytest.raises(ModelError, match=r"stage: expected one of \('diffusion',\) for toy, got 'autoencoder'"):
        run(config_of(folder, 'never', stage='autoencoder'))
