"""Pictures as FLUX's tokens: 2x2 latents in one, with their places."""

from __future__ import annotations

import torch
from torch import Tensor

from hoigen.editing.flux.autoencoder import Autoencoder

__all__ = ['decode', 'encode', 'pack', 'position_ids', 'unpack']


def pack(latents: Tensor) -> Tensor:
    """[B,C,h,w] latents as tokens [B, h/2 * w/2, 4C], row by row."""
    b, c, h, w = latents.shape
    return latents.reshape(b, c, h // 2, 2, w // 2, 2).permute(0, 2, 4, 1, 3, 5).reshape(b, h * w // 4, 4 * c)


def unpack(tokens: Tensor, height: int, width: int) -> Tensor:
    """Tokens of ``height`` x ``width`` (in tokens) as latents [B,C,2*height,2*width]; inverse of :func:`pack`."""
    b, _, d = tokens.shape
    latents = tokens.reshape(b, height, width, d // 4, 2, 2).permute(0, 3, 1, 4, 2, 5)
    return latents.reshape(b, d // 4, 2 * height, 2 * width)


def position_ids(height: int, width: int, *, kind: int = 0, down: int = 0, across: int = 0) -> Tensor:
    """[height*width, 3] float32 (kind, row, column) of tokens, moved ``down`` and ``across``."""
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing='ij')
    return torch.stack([torch.full_like(rows, kind), rows + down, columns + across], -1).reshape(-1, 3).float()


def encode(autoencoder: Autoencoder, pictures: Tensor) -> Tensor:
    """Tokens [B,N,D] of pictures [B,3,H,W] in [-1, 1]."""
    return pack(autoencoder.latents(pictures))


def decode(autoencoder: Autoencoder, tokens: Tensor, height: int, width: int) -> Tensor:
    """Pictures [B,3,H,W] in [-1, 1] of tokens; ``height`` and ``width`` in tokens."""
    return autoencoder.pictures(unpack(tokens, height, width)).clamp(-1, 1)
