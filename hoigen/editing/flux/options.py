"""Options of training the small autoencoder."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class AutoencoderLoss:
    """Weights of the small autoencoder's loss."""

    ssim: float = 0.3
    """Weight of structural dissimilarity (1 - SSIM of the grey image) beside the L1 loss."""
    small: float = 1e-3
    """Weight of the latents' mean square, which keeps them small."""
    noise: float = 0.1
    """Deviation of the noise on the latents, which makes the decoder robust to a sampler's errors."""
