"""Clips and a model small enough to train in a test: 5 frames of 48x32 of the synthetic scene."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

from synthetic_scene import moving_scene

from hoigen.conditioning import ConditioningConfig, build_clip, build_conditions
from hoigen.models.configuration import save_config
from hoigen.records import Clip, Conditions
from hoigen.video.configuration import ModelConfig, read_config
from hoigen.video.data import write_clip

SIZE = {'width': 48, 'height': 32}


def write_clips(
    folder: Path, count: int = 3, points: int = 64, *, frames: int = 5, width: int = 48, height: int = 32
) -> Path:
    """Clips that differ in their points and their brightness."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        clip, conditions = _made(number, frames, width, height)
        write_clip(
            folder / f'{number:07d}.safetensors',
            clip.rgb // (number + 1),
            conditions,
            {'prompt': f'a ball, number {number}'},
            points,
        )
    return folder


@cache
def _made(number: int, frames: int, width: int, height: int) -> tuple[Clip, Conditions]:
    scene = moving_scene(frames=frames, width=width, height=height)
    clip = build_clip(*scene, ConditioningConfig(points=256, tracks=16, seed=number))
    return clip, build_conditions(clip, width=width, height=height)


def small_config() -> ModelConfig:
    config = read_config('tiny')
    small = {
        'num_attention_heads': 1,
        'attention_head_dim': 16,
        'num_layers': 2,
        'control_blocks': 2,
        'time_embed_dim': 8,
        'point_width': 8,
        'point_heads': 1,
        'sample_height': 4,
        'sample_width': 6,
        'sample_frames': 5,
    }
    return replace(
        config,
        name='small',
        frames=5,
        cloud=32,
        tokens=8,
        **SIZE,
        transformer=config.transformer | small,
        codec='reference',
        autoencoder={'latent_channels': 16, 'width': 8},
    )


def write_model(folder: Path) -> Path:
    """A folder that ``--model`` takes, without weights."""
    save_config(small_config(), folder)
    return folder
