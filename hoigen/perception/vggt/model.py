"""VGGT (Wang et al., CVPR 2025): cameras, depth, point maps and tracks of some pictures of one scene."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hoigen.perception.vggt.aggregator import Aggregator, Tokens
from hoigen.perception.vggt.cameras import CameraHead
from hoigen.perception.vggt.config import VGGTConfig
from hoigen.perception.vggt.dense import DPT
from hoigen.perception.vggt.tracks import TrackHead, TrackPrediction


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
        """[B,S,9] after each iteration, as :func:`~hoigen.perception.vggt.cameras.decode_pose` reads them."""
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
