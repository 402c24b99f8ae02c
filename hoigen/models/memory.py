"""What a model would need: memory by part and by stage of its use, and work, before any of it is loaded.

Nothing is estimated by formula: the model's own code runs on PyTorch's meta device, every tensor it makes is counted
while it lives, and the operations are counted by :class:`torch.utils.flop_counter.FlopCounterMode`. Attention is taken
as the fused kernel that GPUs run, without its matrix. Not seen: what a kernel takes for itself (convolution
workspaces), and the allocator's rounding and gaps.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psutil
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter
from torch.utils.flop_counter import FlopCounterMode

from hoigen.models.configuration import Memory


def peak_bytes(run: Callable[[], Tensor], *, backward: bool = False) -> int:
    """The most that what ``run`` makes takes at once, without its inputs and weights, which are on the meta device.

    With ``backward`` its gradient is computed too; parameters' gradients are counted where they are not there yet.
    """
    live = _LiveBytes()
    _run(run, live, backward)
    return live.peak


def flops(run: Callable[[], Tensor], *, backward: bool = False) -> int:
    """Floating-point operations of the same."""
    counter = FlopCounterMode(display=False)
    _run(run, counter, backward)
    return counter.get_total_flops()


def _run(run: Callable[[], Tensor], mode: TorchDispatchMode, backward: bool) -> None:
    """One mode at a time: the counter of operations holds on to what it has seen."""
    with torch.set_grad_enabled(backward), mode, _fused_attention():
        result = run()
        if backward:
            torch.autograd.backward(result.float().sum())


class _LiveBytes(TorchDispatchMode):
    """Bytes of the storages that operations have made and that are still alive."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        given = {x.untyped_storage()._cdata for x in tree_iter((args, kwargs)) if isinstance(x, Tensor)}
        for made in tree_iter(result):
            if isinstance(made, Tensor):
                self._watch(made.untyped_storage(), given)
        return result

    def _watch(self, storage: torch.UntypedStorage, given: set[int]) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key in self._known or key in given:  # a view of what was there before
            return
        self._known.add(key)
        self.now += size
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._gone, key, size)

    def _gone(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.now -= size


@contextmanager
def _fused_attention() -> Iterator[None]:
    """The meta device knows attention only with its whole matrix; GPUs run the fused kernel on [B, heads, N, D].

    The function itself is replaced, for this thread's computation: checkpointed blocks run again inside backward,
    where torch's function modes do not reach.
    """
    whole = F.scaled_dot_product_attention

    def fused(query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None, **options) -> Tensor:
        if query.ndim != 4 or attn_mask is not None or query.device.type != 'meta':
            return whole(query, key, value, attn_mask, **options)
        return torch.ops.aten._scaled_dot_product_flash_attention(query, key, value)[0]

    F.scaled_dot_product_attention = fused
    try:
        yield
    finally:
        F.scaled_dot_product_attention = whole


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

    def beside_text(self, memory: Memory) -> int:
        """Bytes that must be free where prompts are embedded, all parts loaded, for the encoder to stay there."""
        if memory.offload == 'none':
            return round(RESERVE * max(stage.activations for stage in self.stages(memory)))
        return self.transformer + self.autoencoder  # offloaded to where the encoder is

    def peak(self, memory: Memory) -> int:
        return max(stage.bytes for stage in self.stages(memory))


def gigabytes(count: float) -> str:
    return f'{count / 1e9:.1f} GB'


def size_of(module: nn.Module) -> int:
    """Bytes of a module's parameters and saved buffers."""
    return sum(v.numel() * v.element_size() for v in module.state_dict().values())


def t5_needs(config: Mapping[str, Any], length: int) -> tuple[int, int]:
    """Bytes of T5 in bfloat16 (its embedding counted once), and of the activations of a text of ``length`` tokens."""
    from transformers import T5Config, T5EncoderModel  # takes seconds

    with torch.device('meta'):
        encoder = T5EncoderModel(T5Config(**config)).bfloat16().requires_grad_(False)
    ids = torch.zeros(1, length, dtype=torch.long, device='meta')
    return (
        sum(p.numel() * p.element_size() for p in encoder.parameters()),
        peak_bytes(lambda: encoder(ids).last_hidden_state),
    )


def free_bytes(device: torch.device) -> int:
    """Memory that is free on a device."""
    return torch.cuda.mem_get_info(device)[0] if device.type == 'cuda' else psutil.virtual_memory().available
