"""What the benches measure with: milliseconds, the fixed work they are held against, a GPU's seconds and memory."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

RUNS = 3


def milliseconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return 1e3 * (time.perf_counter() - start)


def yardstick() -> float:
    """Milliseconds of the fixed work: sorting a million random numbers."""
    values = np.random.default_rng(0).random(1_000_000)
    return min(milliseconds(lambda: np.sort(values)) for _ in range(3))


def measured(run: Callable[[], object], device: str) -> tuple[float, float]:
    """Seconds (the best of ``RUNS``, after one that finds the kernels) and peak gigabytes; the CPU tells no peak, 0."""
    import torch  # not every bench is about a model

    best = float('inf')
    if device == 'cuda':
        torch.cuda.reset_peak_memory_stats()
    for _ in range(1 + RUNS):
        began = time.perf_counter()
        run()
        if device == 'cuda':
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - began)
    return best, torch.cuda.max_memory_allocated() / 1e9 if device == 'cuda' else 0.0
