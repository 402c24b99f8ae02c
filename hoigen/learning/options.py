"""Options of every training: how long and how fast, and on what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import tyro

if TYPE_CHECKING:
    from accelerate import Accelerator


@dataclass(frozen=True)
class LoopConfig:
    """How long and how fast to train, for any stage; the defaults are the paper's."""

    steps: int | None = None
    """Optimiser steps; none: as many as the epochs need."""
    epochs: float = 20
    """Passes over the training set, where no steps are given."""
    batch: int = 4
    """Examples in a step, over all processes."""
    learning_rate: float = 1e-4
    """Highest learning rate."""
    schedule: Literal['constant', 'cosine'] = 'constant'
    """Learning rate after the warm-up: constant, or a half cosine to zero at the last step."""
    warmup: int = 100
    """Steps over which the learning rate rises."""
    weight_decay: float = 1e-3
    """Weight decay of AdamW."""
    gradient_clip: float = 1.0
    """Largest norm of the gradient; larger ones are scaled down to it."""
    ema: float = 0.0
    """Decay of the averaged weights, which the run leaves, 0 to below 1; 0: no average."""
    checkpoint_every: int = 200
    """Steps between checkpoints."""
    seed: tyro.conf.Suppress[int] = 0
    """Seed of what is drawn in training; of a run, not of a stage."""

    def __post_init__(self) -> None:
        if not (
            (self.steps is None or self.steps > 0)
            and self.epochs > 0
            and self.batch > 0
            and self.learning_rate > 0
            and 0 <= self.ema < 1
            and self.checkpoint_every > 0
        ):
            raise ValueError(
                'LoopConfig: expected steps, epochs, batch, learning_rate, checkpoint_every > 0 and '
                f'ema in [0, 1), got {self}'
            )


@dataclass(frozen=True)
class Hardware:
    """How the work is done. What is learnt does not depend on it, float noise apart."""

    micro_batch: int | None = None
    """Examples in one pass of a process, which accumulates gradients over its passes; none: all at once."""
    precision: Literal['bf16', 'no'] = 'bf16'
    """Precision of the forward pass: bf16 (autocast over float32 weights), or no for float32."""
    checkpointing: bool = False
    """Compute activations again in the backward pass instead of keeping them."""

    def accelerator(self) -> Accelerator:
        """Processes and devices as ``accelerate launch`` set them up; alone, the GPU if there is one, else the CPU."""
        import torch  # takes seconds: not for help
        from accelerate import Accelerator
        from accelerate.utils import DistributedType

        from hoigen.learning.checkpoint import TrainingError

        accelerator = Accelerator(mixed_precision=self.precision, cpu=not torch.cuda.is_available())
        if accelerator.distributed_type == DistributedType.FSDP and not accelerator.is_fsdp2:
            raise TrainingError('accelerate: expected fsdp_version: 2, got 1')
        if accelerator.distributed_type == DistributedType.DEEPSPEED:
            raise TrainingError(
                'accelerate: expected one process, several, or FSDP, got DeepSpeed, whose engine keeps '
                'the optimiser to itself; FSDP shards the same: config/accelerate/fsdp_8gpu.yaml'
            )
        if accelerator.is_fsdp2:  # autocast alone, as in one process: the policy would make the inputs bf16, points too
            accelerator.state.fsdp_plugin.mixed_precision_policy = None
        return accelerator
