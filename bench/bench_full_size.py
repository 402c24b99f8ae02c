"""Seconds and memory of the full model on a GPU, beside diffusers' own: python bench/bench_full_size.py [--toy]

Builds CogVideoX-5B with a branch on all 42 blocks from random weights, which serve for timing alone and are never
saved, and runs one pass of a denoising step and one training step at 49 frames of 720x480. --toy runs the same at a
size that needs no GPU: it shows that the script works, its numbers mean nothing.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace

import torch
from accelerate import init_empty_weights
from diffusers import CogVideoXTransformer3DModel
from timing import measured

from hoigen.video.configuration import ModelConfig, read_config
from hoigen.video.memory import control_inputs, forward, meta_inputs, needs, training_needs
from hoigen.video.transformer import ControlledCogVideoX, with_first_frame

TOY = {
    'num_attention_heads': 2,
    'attention_head_dim': 16,
    'time_embed_dim': 8,
    'text_embed_dim': 12,
    'num_layers': 2,
    'control_blocks': 2,
    'point_width': 16,
    'point_heads': 2,
    'sample_width': 10,
    'sample_height': 12,
    'sample_frames': 9,
    'max_text_seq_length': 7,
}


def toy(config: ModelConfig) -> ModelConfig:
    return replace(
        config,
        height=96,
        width=80,
        frames=9,
        cloud=32,
        tokens=8,
        text=None,
        transformer=config.transformer | TOY,
        autoencoder=config.autoencoder | {'block_out_channels': [8] * 4, 'norm_num_groups': 2, 'layers_per_block': 1},
    )


def random_weights(make: Callable[[], torch.nn.Module], device: str) -> torch.nn.Module:
    """A model of random weights in bfloat16, made on the device itself."""
    with init_empty_weights(include_buffers=False):
        model = make()
    model.to_empty(device=device)
    generator = torch.Generator(device).manual_seed(0)
    for tensor in model.state_dict().values():
        tensor.normal_(0, 0.02, generator=generator)
    return model.bfloat16()


def train_step(optimiser: torch.optim.Optimizer, step: Callable[[], torch.Tensor]) -> None:
    step().float().square().mean().backward()
    optimiser.step()
    optimiser.zero_grad()


def bench_plain(config: ModelConfig, latents: torch.Tensor, text: torch.Tensor, device: str) -> float:
    """diffusers' own transformer, as its pipeline calls it in each step."""
    shape = {k: v for k, v in config.transformer.items() if not k.startswith(('control_', 'point_'))}
    plain = random_weights(
        lambda: CogVideoXTransformer3DModel(
            **shape, in_channels=32, out_channels=16, use_rotary_positional_embeddings=True
        ),
        device,
    )
    rotary = torch.randn(2, latents[0, :, 0].numel() // 4, config.transformer['attention_head_dim'], device=device)
    timestep = torch.zeros(1, device=device)
    with torch.no_grad():
        seconds, peak = measured(
            lambda: plain(with_first_frame(latents), text, timestep, image_rotary_emb=(rotary[0], rotary[1])), device
        )
    print(f'diffusers, one pass:             {seconds:8.3f} s  {peak:6.1f} GB')
    return seconds


def bench_ours(config: ModelConfig, latents: torch.Tensor, text: torch.Tensor, device: str, alone: float) -> None:
    """A pass with all conditions, then a training step, with what the planner says of each."""
    model, control = (
        random_weights(lambda: ControlledCogVideoX(**config.transformer), device),
        control_inputs(config, latents),
    )
    plan = needs(config)
    with torch.no_grad():
        seconds, peak = measured(lambda: forward(model, latents, text, control), device)
    print(
        f'with all conditions, one pass:   {seconds:8.3f} s  {peak:6.1f} GB  {seconds / alone:.2f} times diffusers '
        f'(planned: {(plan.transformer + plan.step) / 1e9:.1f} GB, '
        f'{plan.step_flops / plan.backbone_flops:.2f} times the work)'
    )
    model.requires_grad_(False).enable_gradient_checkpointing()
    branch = [p.requires_grad_(True) for p in model.control_parameters()]
    optimiser = torch.optim.AdamW(branch, lr=1e-4, foreach=False)
    seconds, peak = measured(lambda: train_step(optimiser, lambda: forward(model, latents, text, control)), device)
    stored = plan.transformer + 3 * sum(2 * p.numel() for p in branch)  # gradients and two moments, in bfloat16 too
    print(
        f'training step, all in bfloat16:  {seconds:8.3f} s  {peak:6.1f} GB  '
        f'(planned: {(stored + training_needs(config).checkpointed) / 1e9:.1f} GB)'
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--toy', action='store_true', help='a toy size, on the CPU')
    on_toy = parser.parse_args().toy
    device = 'cpu' if on_toy else 'cuda'
    if not on_toy and not torch.cuda.is_available():
        print(
            'bench_full_size: expected a GPU with 140 GB of memory, found none; --toy shows that the script works',
            file=sys.stderr,
        )
        return 0
    config = read_config('cogvideox-5b')
    config = toy(config) if on_toy else config
    latents, text = (torch.randn(x.shape, dtype=torch.bfloat16, device=device) for x in meta_inputs(config)[1:])
    bench_ours(config, latents, text, device, bench_plain(config, latents, text, device))
    return 0


if __name__ == '__main__':
    sys.exit(main())
