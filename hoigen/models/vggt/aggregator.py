"""Patches by DINOv2 with register tokens, then attention within each frame and among all (VGGT, section 3.2)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hoigen.models.vggt.blocks import Block, Rotary, rotary_2d
from hoigen.models.vggt.config import VGGTConfig

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


MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Colours that DINOv2 was trained with."""


@dataclass(frozen=True, eq=False)
class Tokens:
    """What the heads read: by block the tokens [B,S,special+P,2C], frame's and all frames' side by side. Only the
    blocks that a head reads are kept. rows, columns: P patches lie so. The first token of a frame is its camera's.
    """

    taps: dict[int, Tensor]
    special: int
    rows: int
    columns: int


class Aggregator(nn.Module):
    """Tokens of S pictures of one scene; the first picture's camera is the world."""

    def __init__(self, config: VGGTConfig) -> None:
        super().__init__()
        width = config.width
        self.patch, self.head_width, self.kept = config.patch, width // config.heads, frozenset(config.taps)
        self.patch_embed = Backbone(config)
        self.camera_token = nn.Parameter(1e-6 * torch.randn(1, 2, 1, width))
        self.register_token = nn.Parameter(1e-6 * torch.randn(1, 2, config.registers, width))
        self.frame_blocks, self.global_blocks = (
            nn.ModuleList(Block(width, config.heads, qk_norm=True) for _ in range(config.depth)) for _ in range(2)
        )

    def forward(self, images: Tensor) -> Tokens:
        """[B,S,3,H,W] in [0, 1], H and W multiples of the patch."""
        batch, frames = images.shape[:2]
        rows, columns = (side // self.patch for side in images.shape[-2:])
        x = self._embed(images)
        special = x.shape[1] - rows * columns
        within = self._rotary(rows, columns, special, x.device)
        among = within[0].repeat(frames, 1), within[1].repeat(frames, 1)
        taps = {}
        for number, (own, all_frames) in enumerate(zip(self.frame_blocks, self.global_blocks, strict=True)):
            frame = own(x, within)
            x = all_frames(frame.reshape(batch, -1, x.shape[-1]), among).reshape(frame.shape)
            if number in self.kept:
                taps[number] = torch.cat([frame, x], -1).unflatten(0, (batch, frames))
        return Tokens(taps, special, rows, columns)

    def _embed(self, images: Tensor) -> Tensor:
        """[B*S,special+P,C]: patches behind the camera's and the register tokens, other ones for the first frame."""
        mean, std = (images.new_tensor(v)[:, None, None] for v in (MEAN, STD))
        patches = self.patch_embed(((images - mean) / std).flatten(0, 1))
        special = torch.cat([self.camera_token, self.register_token], 2)
        batch, frames = images.shape[:2]
        special = special[:, torch.arange(frames, device=images.device).clamp(max=1)]
        return torch.cat([special.expand(batch, -1, -1, -1).flatten(0, 1).to(patches.dtype), patches], 1)

    def _rotary(self, rows: int, columns: int, special: int, device: torch.device) -> Rotary:
        """Positions of a frame's tokens: special ones at 0, patches from 1."""
        grid = torch.cartesian_prod(
            torch.arange(1, rows + 1, device=device), torch.arange(1, columns + 1, device=device)
        )
        return rotary_2d(torch.cat([grid.new_zeros(special, 2), grid]), self.head_width)
