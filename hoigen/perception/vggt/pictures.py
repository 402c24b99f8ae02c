"""Pictures as VGGT takes them."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor

from hoigen.perception.vggt.config import VGGTConfig


def size_for(width: int, height: int, config: VGGTConfig) -> tuple[int, int]:
    """Width and height at which the model sees such images: its own size along the longer side, whole patches along the
    other. The published model was trained on images at least as wide as high; its position embedding is resampled.
    """
    shorter = max(round(config.image * min(width, height) / max(width, height) / config.patch), 1) * config.patch
    return (config.image, shorter) if width >= height else (shorter, config.image)


def to_tensor(rgb: np.ndarray, config: VGGTConfig, device: torch.device) -> Tensor:
    """[1,S,3,h,w] float32 in [0, 1] of pictures [S,H,W,3] uint8."""
    size = size_for(rgb.shape[2], rgb.shape[1], config)
    way = cv2.INTER_AREA if size[0] < rgb.shape[2] else cv2.INTER_CUBIC
    small = np.stack([cv2.resize(frame, size, interpolation=way) for frame in rgb])
    return torch.from_numpy(small).to(device).permute(0, 3, 1, 2)[None].float() / 255
