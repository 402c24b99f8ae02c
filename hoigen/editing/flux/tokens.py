"""Pictures as FLUX's tokens: 2x2 latents in one, with their places."""

from __future__ import annotations

import torch
from diffusers import AutoencoderKL
from torch import Tensor

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


def encode(autoencoder: AutoencoderKL, pictures: Tensor) -> Tensor:
    """Tokens [B,N,D] of pictures [B,3,H,W] in [-1, 1]: the latents' means, shifted and scaled as FLUX has it."""
    mean = autoencoder.encode(pictures).latent_dist.mean
    config = autoencoder.config
    return pack((mean - config.shift_factor) * config.scaling_factor)


def decode(autoencoder: AutoencoderKL, tokens: Tensor, height: int, width: int) -> Tensor:
    """Pictures [B,3,H,W] in [-1, 1] of tokens; ``height`` and ``width`` in tokens."""
    config = autoencoder.config
    latents = unpack(tokens, height, width) / config.scaling_factor + config.shift_factor
    return autoencoder.decode(latents, return_dict=False)[0].clamp(-1, 1)
