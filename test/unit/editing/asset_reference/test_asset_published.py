"""The released adapters: which layers they are of, that they load, and what is said where they do not."""

import json
from pathlib import Path

import pytest
import torch
from diffusers import FluxTransformer2DModel
from safetensors.torch import save_file

from hoigen.editing.asset_reference.generator import load_asset_reference
from hoigen.editing.asset_reference.lora import ADAPTED, DOMAIN, RANK, REFERENCE, AdaptedLinear, adapt
from hoigen.editing.asset_reference.model import AssetTransformer
from hoigen.editing.asset_reference.published import blank_adapter, blank_switcher, give_released
from hoigen.editing.flux.configuration import read_config
from hoigen.models.configuration import Memory
from hoigen.models.hub import ModelError


def released(folder: Path, small_flux: FluxTransformer2DModel) -> None:
    """Files as they are released, for a toy transformer, of random numbers."""
    adapt(small_flux, RANK)
    folder.mkdir(exist_ok=True)
    for name in (REFERENCE, DOMAIN):
        save_file(
            {
                f'transformer.{key.replace(f".{name}.", ".")}': torch.randn(value.shape).bfloat16()
                for key, value in small_flux.state_dict().items()
                if f'.{name}.' in key
            },
            folder / f'{name}.safetensors',
        )
    width = small_flux.inner_dim
    shapes = {
        '0.weight': (2, 256),
        '1.weight': (width, 256),
        '1.bias': (width,),
        '3.weight': (width, width),
        '3.bias': (width,),
    }
    save_file({key: torch.randn(shape) for key, shape in shapes.items()}, folder / 'domain_embedder.safetensors')


def copy_of(flux: FluxTransformer2DModel) -> FluxTransformer2DModel:
    made = FluxTransformer2DModel.from_config(flux.config)
    made.load_state_dict(flux.state_dict())
    return made


def test_the_adapted_layers_of_flux_are_the_released_ones(golden: Path):
    """At full size, those that the released configuration names; and both adapters' shapes fit FLUX.1-dev's layers."""
    want = set(json.loads((golden / 'manifests' / 'refany3d_lora_layers.json').read_text()))
    with torch.device('meta'):
        flux = FluxTransformer2DModel(**read_config('asset-flux-dev').transformer)
        adapter, switcher = blank_adapter(Path()), blank_switcher(Path())
    linear = {name: layer for name, layer in flux.named_modules() if isinstance(layer, torch.nn.Linear)}
    assert {name for name in linear if ADAPTED.fullmatch(name)} == want
    shapes = {key: tuple(value.shape) for key, value in adapter.state_dict().items()}
    assert shapes == {
        f'transformer.{name}.{factor}.weight': shape
        for name in want
        for factor, shape in (('lora_A', (16, linear[name].in_features)), ('lora_B', (linear[name].out_features, 16)))
    }
    assert tuple(switcher.state_dict()['3.weight'].shape) == (3072, 3072)


def test_full_size_construction_matches_fluxs_manifest(golden: Path):
    want = json.loads((golden / 'manifests' / 'flux1_dev_transformer.json').read_text())
    with torch.device('meta'):
        flux = FluxTransformer2DModel(**read_config('asset-flux-dev').transformer)
        plain = {key: list(value.shape) for key, value in flux.state_dict().items()}
        asset = AssetTransformer(flux, RANK)
    assert plain == want
    kept = {
        key.removeprefix('transformer.').replace('.base_layer.', '.'): list(value.shape)
        for key, value in asset.state_dict().items()
        if '.lora_' not in key and not key.startswith('domain')
    }
    assert kept == want


def test_released_files_take_their_places(small_flux: FluxTransformer2DModel, tmp_path: Path):
    asset = AssetTransformer(copy_of(small_flux), RANK)
    released(tmp_path, copy_of(small_flux))
    give_released(asset, tmp_path, torch.float32)
    layer = asset.transformer.x_embedder
    assert isinstance(layer, AdaptedLinear)
    x, reference_only = torch.randn(1, 4, 16), torch.tensor([[1.0, 0.0]]).repeat(4, 1)
    delta = layer(x, reference_only) - layer.base_layer(x)
    lora = layer.lora_B[REFERENCE].weight @ layer.lora_A[REFERENCE].weight
    assert torch.allclose(delta, x @ lora.T, atol=1e-4)
    assert lora.abs().max() > 0.1


def test_an_adapter_of_another_model_is_refused(small_flux: FluxTransformer2DModel, tmp_path: Path):
    released(tmp_path, copy_of(small_flux))
    wide = FluxTransformer2DModel.from_config({**small_flux.config, 'num_attention_heads': 3})
    with pytest.raises(ModelError, match=r'default\.safetensors: .* keys do not fit'):
        give_released(AssetTransformer(wide, RANK), tmp_path, torch.float32)
    (tmp_path / 'default.safetensors').unlink()
    save_file(
        {'transformer.x_embedder.lora_A.weight': torch.full((16, 16), torch.nan)}, tmp_path / 'default.safetensors'
    )
    with pytest.raises(ModelError, match='finite'):
        give_released(AssetTransformer(copy_of(small_flux), RANK), tmp_path, torch.float32)


def test_missing_weights_say_the_commands_and_the_licence(monkeypatch, tmp_path: Path):
    monkeypatch.setenv('HOIGEN_MODELS', str(tmp_path))
    monkeypatch.setenv('HF_HUB_CACHE', str(tmp_path))
    with pytest.raises(ModelError) as error:
        load_asset_reference('asset-flux-dev')
    for words in ('hoigen models fetch flux', 'hoigen models fetch refany3d', 'non-commercial'):
        assert words in str(error.value)


def test_offloading_by_blocks_is_refused():
    with pytest.raises(ModelError, match='none or model, got group'):
        load_asset_reference('asset-flux-dev', Memory(offload='group'))
