"""What a computation would need, found by running it on tensors without storage: peak memory and FLOPs.

Nothing is estimated by formula: the model's own code runs on PyTorch's meta device, every tensor it makes is counted
while it lives, and the operations are counted by :class:`torch.utils.flop_counter.FlopCounterMode`. Attention is taken
as the fused kernel that GPUs run, without its matrix. Not seen: what a kernel takes for itself (convolution
workspaces), and the allocator's rounding and gaps.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter
from torch.utils.flop_counter import FlopCounterMode


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
