"""Asset reference on the published FLUX, with the released adapters and domain switcher."""

from __future__ import annotations

from pathlib import Path

import torch
from accelerate import init_empty_weights
from diffusers import FluxTransformer2DModel
from torch import Tensor, nn

from hoigen.editing.asset_reference.lora import DOMAIN, RANK, REFERENCE, adapt, from_released
from hoigen.editing.asset_reference.model import AssetTransformer, switcher
from hoigen.editing.flux.configuration import EditConfig
from hoigen.editing.flux.published import load_autoencoder, load_text, load_transformer, sources, weight_files
from hoigen.editing.flux_insertion.lora import refuse_infinite
from hoigen.models.flux import PublishedAutoencoder
from hoigen.models.hub import ModelError
from hoigen.models.hub.published import (
    fingerprint,
    read_tensors,
    refuse_misfits,
    refuse_other_config,
)
from hoigen.models.placement import place, quantise
from hoigen.models.text import CaptionEncoder

RELEASED = {
    REFERENCE: 'default.safetensors',
    DOMAIN: 'coord.safetensors',
    'domain_embedder': 'domain_embedder.safetensors',
}
"""What is beside FLUX: part -> file."""


def load_published(config: EditConfig) -> tuple[AssetTransformer, PublishedAutoencoder, CaptionEncoder, dict[str, str]]:
    """The parts for use, where ``memory`` says, and each weight file's SHA-256.

    ModelError where any are missing or do not fit, before anything is read but headers and the small files.
    """
    if config.memory.offload == 'group':
        raise ModelError(
            f"model {config.name}: expected memory.offload none or model, got group, which this model's "
            'pass by branches cannot use'
        )
    base, lora = sources(config)
    absent = [name for name in RELEASED.values() if not (lora.folder() / name).is_file()]
    if absent:
        raise lora.missing(f'no {", ".join(absent)} in {lora.folder()}')
    for part, want in (('transformer', config.transformer), ('vae', config.autoencoder)):
        refuse_other_config(want, base.folder() / part / 'config.json', base)
    memory = config.memory
    asset = _asset(config, lora.folder())
    autoencoder = load_autoencoder(config)
    files = weight_files(base) | {f'{lora.label()}/{name}': lora.folder() / name for name in RELEASED.values()}
    hashes = {name: fingerprint(path) for name, path in files.items()}
    if memory.weights == 'int8':
        quantise(asset.transformer)
    place(asset, autoencoder, memory)
    return asset.eval(), autoencoder, load_text(config), hashes


def _asset(config: EditConfig, released: Path) -> AssetTransformer:
    """FLUX with the released adapters and domain switcher, all in the type that ``memory`` says."""
    dtype, device = config.memory.dtype(), config.memory.loading_device()
    transformer = load_transformer(config)
    with init_empty_weights(include_buffers=False):
        asset = AssetTransformer(transformer, RANK)
    give_released(asset, released, dtype, device)
    return asset


def give_released(
    asset: AssetTransformer, folder: Path, dtype: torch.dtype, device: torch.device | str = 'cpu'
) -> None:
    """Give a transformer the released adapters and domain switcher; every key and shape must fit."""
    for part, name in RELEASED.items():
        tensors = read_tensors(folder / name)
        refuse_infinite(tensors, folder / name)
        named = (
            {f'domain_embedder.{key}': value for key, value in tensors.items()}
            if part == 'domain_embedder'
            else {f'transformer.{key}': value for key, value in from_released(tensors, part).items()}
        )
        want = {
            key: tuple(value.shape)
            for key, value in asset.state_dict().items()
            if f'.{part}.' in key or key.startswith(f'{part}.')
        }
        refuse_misfits(folder / name, want, {key: tuple(value.shape) for key, value in named.items()})
        asset.load_state_dict({key: value.to(device, dtype) for key, value in named.items()}, strict=False, assign=True)


def blank_adapter(_: Path) -> nn.Module:
    """A module with the keys and shapes of one released adapter of FLUX.1-dev."""
    flux = FluxTransformer2DModel(guidance_embeds=True)
    adapt(flux, RANK)
    blank = nn.Module()
    for key, value in flux.state_dict().items():
        if f'.{REFERENCE}.weight' in key:
            _put(blank, f'transformer.{key.replace(f".{REFERENCE}.", ".")}', value)
    return blank


def _put(module: nn.Module, key: str, value: Tensor) -> None:
    """A parameter below a module, in modules of their own, one for each part of its name."""
    *names, last = key.split('.')
    for name in names:
        if not hasattr(module, name):
            module.add_module(name, nn.Module())
        module = module.get_submodule(name)
    module.register_parameter(last, nn.Parameter(value, requires_grad=False))


def blank_switcher(_: Path) -> nn.Module:
    """A module with the keys and shapes of the released domain switcher."""
    return switcher(FluxTransformer2DModel().inner_dim)
