"""Point-cloud encoder and its way onto the latent grid (HVG-3D, key design 1)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hoigen.conventions import ROLES


class PointEncoder(nn.Module):
    """Points ``[B, T, N, 3]`` with roles ``[B, N]`` to tokens Z_pc ``[B, T, L, width]``.

    The L query points are rows of the cloud (``query [B, L]``), so that a token follows one surface point through
    the clip. Every query attends to the frame's whole cloud.
    """

    def __init__(self, width: int = 768, heads: int = 12, bands: int = 8) -> None:
        super().__init__()
        self.heads, self.bands = heads, bands
        self.embed = nn.Linear(3 + 6 * bands, width)
        self.role = nn.Embedding(len(ROLES), width)
        self.norm_query, self.norm_cloud = nn.LayerNorm(width), nn.LayerNorm(width)
        self.to_q, self.to_kv = nn.Linear(width, width), nn.Linear(width, 2 * width)
        self.to_out = nn.Linear(width, width)
        self.norm_out = nn.LayerNorm(width)
        self.feed_forward = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, points: Tensor, role: Tensor, query: Tensor) -> Tensor:
        frequencies = math.pi * 2.0 ** torch.arange(self.bands, device=points.device)
        waves = (points[..., None] * frequencies).flatten(-2)
        features = torch.cat([points, waves.sin(), waves.cos()], dim=-1).to(self.role.weight.dtype)
        cloud = self.embed(features) + self.role(role)[:, None]
        rows = query[:, None, :, None].expand(-1, points.shape[1], -1, cloud.shape[-1])
        tokens = cloud.gather(2, rows)
        q = self._split(self.to_q(self.norm_query(tokens)))
        k, v = (self._split(x) for x in self.to_kv(self.norm_cloud(cloud)).chunk(2, dim=-1))
        seen = F.scaled_dot_product_attention(q, k, v).transpose(-2, -3).flatten(-2)
        tokens = tokens + self.to_out(seen).view_as(tokens)
        return tokens + self.feed_forward(self.norm_out(tokens))

    def _split(self, x: Tensor) -> Tensor:
        return x.flatten(0, 1).unflatten(-1, (self.heads, -1)).transpose(-2, -3)


def gather_to_grid(tokens: Tensor, pixels: Tensor, visible: Tensor, height: int, width: int) -> Tensor:
    """Let each cell of the latent grid take the token of its nearest visible point; ``[B, F, C, height, width]``.

    tokens: [B, 4k+1, L, C]. pixels: [B, 4k+1, L, 2], (u, v) as a fraction of the picture in [0, 1). visible:
    [B, 4k+1, L]. Latent frame i takes the mean over frames 4i-3..4i (frame 0 alone in latent 0), as the autoencoder
    groups them; a frame in which no point is visible gives zeros.
    """
    size = pixels.new_tensor([width, height])
    rows, columns = (torch.arange(n, device=pixels.device, dtype=pixels.dtype) + 0.5 for n in (height, width))
    centres = torch.stack(torch.meshgrid(columns, rows, indexing='xy'), -1).flatten(0, 1).expand(len(pixels), -1, -1)
    grids = []
    for t in range(tokens.shape[1]):  # one frame at a time: the distances of all would not fit at full size
        apart = torch.cdist(centres, pixels[:, t] * size).masked_fill(~visible[:, t, None], math.inf)
        nearest = apart.argmin(-1)[..., None].expand(-1, -1, tokens.shape[-1])
        grids.append(tokens[:, t].gather(1, nearest) * visible[:, t].any(-1)[:, None, None])
    first, *rest = grids
    groups = [first] + [torch.stack(rest[i : i + 4]).mean(0) for i in range(0, len(rest), 4)]
    return torch.stack(groups, 1).unflatten(2, (height, width)).permute(0, 1, 4, 2, 3)


def interpolate_to_grid(tokens: Tensor, height: int, width: int) -> Tensor:
    """Resample tokens ``[B, 4k+1, L, C]`` to ``[B, F, C, height, width]`` along time and list (the paper's way).

    A token's place in the grid is then its place in the list, not in the picture.
    """
    frames = latent_frames(tokens.shape[1])
    grid = F.interpolate(tokens.permute(0, 3, 1, 2), size=(frames, height * width), mode='bilinear')
    return grid.unflatten(-1, (height, width)).transpose(1, 2)


def latent_frames(frames: int) -> int:
    """Latent frames of ``frames`` (4k+1) frames."""
    return (frames - 1) // 4 + 1
