"""The track head: where points of the first picture are in the others (VGGT section 3.3, after CoTracker)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hoigen.models.vggt.aggregator import Tokens
from hoigen.models.vggt.blocks import Mlp
from hoigen.models.vggt.config import TrackConfig, VGGTConfig
from hoigen.models.vggt.dense import DPT, sincos, spread


class SelfBlock(nn.Module):
    """Attention whose residual is the *normed* input, as published checkpoints were trained."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn = nn.MultiheadAttention(width, heads, batch_first=True)
        self.mlp = Mlp(width, 4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm1(x)
        x = x + self.attn(x, x, x)[0]
        return x + self.mlp(self.norm2(x))


class CrossBlock(nn.Module):
    """The same, with keys and values from a context."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.norm_context, self.norm2 = (nn.LayerNorm(width) for _ in range(3))
        self.cross_attn = nn.MultiheadAttention(width, heads, batch_first=True)
        self.mlp = Mlp(width, 4 * width, width)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        x, context = self.norm1(x), self.norm_context(context)
        x = x + self.cross_attn(x, context, context)[0]
        return x + self.mlp(self.norm2(x))


class UpdateFormer(nn.Module):
    """[B,N,S,inputs] -> [B,N,S,outputs] for N points in S frames."""

    def __init__(self, config: TrackConfig, inputs: int, outputs: int) -> None:
        super().__init__()
        width, heads, depth = config.width, config.heads, config.depth
        self.input_norm, self.output_norm = nn.LayerNorm(inputs), nn.LayerNorm(width)
        self.input_transform, self.flow_head = nn.Linear(inputs, width), nn.Linear(width, outputs)
        self.virual_tracks = nn.Parameter(torch.randn(1, config.virtual, 1, width))  # sic: the checkpoints' name
        self.time_blocks, self.space_virtual_blocks = (
            nn.ModuleList(SelfBlock(width, heads) for _ in range(depth)) for _ in range(2)
        )
        self.space_point2virtual_blocks, self.space_virtual2point_blocks = (
            nn.ModuleList(CrossBlock(width, heads) for _ in range(depth)) for _ in range(2)
        )

    def forward(self, x: Tensor) -> Tensor:
        batch, points, frames = x.shape[:3]
        start = self.input_transform(self.input_norm(x))
        virtual = self.virual_tracks.expand(batch, -1, frames, -1)
        x = torch.cat([start, virtual], 1)
        for time, among, to_points, to_virtual in zip(
            self.time_blocks,
            self.space_virtual_blocks,
            self.space_point2virtual_blocks,
            self.space_virtual2point_blocks,
            strict=True,
        ):
            x = time(x.flatten(0, 1)).unflatten(0, (batch, -1))
            real, virtual = x.transpose(1, 2).flatten(0, 1).split([points, x.shape[1] - points], 1)
            virtual = among(to_virtual(virtual, real))
            x = torch.cat([to_points(real, virtual), virtual], 1).unflatten(0, (batch, frames)).transpose(1, 2)
        return self.flow_head(self.output_norm(x[:, :points] + start))


MOTION_SCALE = 518
"""Pixels; motions enter the transformer in units of it."""

PLACE_BASE = 10000.0


@dataclass(frozen=True, eq=False)
class TrackPrediction:
    """N points in S frames. pixels: [B,S,N,2] (u, v) after each iteration. visible, confidence: [B,S,N] in [0, 1], the
    chance that the point is seen there and that its pixel is right."""

    pixels: tuple[Tensor, ...]
    visible: Tensor
    confidence: Tensor


class TrackHead(nn.Module):
    """Feature maps of the pictures and the tracker that reads them."""

    def __init__(self, config: VGGTConfig, track: TrackConfig) -> None:
        super().__init__()
        self.feature_extractor = DPT(
            2 * config.width, config.patch, config.taps, track.dense, outputs=0, stride=track.stride, placed=False
        )
        self.tracker = Tracker(track)

    def forward(self, tokens: Tokens, queries: Tensor) -> TrackPrediction:
        """queries: [B,N,2] pixels (u, v) of the first picture."""
        return self.tracker(self.feature_extractor(tokens), queries)


class Tracker(nn.Module):
    """Moves every point from where it was, step by step, by what the features around it say.

    A motion's embedding turns by up to 1000 radians a pixel, so a last digit that is rounded differently changes the
    next step a hundredfold: the order of operations here and in the transformer is the published code's.
    """

    def __init__(self, config: TrackConfig) -> None:
        super().__init__()
        features = config.dense.features
        inputs = 3 * features + 4  # motion's embedding and the motion twice; correlation; features
        self.config, self.features, self.inputs = config, features, inputs
        self.query_ref_token = nn.Parameter(torch.randn(1, 2, inputs))
        self.corr_mlp = Mlp(config.levels * (2 * config.radius + 1) ** 2, config.width, features)
        self.updateformer = UpdateFormer(config, inputs, features + 2)
        self.fmap_norm, self.ffeat_norm = nn.LayerNorm(features), nn.GroupNorm(1, features)
        self.ffeat_updater = nn.Sequential(nn.Linear(features, features), nn.GELU())
        self.vis_predictor, self.conf_predictor = (nn.Sequential(nn.Linear(features, 1)) for _ in range(2))

    def forward(self, maps: Tensor, queries: Tensor) -> TrackPrediction:
        """maps: [B,S,C,H,W]. queries: [B,N,2] pixels."""
        maps = self.fmap_norm(maps.movedim(2, -1)).movedim(-1, 2)
        frames, stride = maps.shape[1], self.config.stride
        start = (queries / stride)[:, :, None]
        at = start.expand(-1, -1, frames, -1)
        known = sample(maps[:, 0], start[:, :, 0], 'border')[:, :, None].expand(-1, -1, frames, -1)
        place = sample(_places(maps, self.inputs).expand(len(maps), -1, -1, -1), start[:, :, 0], 'border')[:, :, None]
        role = self.query_ref_token[:, torch.arange(frames, device=maps.device).clamp(max=1)]
        pyramid, pixels = self._pyramid(maps), []
        for _ in range(self.config.iterations):
            at = at.detach()
            alike = self.corr_mlp(self._correlate(pyramid, known, at))
            x = torch.cat([_motion(at - start, self.features), alike, known], -1) + place + role
            step, change = self.updateformer(x).split([2, self.features], -1)
            known = known + self.ffeat_updater(self.ffeat_norm(change.flatten(0, 2))).view_as(known)
            at = torch.cat([start, (at + step)[:, :, 1:]], 2)
            pixels.append((at * stride).transpose(1, 2))
        chances = [head(known)[..., 0].sigmoid().transpose(1, 2) for head in (self.vis_predictor, self.conf_predictor)]
        return TrackPrediction(tuple(pixels), chances[0], chances[1])

    def _pyramid(self, maps: Tensor) -> list[Tensor]:
        levels = [maps]
        for _ in range(self.config.levels - 1):
            levels.append(F.avg_pool2d(levels[-1].flatten(0, 1), 2, 2).unflatten(0, maps.shape[:2]))
        return levels

    def _correlate(self, pyramid: list[Tensor], known: Tensor, at: Tensor) -> Tensor:
        """[B,N,S,levels * side^2]: how like a point's features those around its place are, at each scale.

        Frame by frame: the correlation with a whole frame is large, and is not kept.
        """
        reach = torch.arange(-self.config.radius, self.config.radius + 1, device=at.device, dtype=at.dtype)
        window = torch.cartesian_prod(reach, reach)
        frames = []
        for t in range(at.shape[2]):
            near = []
            for level, maps in enumerate(pyramid):
                alike = (known[:, :, t] @ maps[:, t].flatten(2)).unflatten(2, maps.shape[-2:]) / self.features**0.5
                places = (at[:, :, t] / 2**level)[:, :, None] + window
                near.append(
                    sample(alike.flatten(0, 1)[:, None], places.flatten(0, 1), 'zeros').reshape(*places.shape[:3])
                )
            frames.append(torch.cat(near, -1))
        return torch.stack(frames, 2)


def sample(maps: Tensor, pixels: Tensor, padding: str) -> Tensor:
    """Bilinear values [B,N,C] of maps [B,C,H,W] at pixels [B,N,2] (u, v), centres at integers."""
    last = pixels.new_tensor([max(maps.shape[-1] - 1, 1), max(maps.shape[-2] - 1, 1)])
    grid = (pixels * (2 / last) - 1)[:, :, None]
    return F.grid_sample(maps, grid, padding_mode=padding, align_corners=True)[..., 0].transpose(1, 2)


def _motion(motion: Tensor, channels: int) -> Tensor:
    """[...,channels+4] of motions [...,2]: sines and cosines in turn of u, then of v, and the motion itself twice."""
    half = channels // 2
    angles = motion[..., None] * (torch.arange(0, half, 2, device=motion.device) * (1000.0 / half))
    waves = torch.stack([angles.sin(), angles.cos()], -1).flatten(-3)
    return torch.cat([waves, motion / MOTION_SCALE, motion / MOTION_SCALE], -1)


def _places(maps: Tensor, channels: int) -> Tensor:
    """Sine-cosine embedding [1,C,H,W] of a map's columns, then of its rows."""
    height, width = maps.shape[-2:]
    across, down = (sincos(torch.arange(n, device=maps.device), channels // 2, PLACE_BASE) for n in (width, height))
    return spread(across, down)[None]
