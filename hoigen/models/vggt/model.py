"""VGGT (Wang et al., CVPR 2025): cameras, depth, point maps and tracks of some images of one scene."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from hoigen.models.configuration import device_of
from hoigen.models.hub import entry
from hoigen.models.hub.catalogue import catalogue
from hoigen.models.hub.published import assign, read_checkpoint
from hoigen.models.hub.store import Source
from hoigen.models.vggt.aggregator import Aggregator, Tokens
from hoigen.models.vggt.cameras import CameraHead
from hoigen.models.vggt.config import VGGTConfig, read_config
from hoigen.models.vggt.dense import DPT
from hoigen.models.vggt.tracks import TrackHead, TrackPrediction


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


class VGGT(nn.Module):
    """The published structure under the published names; the four parts are called one by one, as they are needed.

    On a GPU the aggregator computes in bfloat16; heads are float32 everywhere, and on a CPU so is everything.
    """

    def __init__(self, config: VGGTConfig) -> None:
        super().__init__()
        self.config, width = config, 2 * config.width
        self.aggregator, self.camera_head = Aggregator(config), CameraHead(config)
        if config.points:
            self.point_head = DPT(width, config.patch, config.taps, config.dense, outputs=4)
        self.depth_head = DPT(width, config.patch, config.taps, config.dense, outputs=2)
        if config.track:
            self.track_head = TrackHead(config, config.track)

    @property
    def device(self) -> torch.device:
        return self.aggregator.camera_token.device

    def tokens(self, images: Tensor) -> Tokens:
        """What every head reads, of [B,S,3,H,W] pictures in [0, 1]; H and W are multiples of the patch."""
        with torch.autocast('cuda', torch.bfloat16, enabled=images.is_cuda):
            tokens = self.aggregator(images)
        return Tokens(
            {number: tap.float() for number, tap in tokens.taps.items()}, tokens.special, tokens.rows, tokens.columns
        )

    def poses(self, tokens: Tokens) -> list[Tensor]:
        """[B,S,9] after each iteration, as :func:`~hoigen.models.vggt.cameras.decode_pose` reads them."""
        return self.camera_head(tokens)

    def depth(self, tokens: Tokens) -> tuple[Tensor, Tensor]:
        """Depth [B,S,H,W] along the optical axis, in the scene's own unit, and its confidence > 1."""
        depth, confidence = self.depth_head(tokens).unbind(2)
        return depth.exp(), 1 + confidence.exp()

    def points(self, tokens: Tokens) -> tuple[Tensor, Tensor]:
        """World points [B,S,H,W,3] and their confidence > 1 [B,S,H,W]."""
        out = self.point_head(tokens).movedim(2, -1)
        return out[..., :3].sign() * out[..., :3].abs().expm1(), 1 + out[..., 3].exp()

    def tracks(self, tokens: Tokens, queries: Tensor) -> TrackPrediction:
        """Where the points at pixels [B,N,2] of the first picture are in all of them."""
        return self.track_head(tokens, queries)


PUBLISHED = 'vggt-1b'
"""The one published shape."""


def load_vggt(name: str = 'vggt') -> VGGT:
    """The model of a name in ``hoigen models list`` or of a folder that holds ``model.safetensors``; on the GPU if any.

    Raises :class:`~hoigen.models.hub.MissingWeights` with the command that fetches them and their licence, or
    :class:`~hoigen.models.hub.ModelError` that names the keys which do not fit.
    """
    source = Source(name, entry(name if name in catalogue() else 'vggt').licence)
    checkpoint = read_checkpoint(source.folder(), source)
    with torch.device('meta'):
        model = VGGT(read_config(PUBLISHED))
    assign(model, checkpoint, torch.float32, device_of())
    return model.eval().requires_grad_(False)


def blank(folder: Path) -> VGGT:
    """The module whose keys and shapes the files of ``folder`` must have; there is one shape, whatever the folder."""
    return VGGT(read_config(PUBLISHED))
