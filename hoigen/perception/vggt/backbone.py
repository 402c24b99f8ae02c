"""DINOv2 with register tokens (Oquab et al. 2023, Darcet et al. 2023), as VGGT embeds patches with it."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hoigen.perception.vggt.blocks import Block
from hoigen.perception.vggt.config import VGGTConfig

EPS = 1e-6


class PatchEmbed(nn.Module):
    """Pictures [N,3,H,W] to patches [N,C,H/p,W/p]."""

    def __init__(self, patch: int, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, patch, patch)

    def forward(self, images: Tensor) -> Tensor:
        return self.proj(images)


class Backbone(nn.Module):
    """Normalised patch tokens of pictures. ``mask_token`` is of DINOv2's training; checkpoints hold it."""

    def __init__(self, config: VGGTConfig) -> None:
        super().__init__()
        width, self.grid = config.width, config.image // config.patch
        self.patch_embed = PatchEmbed(config.patch, width)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(0.02 * torch.randn(1, 1 + self.grid**2, width))
        self.register_tokens = nn.Parameter(torch.zeros(1, config.registers, width))
        self.mask_token = nn.Parameter(torch.zeros(1, width))
        self.blocks = nn.ModuleList(
            Block(width, config.backbone_heads, scale=1.0, eps=EPS) for _ in range(config.backbone_depth)
        )
        self.norm = nn.LayerNorm(width, EPS)

    def forward(self, images: Tensor) -> Tensor:
        """[N,3,H,W] normalised colours -> [N,P,C], P patches in rows."""
        patches = self.patch_embed(images)
        positions = self._positions(*patches.shape[-2:])
        x = patches.flatten(2).transpose(1, 2) + positions[:, 1:]
        first = torch.cat([self.cls_token + positions[:, :1], self.register_tokens], 1)
        x = torch.cat([first.expand(len(x), -1, -1), x], 1)
        for block in self.blocks:
            x = block(x)
        return self.norm(x[:, first.shape[1] :])

    def _positions(self, rows: int, columns: int) -> Tensor:
        """The position embedding [1,1+P,C], resampled where the grid is not the one it was learnt for."""
        if rows == columns == self.grid:
            return self.pos_embed
        grid = self.pos_embed[:, 1:].float().unflatten(1, (self.grid, self.grid)).permute(0, 3, 1, 2)
        grid = F.interpolate(grid, (rows, columns), mode='bicubic', antialias=True)
        return torch.cat([self.pos_embed[:, :1], grid.flatten(2).transpose(1, 2).to(self.pos_embed.dtype)], 1)
