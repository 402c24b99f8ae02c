"""Put a model's parts where its ``memory`` says, and hold their weights in the type that it says."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import torch
from accelerate import cpu_offload_with_hook
from diffusers import ModelMixin
from diffusers.hooks import apply_group_offloading
from torch import nn

from hoigen.models.configuration import Memory


class PlacedModel:
    """A loaded model: where and in which type its parts compute, by its configuration."""

    config: Any
    """Has ``memory``, and ``base``: None for a small model."""

    @property
    def device(self) -> torch.device:
        """Where the parts compute, and so where their inputs belong."""
        return self.config.memory.torch_device()

    @property
    def dtype(self) -> torch.dtype:
        """What the parts take: published weights compute in their own type, the small models' under autocast."""
        return torch.float32 if self.config.base is None else self.config.memory.dtype()

    def autocast(self) -> AbstractContextManager:
        """The context to compute in."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.base is None)


@torch.no_grad()
def quantise(transformer: nn.Module) -> None:
    """Hold the linear layers of the blocks (of all lists of modules that a transformer has) as 8-bit integers with a
    scale per output; adapters stay as they are."""
    from optimum.quanto import freeze, qint8, quantize  # takes seconds, and only who asks for it should wait

    for blocks in transformer.children():
        if isinstance(blocks, nn.ModuleList):
            quantize(blocks, weights=qint8, exclude='*.lora_*')
            freeze(blocks)


def place(transformer: ModelMixin, autoencoder: ModelMixin, memory: Memory) -> None:
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
        apply_group_offloading(
            transformer,
            onload_device=device,
            offload_device=torch.device('cpu'),
            offload_type='block_level',
            num_blocks_per_group=1,
        )
        autoencoder.to(device)
    else:
        transformer.to(device)
        autoencoder.to(device)
