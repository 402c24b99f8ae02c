"""Put a model's parts where its ``memory`` says, and hold their weights in the type that it says."""

from __future__ import annotations

import torch
from accelerate import cpu_offload_with_hook
from diffusers.hooks import apply_group_offloading

from hoigen.video.autoencoder import PublishedAutoencoder
from hoigen.video.configuration import Memory
from hoigen.video.transformer import ControlledCogVideoX


@torch.no_grad()
def quantise(transformer: ControlledCogVideoX) -> None:
    """Hold the linear layers of the blocks, backbone's and branch's, as 8-bit integers with a scale per output."""
    from optimum.quanto import freeze, qint8, quantize  # takes seconds, and only who asks for it should wait

    for blocks in (transformer.transformer_blocks, transformer.transformer_blocks_copy, transformer.combine_linears):
        quantize(blocks, weights=qint8)
        freeze(blocks)


def place(transformer: ControlledCogVideoX, autoencoder: PublishedAutoencoder, memory: Memory) -> None:
    """Put the parts where ``memory`` says, in place."""
    device = memory.torch_device()
    if memory.tiling:
        autoencoder.enable_tiling()
        autoencoder.enable_slicing()
    if memory.weights == 'int8':
        quantise(transformer)
    if memory.offload == 'model':
        _, of_transformer = cpu_offload_with_hook(transformer, device)
        _, of_autoencoder = cpu_offload_with_hook(autoencoder, device, prev_module_hook=of_transformer)
        transformer._hf_hook.prev_module_hook = of_autoencoder  # each sends the other away when it begins
    elif memory.offload == 'group':
        apply_group_offloading(transformer, onload_device=device, offload_device=torch.device('cpu'),
                               offload_type='block_level', num_blocks_per_group=1)
        autoencoder.to(device)
    else:
        transformer.to(device)
        autoencoder.to(device)
