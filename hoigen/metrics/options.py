"""Options of learned measures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class LearnedConfig:
    """Where the weights of learned measures lie; a measure without weights is left out. Mind their licences."""

    lpips: Path | None = None
    """For LPIPS: AlexNet's published weights (alexnet-owt-7be5be79.pth)."""
    clip: Path | None = None
    """For CLIP similarity and C-FID: folder of a CLIP model (config, model.safetensors, preprocessor_config)."""
    fid: Path | None = None
    """For FID: its Inception v3 (pt_inception-2015-12-05-6726825d.pth)."""
    fvd: Path | None = None
    """For FVD: folder of a VideoMAE model, with the same files as CLIP's."""
