"""Flow matching: from noise to tokens in a few steps, as FLUX was trained (rectified flow, Euler's method)."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor

__all__ = ['OnStep', 'Velocity', 'noise', 'sample', 'schedule']

Velocity = Callable[[Tensor, Tensor], Tensor]
"""Noise minus picture [B,N,D] at tokens [B,N,D] and times [B] in [0, 1]: 1 is noise, 0 the picture."""
OnStep = Callable[[int, int, Tensor], None]
"""Told after each step: its number from 1, how many there are, and the clean tokens [B,N,D] as expected there. What it
raises ends the sampling."""

SHIFTS = ((256, 0.5), (4096, 1.15))
"""Tokens of a picture, and the logarithm of FLUX's shift for it: two points of a line."""


def schedule(steps: int, tokens: int, shift: float | None = None) -> tuple[float, ...]:
    """Times of ``steps`` steps, from 1 to 0: steps + 1 numbers.

    shift: how much more of them is spent where there is noise, 1 is evenly; by default what FLUX has for a picture of
    so many tokens (larger pictures need more).
    """
    if steps < 1:
        raise ValueError(f'steps: expected >= 1, got {steps}')
    if shift is None:
        (few, low), (many, high) = SHIFTS
        shift = math.exp(low + (high - low) * (tokens - few) / (many - few))
    even = [1 - step / steps for step in range(steps + 1)]
    return tuple(shift * t / (1 + (shift - 1) * t) for t in even)


def noise(seed: int, tokens: int, width: int, device: torch.device | str = 'cpu') -> Tensor:
    """[1,tokens,width] float32 to begin with; drawn on the CPU, so that a seed is the same on every device."""
    return torch.randn(1, tokens, width, generator=torch.Generator().manual_seed(seed)).to(device)


@torch.no_grad()
def sample(velocity: Velocity, start: Tensor, times: tuple[float, ...], on_step: OnStep | None = None) -> Tensor:
    """Tokens [B,N,D] float32 of ``start`` (noise, the same shape), along the velocity through ``times``."""
    x = start.float()
    for step, (now, then) in enumerate(pairwise(times), 1):
        direction = velocity(x, torch.full((len(x),), now, device=x.device)).float()
        clean, x = x - now * direction, x + (then - now) * direction
        if on_step is not None:
            on_step(step, len(times) - 1, clean)
    return x
