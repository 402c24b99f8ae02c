"""What the parts of a model need of memory, and what they need on the device for each use of it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from hoigen.models.configuration import Memory

__all__ = ['RESERVE', 'THRIFT', 'Needs', 'Stage', 'gigabytes', 'size_of']

RESERVE = 1.1
"""Allowance for what the count does not see: a kernel's own workspace, the allocator's rounding and gaps, CUDA."""


THRIFT = (
    Memory(tiling=True),
    Memory(offload='model', tiling=True),
    Memory(weights='int8', tiling=True),
    Memory(weights='int8', offload='model', tiling=True),
    Memory(offload='group', tiling=True),
)
"""Uses of memory, from the fastest on."""


@dataclass(frozen=True)
class Stage:
    """Bytes on the device while a stage runs: weights that are there, and what the computation makes at its most."""

    name: str
    weights: int
    activations: int

    @property
    def bytes(self) -> int:
        """What the device must have."""
        return round(RESERVE * (self.weights + self.activations))


@dataclass(frozen=True)
class Needs:
    """What the parts of a model need, whatever use of memory is chosen; bytes.

    embed, encode, decode, step: activations of a prompt, of the autoencoder (whole and in tiles), of one pass of a
    denoising step with all conditions. step_flops: that pass's work; backbone_flops: one's without conditions.
    """

    transformer: int
    transformer_int8: int
    largest_block: int
    autoencoder: int
    text: int
    embed: int
    encode: dict[bool, int]
    decode: dict[bool, int]
    step: int
    step_flops: int
    backbone_flops: int

    def stages(self, memory: Memory) -> tuple[Stage, ...]:
        """The stages of a generation in their order, as ``memory`` would place the parts."""
        wide = 2 if memory.weights == 'float32' else 1
        transformer = self.transformer_int8 if memory.weights == 'int8' else wide * self.transformer
        autoencoder, text, alone = wide * self.autoencoder, wide * self.text, memory.offload != 'none'
        beside = 0 if alone else transformer
        at_step = {
            'none': transformer + autoencoder,
            'model': transformer,
            'group': wide * self.largest_block + autoencoder,
        }[memory.offload]
        prompt = (
            [] if alone or not text else [Stage('embed prompt', text + transformer + autoencoder, wide * self.embed)]
        )
        return (
            *prompt,
            Stage('encode conditions', beside + autoencoder, wide * self.encode[memory.tiling]),
            Stage('denoise', at_step, wide * self.step),
            Stage('decode', beside + autoencoder, wide * self.decode[memory.tiling]),
        )

    def peak(self, memory: Memory) -> int:
        return max(stage.bytes for stage in self.stages(memory))


def gigabytes(count: float) -> str:
    return f'{count / 1e9:.1f} GB'


def size_of(module: nn.Module) -> int:
    """Bytes of a module's parameters and saved buffers."""
    return sum(v.numel() * v.element_size() for v in module.state_dict().values())
