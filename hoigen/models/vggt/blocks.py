"""Transformer blocks of VGGT: pre-norm attention and MLP, scaled per channel, with rotary positions in two axes."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

ROTARY_BASE = 100.0
"""The slowest rotary frequency turns by one radian in about this many patches."""

Rotary = tuple[Tensor, Tensor]
"""Cosines and sines [N,D] of N tokens for heads of D channels."""


def rotary_2d(positions: Tensor, channels: int) -> Rotary:
    """Cosines and sines [N,D] of token positions [N,2] (row, column): one half of the channels turns with each."""
    quarter = channels // 4
    frequencies = 1 / ROTARY_BASE ** (torch.arange(quarter, device=positions.device, dtype=torch.float32) / quarter)
    angles = positions.float()[:, :, None] * frequencies
    angles = torch.cat([angles, angles], -1).flatten(1)
    return angles.cos(), angles.sin()


def rotate(x: Tensor, rotary: Rotary) -> Tensor:
    """x [...,N,D], each half of whose channels is a pair of quarters (a, b), turned by its token's angles."""
    a, b, c, d = x.chunk(4, -1)
    return x * rotary[0] + torch.cat([-b, a, -d, c], -1) * rotary[1]


class Attention(nn.Module):
    """Self-attention; with ``qk_norm`` queries and keys are normalised per head."""

    def __init__(self, width: int, heads: int, qk_norm: bool) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.q_norm = nn.LayerNorm(width // heads) if qk_norm else nn.Identity()
        self.k_norm = nn.LayerNorm(width // heads) if qk_norm else nn.Identity()
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor, rotary: Rotary | None) -> Tensor:
        """[B,N,C] -> [B,N,C]."""
        q, k, v = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        q, k = self.q_norm(q), self.k_norm(k)
        if rotary is not None:
            q, k = rotate(q, rotary), rotate(k, rotary)
        out = F.scaled_dot_product_attention(q.to(v.dtype), k.to(v.dtype), v)
        return self.proj(out.transpose(1, 2).flatten(2))


class Mlp(nn.Module):
    """Two linear layers with a GELU between them."""

    def __init__(self, width_in: int, hidden: int, width_out: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width_in, hidden), nn.Linear(hidden, width_out)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(x)))


class Scale(nn.Module):
    """One learnt factor per channel."""

    def __init__(self, width: int, start: float) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.full((width,), start))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gamma


class Block(nn.Module):
    """Attention and MLP with residuals. scale: where the factors of both start. eps: of the norms."""

    def __init__(
        self,
        width: int,
        heads: int,
        *,
        scale: float = 0.01,
        eps: float = 1e-5,
        qk_norm: bool = False,
    ) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width, eps), nn.LayerNorm(width, eps)
        self.attn = Attention(width, heads, qk_norm)
        self.mlp = Mlp(width, 4 * width, width)
        self.ls1, self.ls2 = Scale(width, scale), Scale(width, scale)

    def forward(self, x: Tensor, rotary: Rotary | None = None) -> Tensor:
        """[B,N,C] -> [B,N,C]."""
        x = x + self.ls1(self.attn(self.norm1(x), rotary))
        return x + self.ls2(self.mlp(self.norm2(x)))
