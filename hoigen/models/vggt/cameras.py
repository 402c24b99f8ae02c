"""The camera head: poses and fields of view, refined in a few iterations (VGGT section 3.3)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hoigen.models.vggt.aggregator import Tokens
from hoigen.models.vggt.blocks import Block, Mlp
from hoigen.models.vggt.config import VGGTConfig

POSE = 9
"""Numbers of a pose: translation (3) and quaternion (x, y, z, w) of T_cam_world, vertical and horizontal field of view
in radians."""


class CameraHead(nn.Module):
    """Poses from the last block's camera tokens."""

    def __init__(self, config: VGGTConfig) -> None:
        super().__init__()
        width, self.last, self.iterations = 2 * config.width, config.taps[-1], config.camera_iterations
        self.token_norm, self.trunk_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.trunk = nn.Sequential(*(Block(width, config.camera_heads) for _ in range(config.camera_depth)))
        self.empty_pose_tokens = nn.Parameter(torch.zeros(1, 1, POSE))
        self.embed_pose = nn.Linear(POSE, width)
        self.poseLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 3 * width))
        self.adaln_norm = nn.LayerNorm(width, 1e-6, elementwise_affine=False)
        self.pose_branch = Mlp(width, width // 2, POSE)

    def forward(self, tokens: Tokens) -> list[Tensor]:
        """The poses [B,S,9] after each iteration."""
        x = self.token_norm(tokens.taps[self.last][:, :, 0])
        normed, poses = self.adaln_norm(x), []
        pose = self.empty_pose_tokens.expand(*x.shape[:2], -1)
        start: Tensor | float = 0.0
        for _ in range(self.iterations):
            shift, scale, gate = self.poseLN_modulation(self.embed_pose(pose.detach())).chunk(3, -1)
            hidden = self.trunk(x + gate * (normed * (1 + scale) + shift))
            pose = start + self.pose_branch(self.trunk_norm(hidden))
            start = pose.detach()
            poses.append(torch.cat([pose[..., :7], pose[..., 7:].relu()], -1))
        return poses


def decode_pose(pose: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    """T_cam_world [...,3,4] and K [...,3,3] of poses [...,9] for pictures of this size, their border at 0."""
    # In torch: scipy's Rotation has no gradients, and is not exported.
    x, y, z, w = (pose[..., 3:7] / pose[..., 3:7].norm(dim=-1, keepdim=True)).unbind(-1)
    rotation = torch.stack(
        [
            1 - 2 * (y * y + z * z),
            2 * (x * y - z * w),
            2 * (x * z + y * w),
            2 * (x * y + z * w),
            1 - 2 * (x * x + z * z),
            2 * (y * z - x * w),
            2 * (x * z - y * w),
            2 * (y * z + x * w),
            1 - 2 * (x * x + y * y),
        ],
        -1,
    )
    rotation = rotation.unflatten(-1, (3, 3))
    K = torch.zeros_like(rotation)
    K[..., 0, 0] = width / 2 / (pose[..., 8] / 2).tan()
    K[..., 1, 1] = height / 2 / (pose[..., 7] / 2).tan()
    K[..., 0, 2], K[..., 1, 2], K[..., 2, 2] = width / 2, height / 2, 1
    return torch.cat([rotation, pose[..., :3, None]], -1), K
