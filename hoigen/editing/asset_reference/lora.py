"""Two low-rank adapters on FLUX's linear layers, each active on its own tokens (RefAny3D, 3.2)."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from diffusers import FluxTransformer2DModel
from torch import Tensor, nn
from torch.nn import functional as F

REFERENCE, DOMAIN = 'default', 'coord'
"""The released names of the adapter of all conditions and of the one of all point maps."""
RANK = 16
"""Of both, as released."""
ADAPTED = re.compile(
    r'x_embedder|transformer_blocks\.\d+\.(norm1\.linear|attn\.to_[qkv]|attn\.to_out\.0|ff\.net\.2)'
    r'|single_transformer_blocks\.\d+\.(norm\.linear|proj_mlp|proj_out|attn\.to_[qkv])'
)
"""The layers that are adapted, as in the released weights: all that image tokens go through but ``ff.net.0``."""


class AdaptedLinear(nn.Module):
    """A linear layer and two low-rank additions to it, which begin as nothing; parameters are named as peft does."""

    def __init__(self, base: nn.Linear, rank: int) -> None:
        super().__init__()
        self.base_layer = base
        like = {'device': base.weight.device, 'dtype': base.weight.dtype}
        self.lora_A = nn.ModuleDict(
            {name: nn.Linear(base.in_features, rank, bias=False, **like) for name in (REFERENCE, DOMAIN)}
        )
        self.lora_B = nn.ModuleDict(
            {name: nn.Linear(rank, base.out_features, bias=False, **like) for name in (REFERENCE, DOMAIN)}
        )
        for name in (REFERENCE, DOMAIN):
            nn.init.normal_(self.lora_A[name].weight, std=1 / rank)
            nn.init.zeros_(self.lora_B[name].weight)

    def forward(self, x: Tensor, active: Tensor) -> Tensor:
        """[B,S,out] of x [B,S,in]; active: [S,2], 1 where the reference and the domain adapter act, else 0."""
        down = torch.cat([self.lora_A[name].weight for name in (REFERENCE, DOMAIN)])
        up = torch.cat([self.lora_B[name].weight for name in (REFERENCE, DOMAIN)], 1)
        return self.base_layer(x) + F.linear(F.linear(x, down) * active.repeat_interleave(len(down) // 2, 1), up)


def adapt(transformer: FluxTransformer2DModel, rank: int) -> None:
    """Put the adapters on a transformer, in place."""
    for name, layer in list(transformer.named_modules()):
        if ADAPTED.fullmatch(name):
            parent, _, child = name.rpartition('.')
            setattr(transformer.get_submodule(parent), child, AdaptedLinear(layer, rank))


def from_released(tensors: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    """A released adapter (``transformer.LAYER.lora_A.weight``) as an adapted transformer names it."""
    return {
        re.sub(r'^transformer\.(.+\.lora_[AB])\.weight$', rf'\1.{name}.weight', key): value
        for key, value in tensors.items()
    }
