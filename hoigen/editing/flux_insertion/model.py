"""FLUX with the conditions of an insertion in its sequence (SpatialHand, key design 1).

The sequence is [X, masked image, depth, references + P(orientation)]. FLUX itself is unchanged: the conditions are
more image tokens, told apart by their position ids.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from diffusers import FluxTransformer2DModel
from torch import Tensor, nn

from hoigen.models.flux import position_ids

Offset = Literal['diagonal', 'down', 'across', 'none']
"""Which way references are moved out of the picture's place; UNO's weights were trained on the diagonal."""


def reference_ids(
    height: int, width: int, references: Sequence[tuple[int, int]], offset: Offset = 'diagonal'
) -> list[Tensor]:
    """[h*w, 3] float32 position ids of each reference (h, w), all in tokens, after a picture of ``height`` x ``width``.

    On the diagonal each is moved down and across by all pictures before it; the other ways are UNO's ablation.
    """
    found, down, across = [], height, width
    for h, w in references:
        found.append(
            position_ids(
                h,
                w,
                down=down if offset in ('diagonal', 'down') else 0,
                across=across if offset in ('diagonal', 'across') else 0,
            )
        )
        down, across = down + h, across + w
    return found


FEATURES = 9
"""Numbers that say an orientation: ``Orientation.features``; all zero where it is not known."""


class OrientationProjector(nn.Module):
    """P: an orientation as a vector that is added to reference tokens; begins as nothing (zero-initialised)."""

    def __init__(self, width: int, hidden: int = 256) -> None:
        super().__init__()
        self.inner, self.outer = nn.Linear(FEATURES, hidden), nn.Linear(hidden, width)
        nn.init.zeros_(self.outer.weight)
        nn.init.zeros_(self.outer.bias)

    def forward(self, features: Tensor) -> Tensor:
        """[...,FEATURES] to [...,width]; nothing for features that are all zero."""
        known = features.abs().sum(-1, keepdim=True) > 0
        return self.outer(nn.functional.silu(self.inner(features))) * known


class InsertionTransformer(nn.Module):
    """FLUX and two projectors: ``target`` of the orientation that is asked for (the paper's P), ``own`` of the one
    that each reference shows, where that is known; both begin as nothing."""

    def __init__(self, transformer: FluxTransformer2DModel) -> None:
        super().__init__()
        self.transformer = transformer
        self.target = OrientationProjector(transformer.config.in_channels)
        self.own = OrientationProjector(transformer.config.in_channels)

    @property
    def distilled(self) -> bool:
        """Whether it reads a guidance scale."""
        return bool(self.transformer.config.guidance_embeds)

    def forward(
        self,
        x: Tensor,
        scene: Tensor,
        references: Tensor,
        target: Tensor,
        own: Tensor,
        timestep: Tensor,
        text: Tensor,
        pooled: Tensor,
        ids: Tensor,
        guidance: Tensor | None = None,
    ) -> Tensor:
        """Velocity [B,N,D] of noisy tokens x [B,N,D].

        scene: [B,2N,D], tokens of the masked image and of the depth map. references: [B,R,M,D]. target: [B,FEATURES];
        own: [B,R,FEATURES]. timestep: [B] in [0, 1]. text: [B,L,T], pooled: [B,P]. ids: ``sequence_ids``.
        """
        turned = references + (self.target(target)[:, None] + self.own(own))[:, :, None]
        sequence = torch.cat([x, scene, turned.flatten(1, 2)], 1)
        words = torch.zeros(text.shape[1], 3, device=x.device, dtype=ids.dtype)
        velocity = self.transformer(
            hidden_states=sequence,
            encoder_hidden_states=text,
            pooled_projections=pooled,
            timestep=timestep,
            img_ids=ids,
            txt_ids=words,
            guidance=guidance,
            return_dict=False,
        )[0]
        return velocity[:, : x.shape[1]]


def sequence_ids(side: int, reference_sides: Sequence[int]) -> Tensor:
    """[S,3] position ids of the sequence; sides in tokens.

    Masked image and depth lie where X lies, told apart by the first axis. References follow on the diagonal, as UNO
    has it: each is moved down and across by all pictures before it.
    """
    pictures = [position_ids(side, side, kind=kind) for kind in (0, 1, 2)]
    return torch.cat([*pictures, *reference_ids(side, side, [(reference, reference) for reference in reference_sides])])
