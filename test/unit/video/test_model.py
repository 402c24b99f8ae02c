"""Models by name: both sizes from one code, and never one without its whole weights."""

import json

import pytest
import torch
from huggingface_hub.errors import LocalEntryNotFoundError
from safetensors.torch import load_file, save_file
from transformers import T5Config, T5EncoderModel

from hoigen.models.cogvideox import PublishedAutoencoder
from hoigen.models.configuration import save_config
from hoigen.models.hub import ModelError
from hoigen.video.assembly import BACKBONE
from hoigen.video.configuration import ModelConfig, read_config
from hoigen.video.model import FILES, WEIGHTS, build, load
from hoigen.video.transformer import ControlledCogVideoX


def test_the_full_size_model_has_the_published_keys_and_shapes(golden):
    """config/models/cogvideox-5b.yaml builds what the published weights are for, backbone and autoencoder."""
    with torch.device('meta'):
        model = build(read_config('cogvideox-5b'))
    for part, manifest in (
        (model.transformer, 'cogvideox_5b_i2v_transformer'),
        (model.autoencoder, 'cogvideox_5b_i2v_vae'),
    ):
        want = json.loads((golden / 'manifests' / f'{manifest}.json').read_text())
        got = {k: list(v.shape) for k, v in part.state_dict().items()}
        assert {k: got.get(k) for k in want} == {k: list(v) for k, v in want.items()}
    assert len(model.transformer.transformer_blocks_copy) == 42
    backbone = sum(p.numel() for n, p in model.transformer.named_parameters() if n.startswith(BACKBONE))
    assert (round(backbone / 1e9, 3), round(sum(p.numel() for p in model.autoencoder.parameters()) / 1e6, 1)) == (
        5.570,
        215.6,
    )


def test_the_full_size_text_encoder_has_the_published_keys_and_shapes(golden):
    """The T5 of config/models/cogvideox-5b.yaml is T5 v1.1 XXL."""
    with torch.device('meta'):
        encoder = T5EncoderModel(T5Config(**read_config('cogvideox-5b').text))
    want = json.loads((golden / 'manifests' / 't5_v1_1_xxl_encoder.json').read_text())
    assert {k: list(v.shape) for k, v in encoder.state_dict().items()} == {k: list(v) for k, v in want.items()}
    assert round(sum(p.numel() for p in encoder.parameters()) / 1e9, 3) == 4.762


@pytest.mark.parametrize(('blocks', 'form', 'billions'), [(18, 'das', 2.559), (42, 'controlnet', 5.949)])
def test_the_branch_is_as_large_as_published(blocks, form, billions):
    """What trains at full size: copied blocks and their zero layers; the point branch is small beside them."""
    branch = {'control_blocks': blocks, 'control_form': form, 'point_branch': False}
    with torch.device('meta'):
        model = ControlledCogVideoX(**read_config('cogvideox-5b').transformer | branch)
    assert round(sum(p.numel() for p in model.control_parameters()) / 1e9, 3) == billions


@torch.no_grad()
def test_the_published_autoencoder_speaks_the_same_two_calls():
    """The pipeline runs on either autoencoder: same shapes, time first."""
    blocks = 4
    torch.manual_seed(0)
    small = PublishedAutoencoder(
        block_out_channels=(8,) * blocks,
        down_block_types=('CogVideoXDownBlock3D',) * blocks,
        up_block_types=('CogVideoXUpBlock3D',) * blocks,
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=2,
    ).eval()
    for latent_count, frames in ((1, 1), (2, 5), (3, 9), (4, 13)):  # an even number is not the published decoder's own
        latents = small.latents(torch.rand(1, frames, 3, 32, 48))
        assert latents.shape == (1, latent_count, 4, 4, 6)
        assert small.frames(latents, torch.zeros(1, frames, 9, 32, 48)).shape == (1, frames, 3, 32, 48)


def test_an_unknown_model_names_those_there_are():
    with pytest.raises(
        ModelError, match=r"expected one of \['cogvideox-5b', 'tiny', 'tiny-look'\] or a folder .* got 'huge'"
    ):
        read_config('huge')


def not_there(name, *, local_files_only):
    """What the hub's library says of a repository that was not fetched."""
    assert local_files_only, 'loading a model must never start a download'
    raise LocalEntryNotFoundError(name)


def test_missing_weights_say_what_to_do(tmp_path, monkeypatch):
    """A model without weights would generate noise: it must not load, whatever its name."""
    monkeypatch.setattr('hoigen.video.model.WEIGHTS', tmp_path)
    with pytest.raises(ModelError, match=r'missing \[.*autoencoder.safetensors.*install hoigen again'):
        load('tiny')
    monkeypatch.setattr('huggingface_hub.snapshot_download', not_there)
    monkeypatch.setenv('HOIGEN_MODELS', str(tmp_path))
    with pytest.raises(
        ModelError,
        match=r'(?s)hoigen models fetch cogvideox \(licence: CogVideoX.*'
        r'hoigen models fetch das \(licence',
    ):
        load('cogvideox-5b')


@pytest.mark.parametrize('fault', ['missing', 'unexpected', 'shape', 'nan', 'cut'])
def test_damaged_weights_are_refused_by_name(tmp_path, fault):
    for file in FILES:
        (tmp_path / file).write_bytes((WEIGHTS / 'tiny' / file).read_bytes())
    save_config(read_config(str(WEIGHTS / 'tiny')), tmp_path)
    path = tmp_path / FILES[0]
    tensors = load_file(path)
    if fault == 'missing':
        del tensors['proj_out.bias']
    elif fault == 'unexpected':
        tensors['stowaway'] = torch.zeros(1)
    elif fault == 'shape':
        tensors['proj_out.bias'] = torch.zeros(3)
    elif fault == 'nan':
        tensors['proj_out.bias'][0] = float('nan')
    save_file(tensors, path)
    if fault == 'cut':
        path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ModelError, match='expected a safetensors file' if fault == 'cut' else 'proj_out.bias|stowaway'):
        load(str(tmp_path))


def test_a_size_the_blocks_cannot_take_is_refused():
    config = read_config('tiny')
    with pytest.raises(ModelError, match=r'expected 4k\+1 frames and a size divisible by 16, got 16 frames of 192x100'):
        ModelConfig(**{**vars(config), 'frames': 16, 'height': 100})
