"""What insertion on the published FLUX will need, before any of it is loaded, from its configuration alone."""

from __future__ import annotations

import torch
from diffusers import FluxTransformer2DModel
from torch import Tensor, nn

from hoigen.editing.flux.configuration import EditConfig
from hoigen.editing.flux_insertion.lora import adapt
from hoigen.editing.flux_insertion.model import FEATURES, InsertionTransformer, sequence_ids
from hoigen.models.configuration import CONFIG, Memory
from hoigen.models.flux import PublishedAutoencoder
from hoigen.models.hub import ModelError
from hoigen.models.memory import THRIFT, Needs, flops, free_bytes, gigabytes, peak_bytes, size_of, t5_needs


def needs(config: EditConfig, rank: int) -> Needs:
    """Count all parts of a model with a published backbone and an adapter of a rank, in bfloat16; some seconds."""
    with torch.device('meta'):
        transformer = FluxTransformer2DModel(**config.transformer).bfloat16().requires_grad_(False)
        autoencoder = PublishedAutoencoder(**config.autoencoder).bfloat16().requires_grad_(False)
        adapt(transformer, rank)
        insertion = InsertionTransformer(transformer).bfloat16().requires_grad_(False)
        pictures = torch.empty(2, 3, config.size, config.size, dtype=torch.bfloat16)
    latents = autoencoder.latents(pictures[:1])
    encode, decode = {}, {}
    for tiled in (False, True):
        autoencoder.use_tiling = tiled
        encode[tiled] = peak_bytes(lambda: autoencoder.latents(pictures))
        decode[tiled] = peak_bytes(lambda: autoencoder.pictures(latents))
    blocks = [*transformer.transformer_blocks, *transformer.single_transformer_blocks]
    linears = sum(
        module.weight.numel()
        for block in blocks
        for name, module in block.named_modules()
        if isinstance(module, nn.Linear) and 'lora_' not in name
    )
    outside = size_of(insertion) - sum(map(size_of, blocks))
    text, embed = t5_needs(config.t5 or {}, int(config.text_length or 0))  # CLIP, which follows it, is smaller
    step = lambda: forward(config, insertion)  # noqa: E731
    return Needs(
        size_of(insertion),
        size_of(insertion) - linears,
        max(map(size_of, blocks)) + outside,
        size_of(autoencoder),
        text,
        embed,
        encode,
        decode,
        peak_bytes(step),
        flops(step),
        flops(step),
    )


def forward(config: EditConfig, insertion: InsertionTransformer) -> Tensor:
    """One pass over a picture's whole sequence, without storage."""

    def empty(*shape: int, dtype: torch.dtype = torch.bfloat16) -> Tensor:
        return torch.zeros(1, *shape, device='meta', dtype=dtype)

    side, reference = (size // config.pixels_per_token for size in (config.size, config.reference_side))
    width, count, t = insertion.transformer.config.in_channels, config.references, config.transformer
    guidance = None if config.guidance is None else empty()
    return insertion(
        empty(side**2, width),
        empty(2 * side**2, width),
        empty(count, reference**2, width),
        empty(FEATURES),
        empty(count, FEATURES),
        empty(),
        empty(int(config.text_length or 0), t['joint_attention_dim']),
        empty(t['pooled_projection_dim']),
        sequence_ids(side, [reference] * count).to('meta'),
        guidance,
    )


def refuse_too_little(config: EditConfig, need: Needs) -> None:
    """ModelError, before anything is loaded, when the device has not the memory for a model's use of it."""
    device = config.memory.torch_device()
    has = free_bytes(device)
    if need.peak(config.memory) <= has:
        return
    fits = [memory for memory in THRIFT if need.peak(memory) <= has]
    least = min(THRIFT, key=need.peak)
    raise ModelError(
        f'model {config.name}: needs {gigabytes(need.peak(config.memory))} of memory on {device}, '
        f'{gigabytes(has)} are free; '
        + (
            f'{gigabytes(need.peak(fits[0]))} are enough with {_said(fits[0])}'
            if fits
            else f'no use of memory fits, the least is {gigabytes(need.peak(least))} with {_said(least)}'
        )
    )


def _said(memory: Memory) -> str:
    """A use of memory as the model's YAML has it, device apart."""
    fields = {'weights': memory.weights, 'offload': memory.offload, 'tiling': str(memory.tiling).lower()}
    return f'memory: {{{", ".join(f"{name}: {value}" for name, value in fields.items())}}} in its {CONFIG}'
