"""The tracker's transformer: attention over time and, through virtual tracks, among points (CoTracker, Karaev 2024)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hoigen.perception.vggt.blocks import Mlp
from hoigen.perception.vggt.config import TrackConfig


class SelfBlock(nn.Module):
    """Attention whose residual is the *normed* input, as published checkpoints were trained."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn = nn.MultiheadAttention(width, heads, batch_first=True)
        self.mlp = Mlp(width, 4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm1(x)
        x = x + self.attn(x, x, x)[0]
        return x + self.mlp(self.norm2(x))


class CrossBlock(nn.Module):
    """The same, with keys and values from a context."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.norm_context, self.norm2 = (nn.LayerNorm(width) for _ in range(3))
        self.cross_attn = nn.MultiheadAttention(width, heads, batch_first=True)
        self.mlp = Mlp(width, 4 * width, width)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        x, context = self.norm1(x), self.norm_context(context)
        x = x + self.cross_attn(x, context, context)[0]
        return x + self.mlp(self.norm2(x))


class UpdateFormer(nn.Module):
    """[B,N,S,inputs] -> [B,N,S,outputs] for N points in S frames."""

    def __init__(self, config: TrackConfig, inputs: int, outputs: int) -> None:
        super().__init__()
        width, heads, depth = config.width, config.heads, config.depth
        self.input_norm, self.output_norm = nn.LayerNorm(inputs), nn.LayerNorm(width)
        self.input_transform, self.flow_head = nn.Linear(inputs, width), nn.Linear(width, outputs)
        self.virual_tracks = nn.Parameter(torch.randn(1, config.virtual, 1, width))  # sic: the checkpoints' name
        self.time_blocks, self.space_virtual_blocks = (
            nn.ModuleList(SelfBlock(width, heads) for _ in range(depth)) for _ in range(2)
        )
        self.space_point2virtual_blocks, self.space_virtual2point_blocks = (
            nn.ModuleList(CrossBlock(width, heads) for _ in range(depth)) for _ in range(2)
        )

    def forward(self, x: Tensor) -> Tensor:
        batch, points, frames = x.shape[:3]
        start = self.input_transform(self.input_norm(x))
        virtual = self.virual_tracks.expand(batch, -1, frames, -1)
        x = torch.cat([start, virtual], 1)
        for time, among, to_points, to_virtual in zip(
            self.time_blocks,
            self.space_virtual_blocks,
            self.space_point2virtual_blocks,
            self.space_virtual2point_blocks,
            strict=True,
        ):
            x = time(x.flatten(0, 1)).unflatten(0, (batch, -1))
            real, virtual = x.transpose(1, 2).flatten(0, 1).split([points, x.shape[1] - points], 1)
            virtual = among(to_virtual(virtual, real))
            x = torch.cat([to_points(real, virtual), virtual], 1).unflatten(0, (batch, frames)).transpose(1, 2)
        return self.flow_head(self.output_norm(x[:, :points] + start))
