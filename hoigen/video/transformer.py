"""CogVideoX's DiT with the 3D control branch of HVG-3D (paper: key design 1).

The backbone is diffusers' :class:`CogVideoXTransformer3DModel`, frozen at full size. The branch copies its first
``control_blocks`` blocks; the output of each copy enters the stream behind the base block through a linear layer that
starts at zero, so that an untrained branch changes nothing. ``control_form`` says what a copy reads:

- ``controlnet`` (HVG-3D): a chain of its own, of image and text tokens alike. The first copy reads the embedded noisy
  latents plus the embedded conditions, every other one the output of the copy before. One zero layer lies between a
  condition and the backbone.
- ``das`` (the released Diffusion-as-Shader checkpoint): the first copy reads that sum through
  ``initial_combine_linear``, which starts at zero too, every other one the output of the zero layer before, and all
  of them the backbone's text tokens.

The names and shapes of the tracking part are that checkpoint's in both (``transformer_blocks_copy``,
``combine_linears``); the point cloud and the coloured points enter through ``condition_embed``, a patch embedding of
their own: embedding the concatenation is the sum of embedding its parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from diffusers import CogVideoXTransformer3DModel
from diffusers.configuration_utils import register_to_config
from diffusers.models.embeddings import get_3d_rotary_pos_embed
from diffusers.models.transformers.cogvideox_transformer_3d import CogVideoXBlock
from torch import Tensor, nn
from torch.nn import functional as F

from hoigen.video.inputs import PointInputs
from hoigen.video.points import PointEncoder, gather_to_grid, interpolate_to_grid, latent_frames

BACKBONE = ('patch_embed.', 'time_embedding.', 'transformer_blocks.', 'norm_final.', 'norm_out.', 'proj_out.')
"""What the names of the backbone's tensors begin with; all others are the branch's."""


@dataclass(frozen=True)
class Control:
    """What the branch reads, each part optional, all for the same batch; without any part the branch does not run.

    tracking: scaled latents of the tracking video, :func:`with_first_frame`, ``[B, F, 2C, H/8, W/8]``. coloured:
    those of the coloured points over the carried first frame, ``[B, F, C, H/8, W/8]``. points: the cloud. A part that
    is missing beside others is zero, as training's dropout makes it.
    """

    tracking: Tensor | None = None
    coloured: Tensor | None = None
    points: PointInputs | None = None

    @property
    def empty(self) -> bool:
        return self.tracking is None and self.coloured is None and self.points is None


def with_first_frame(latents: Tensor, first: Tensor | None = None) -> Tensor:
    """Latents ``[B, F, C, h, w]`` beside those of the first frame (default: their own), padded with zeros in time.

    The image-to-video form of CogVideoX, and of the tracking condition: ``[B, F, 2C, h, w]``.
    """
    first = latents[:, :1] if first is None else first
    padding = torch.zeros_like(first).expand(-1, latents.shape[1] - 1, -1, -1, -1)
    return torch.cat([latents, torch.cat([first, padding], dim=1)], dim=2)


class ControlledCogVideoX(CogVideoXTransformer3DModel):
    """The backbone with its control branch; without a control, or with an empty one, the backbone, bit for bit."""

    @register_to_config
    def __init__(
        self,
        *,
        control_blocks: int = 42,
        point_width: int = 768,
        point_heads: int = 12,
        point_channels: int = 16,
        num_attention_heads: int = 48,
        attention_head_dim: int = 64,
        in_channels: int = 32,
        out_channels: int = 16,
        time_embed_dim: int = 512,
        text_embed_dim: int = 4096,
        num_layers: int = 42,
        sample_width: int = 90,
        sample_height: int = 60,
        sample_frames: int = 49,
        patch_size: int = 2,
        temporal_compression_ratio: int = 4,
        max_text_seq_length: int = 226,
        spatial_interpolation_scale: float = 1.875,
        temporal_interpolation_scale: float = 1.0,
        use_rotary_positional_embeddings: bool = True,
        use_learned_positional_embeddings: bool = True,
        control_form: Literal['controlnet', 'das'] = 'controlnet',
        point_branch: bool = True,
        point_resampling: Literal['nearest', 'interpolate'] = 'nearest',
    ) -> None:
        super().__init__(
            num_attention_heads=num_attention_heads,
            attention_head_dim=attention_head_dim,
            in_channels=in_channels,
            out_channels=out_channels,
            time_embed_dim=time_embed_dim,
            text_embed_dim=text_embed_dim,
            num_layers=num_layers,
            sample_width=sample_width,
            sample_height=sample_height,
            sample_frames=sample_frames,
            patch_size=patch_size,
            temporal_compression_ratio=temporal_compression_ratio,
            max_text_seq_length=max_text_seq_length,
            spatial_interpolation_scale=spatial_interpolation_scale,
            temporal_interpolation_scale=temporal_interpolation_scale,
            use_rotary_positional_embeddings=use_rotary_positional_embeddings,
            use_learned_positional_embeddings=use_learned_positional_embeddings,
        )
        if not 0 < control_blocks <= num_layers:
            raise ValueError(
                f'control_blocks: expected 1 to {num_layers}, the backbone has so many, got {control_blocks}'
            )
        width = num_attention_heads * attention_head_dim
        self.transformer_blocks_copy = nn.ModuleList(
            CogVideoXBlock(
                dim=width,
                num_attention_heads=num_attention_heads,
                attention_head_dim=attention_head_dim,
                time_embed_dim=time_embed_dim,
                attention_bias=True,
            )
            for _ in range(control_blocks)
        )
        if control_form == 'das':
            self.initial_combine_linear = nn.Linear(width, width)
        self.combine_linears = nn.ModuleList(nn.Linear(width, width) for _ in range(control_blocks))
        if point_branch:
            self.point_encoder = PointEncoder(point_width, point_heads)
            self.point_to_grid = nn.Linear(point_width, point_channels)
            self.condition_embed = nn.Conv2d(point_channels + out_channels, width, patch_size, stride=patch_size)
        for layer in self.zero_layers():
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def zero_layers(self) -> list[nn.Module]:
        """The layers that start at zero, so that an untrained branch adds nothing."""
        first = [self.initial_combine_linear] if self.config.control_form == 'das' else []
        return [*first, *self.combine_linears]

    def copy_base_into_branch(self) -> None:
        """Start the copied blocks from the backbone's weights (paper: the branch replicates the pre-trained blocks)."""
        for base, copy in zip(self.transformer_blocks, self.transformer_blocks_copy, strict=False):
            copy.load_state_dict(base.state_dict())

    def control_parameters(self) -> list[nn.Parameter]:
        """The parameters outside the backbone: all that trains at full size."""
        return [p for name, p in self.named_parameters() if not name.startswith(BACKBONE)]

    def rotary(self, frames: int, height: int, width: int, device: torch.device) -> tuple[Tensor, Tensor]:
        """Rotary embedding (cos, sin) of a latent grid of this size, before patching."""
        p = self.config.patch_size
        grid = (height // p, width // p)
        cos, sin = get_3d_rotary_pos_embed(self.config.attention_head_dim, ((0, 0), grid), grid, frames, device=device)
        return cos, sin

    def forward(
        self,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor,
        timestep: Tensor,
        *,
        image_rotary_emb: tuple[Tensor, Tensor] | None = None,
        control: Control | None = None,
        control_strength: float | Tensor = 1.0,
    ) -> Tensor:
        """Predicted velocity ``[B, F, C, H/8, W/8]``.

        hidden_states: [B, F, 2C, H/8, W/8], noisy latents and the first frame's latent padded with zeros in time.
        encoder_hidden_states: [B, S, text_embed_dim]. timestep: [B]. control_strength scales what the branch
        adds, for all or (as [B, 1, 1]) for each clip.
        """
        _, frames, _, height, width = hidden_states.shape
        embedding = self.time_embedding(self.time_proj(timestep).to(hidden_states.dtype))
        joint = self._embed(encoder_hidden_states, hidden_states)
        text, stream = joint.split([encoder_hidden_states.shape[1], joint.shape[1] - encoder_hidden_states.shape[1]], 1)
        das = self.config.control_form == 'das'
        branch, branch_text = None, text
        if control is not None and not control.empty:
            branch = stream + self._embed_control(control, encoder_hidden_states, hidden_states)
            branch = self.initial_combine_linear(branch) if das else branch
        for i, block in enumerate(self.transformer_blocks):
            stream, text = self._run(block, stream, text, embedding, image_rotary_emb)
            if branch is not None and i < len(self.transformer_blocks_copy):
                read = branch, text if das else branch_text
                branch, branch_text = self._run(self.transformer_blocks_copy[i], *read, embedding, image_rotary_emb)
                added = self.combine_linears[i](branch)
                branch = added if das else branch
                stream = stream + control_strength * added
        stream = self.proj_out(self.norm_out(self.norm_final(stream), temb=embedding))
        p = self.config.patch_size
        cells = stream.unflatten(1, (frames, height // p, width // p)).unflatten(-1, (-1, p, p))
        return cells.permute(0, 1, 4, 2, 5, 3, 6).flatten(5, 6).flatten(3, 4)

    def _run(self, block: nn.Module, *inputs) -> Sequence[Tensor]:
        if torch.is_grad_enabled() and self.gradient_checkpointing:
            return self._gradient_checkpointing_func(block, *inputs)
        return block(*inputs)

    def _embed(self, text: Tensor, latents: Tensor) -> Tensor:
        """Tokens [B, S + F * h * w, width] of text and latents; fewer frames read the beginning of learned positions.

        diffusers would replace the learned table, whose values are near zero, by sines and cosines of rms 0.7 for any
        other number of frames, which the published weights have never read. So the clip is padded, and cut again.
        """
        c, frames = self.config, latents.shape[1]
        table = latent_frames(c.sample_frames) if c.use_learned_positional_embeddings else frames
        if frames > table:
            raise ValueError(
                f'hidden_states: expected at most {table} latent frames, the learned positions, got {frames}'
            )
        tokens = self.patch_embed(text, F.pad(latents, (0, 0) * 3 + (0, table - frames)))
        return tokens[:, : text.shape[1] + frames * (tokens.shape[1] - text.shape[1]) // table]

    def _embed_control(self, control: Control, text: Tensor, like: Tensor) -> Tensor:
        """The branch's conditions on the token grid ``[B, F * h * w, width]``."""
        batch, frames, _, height, width = like.shape
        channels = self.config.out_channels
        tracking = torch.zeros_like(like) if control.tracking is None else control.tracking
        embedded = self._embed(text, tracking)[:, text.shape[1] :]
        if not self.config.point_branch:
            if control.points is not None or control.coloured is not None:
                raise ValueError(
                    'control: expected tracking alone, this branch was built without a point branch, '
                    'got points or coloured points'
                )
            return embedded
        grid = like.new_zeros(batch, frames, self.config.point_channels, height, width)
        if control.points is not None:
            p = control.points
            tokens = self.point_to_grid(self.point_encoder(p.points, p.role, p.query))
            if self.config.point_resampling == 'nearest':
                grid = gather_to_grid(tokens, p.pixels, p.visible, height, width).to(like.dtype)
            else:
                seen = p.visible.any(-1)[..., None, None]  # a clip without its points is one where none is seen
                grid = interpolate_to_grid(tokens * seen, height, width).to(like.dtype)
        coloured = like.new_zeros(batch, frames, channels, height, width)
        if control.coloured is not None:
            coloured = control.coloured
        extra = self.condition_embed(torch.cat([grid, coloured], dim=2).flatten(0, 1))
        return embedded + extra.unflatten(0, (batch, frames)).permute(0, 1, 3, 4, 2).flatten(1, 3)
