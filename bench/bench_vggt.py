"""Seconds and memory of VGGT-1B on a GPU, beside the published marks: python bench/bench_vggt.py [--toy]

The model has random weights, which serve for timing alone and are never saved. The marks are of the aggregator alone,
with bfloat16 weights; so is the first column here. The last one is what a window of a recording costs: aggregator,
camera head and depth head as they are used, from float32 weights. --toy runs the same at a size that needs no GPU: it
shows that the script works, its numbers mean nothing.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch
from timing import measured

from hoigen.models.vggt.config import DenseConfig, VGGTConfig, read_config
from hoigen.models.vggt.model import VGGT

SIZE = 336, 518
"""Height and width in pixels: 24 x 37 patches, as in the paper's measurements."""

PUBLISHED = {10: (0.14, 3.6), 50: (1.04, 11.4), 100: (3.12, 21.2)}
"""Frames: seconds and GB of the aggregator on an H100, as its authors tell."""


def toy(config: VGGTConfig) -> VGGTConfig:
    return replace(
        config,
        image=28,
        width=32,
        depth=4,
        heads=2,
        backbone_depth=2,
        backbone_heads=2,
        taps=(0, 1, 2, 3),
        camera_depth=1,
        camera_heads=2,
        dense=DenseConfig(8, (8, 8, 8, 8)),
        points=False,
        track=None,
    )


def random_weights(config: VGGTConfig, device: str) -> VGGT:
    """A model of random weights, made on the device itself."""
    with torch.device('meta'):
        model = VGGT(config)
    model.to_empty(device=device)
    generator = torch.Generator(device).manual_seed(0)
    for tensor in model.state_dict().values():
        tensor.normal_(0, 0.02, generator=generator)
    return model.eval()


def aggregator(config: VGGTConfig, device: str) -> Callable[[torch.Tensor], object]:
    """The aggregator alone in bfloat16; the heads' weights leave the device."""
    core = random_weights(config, device).aggregator.bfloat16()
    return lambda images: core(images.bfloat16())


def window(config: VGGTConfig, device: str) -> Callable[[torch.Tensor], object]:
    """Cameras and depth, as a window of a recording is reconstructed."""
    model = random_weights(config, device)

    def run(images: torch.Tensor) -> None:
        tokens = model.tokens(images)
        model.poses(tokens)
        model.depth(tokens)

    return run


def bench(run: Callable[[torch.Tensor], object], size: tuple[int, int], device: str) -> list[tuple[float, float]]:
    """Seconds and gigabytes for each number of frames."""
    pictures = [torch.rand(1, frames, 3, *size, device=device) for frames in PUBLISHED]
    with torch.no_grad():
        return [measured(partial(run, images), device) for images in pictures]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--toy', action='store_true', help='a toy size, on the CPU')
    on_toy = parser.parse_args().toy
    device = 'cpu' if on_toy else 'cuda'
    if not on_toy and not torch.cuda.is_available():
        print(
            'bench_vggt: expected a GPU with 32 GB of memory, found none; --toy shows that the script works',
            file=sys.stderr,
        )
        return 0
    config, size = read_config('vggt-1b'), (28, 42) if on_toy else SIZE
    config = toy(config) if on_toy else config
    print('frames |   aggregator, bf16 |   published, H100  | cameras and depth')
    for (frames, mark), alone, whole in zip(
        PUBLISHED.items(),
        bench(aggregator(config, device), size, device),
        bench(window(config, device), size, device),
        strict=True,
    ):
        print(f'{frames:6d} | ' + ' | '.join(f'{s:8.3f} s {gb:5.1f} GB' for s, gb in (alone, mark, whole)))
    return 0


if __name__ == '__main__':
    sys.exit(main())
