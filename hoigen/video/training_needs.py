"""What training a branch needs on each GPU, from the configuration alone; see :mod:`hoigen.video.memory`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch

from hoigen.models.memory import flops, peak_bytes
from hoigen.video.configuration import ModelConfig
from hoigen.video.memory import control_inputs, forward, meta_inputs
from hoigen.video.transformer import ControlledCogVideoX


@dataclass(frozen=True)
class TrainingNeeds:
    """Bytes of the frozen backbone (bfloat16) and of the trained branch (float32); activations of forward and backward.

    block: the largest block in bfloat16 with its gradient, which every GPU gathers whole while it works on it.
    checkpointed, kept: with blocks computed again in backward, and with all kept. flops: a step's, with the former.
    """

    backbone: int
    branch: int
    block: int
    checkpointed: int
    kept: int
    flops: int

    def stored(self, gpus: int) -> int:
        """Weights, gradients, Adam's two moments and the average, shared among ``gpus``."""
        shared = self.backbone + 5 * self.branch
        return shared // gpus + (self.block if gpus > 1 else 0)


def training_needs(config: ModelConfig, batch: int = 1) -> TrainingNeeds:
    """Count a training step with ``batch`` clips, computing in bfloat16; some seconds.

    Autocast's bfloat16 copies of the branch's weights are counted with the activations: those of a block where blocks
    are computed again, else all.
    """
    with torch.device('meta'):
        model = ControlledCogVideoX(**config.transformer).bfloat16().requires_grad_(False)
    for parameter in model.control_parameters():
        parameter.requires_grad_(True)
    branch = sum(p.numel() for p in model.control_parameters())
    backbone = sum(p.numel() for p in model.parameters()) - branch
    block = sum(p.numel() for p in model.transformer_blocks_copy[0].parameters())
    _, latents, text = meta_inputs(config)
    latents, text = (x.expand(batch, *x.shape[1:]).contiguous() for x in (latents, text))
    step = partial(forward, model, latents, text, control_inputs(config, latents))
    model.enable_gradient_checkpointing()
    work = flops(step, backward=True)  # leaves the parameters' gradients there, which are counted with what is stored
    checkpointed = peak_bytes(step, backward=True) + 2 * block
    model.disable_gradient_checkpointing()
    kept = peak_bytes(step, backward=True) + 2 * branch
    return TrainingNeeds(2 * backbone, 4 * branch, 2 * 2 * block, checkpointed, kept, work)
