"""The published layout at toy size: folders that diffusers and transformers themselves write, random weights."""

import json
from dataclasses import replace
from pathlib import Path

import torch
from diffusers import (
    AutoencoderKLCogVideoX,
    CogVideoXDPMScheduler,
    CogVideoXImageToVideoPipeline,
    CogVideoXTransformer3DModel,
)
from published_t5 import T5, write_t5_tokenizer
from transformers import T5Config, T5EncoderModel, T5Tokenizer

from hoigen.models.configuration import Memory
from hoigen.models.memory import Needs
from hoigen.video.configuration import ModelConfig, read_config
from hoigen.video.transformer import ControlledCogVideoX

TRANSFORMER = {
    'num_attention_heads': 2,
    'attention_head_dim': 16,
    'time_embed_dim': 32,
    'text_embed_dim': 12,
    'num_layers': 3,
    'sample_width': 10,
    'sample_height': 12,
    'sample_frames': 9,
    'max_text_seq_length': 7,
    'use_learned_positional_embeddings': True,
}
BACKBONE = {'in_channels': 32, 'out_channels': 16, 'use_rotary_positional_embeddings': True}
BRANCH = {'control_blocks': 3, 'point_width': 16, 'point_heads': 2, 'point_channels': 4}
AUTOENCODER = {
    'block_out_channels': [8] * 4,
    'latent_channels': 16,
    'layers_per_block': 1,
    'norm_num_groups': 2,
    'scaling_factor': 0.7,
    'sample_height': 96,
    'sample_width': 80,
    'down_block_types': ['CogVideoXDownBlock3D'] * 4,
    'up_block_types': ['CogVideoXUpBlock3D'] * 4,
}
NOTHING = Needs(0, 0, 0, 0, 0, 0, {False: 0, True: 0}, {False: 0, True: 0}, 0, 0, 0)
WORDS = (
    'pick up the ball',
    'a ball, number 0',
    'a hand lifts the red can',
    'two hands turn the tap',
    'a video of a cup',
    'pour the water',
)


def toy_config(base: Path, control: Path | None, **memory: object) -> ModelConfig:
    """cogvideox-5b with everything smaller, computing in float32 on the CPU unless ``memory`` says otherwise."""
    return replace(
        read_config('cogvideox-5b'),
        name='toy',
        height=96,
        width=80,
        frames=9,
        steps=3,
        negative_prompt='a video of a cup',
        cloud=32,
        tokens=8,
        base=str(base),
        control=None if control is None else str(control),
        transformer=TRANSFORMER | BRANCH,
        autoencoder=AUTOENCODER,
        text=T5,
        memory=Memory(**{'device': 'cpu', 'weights': 'float32', **memory}),
    )


def write_pipeline(folder: Path, frames: int = 9) -> CogVideoXImageToVideoPipeline:
    """CogVideoX-5b-I2V's folder: its pipeline, saved by its own classes; the transformer in several shards.

    frames: of the learned positions, which are near zero as the published ones.
    """
    torch.manual_seed(0)
    transformer = CogVideoXTransformer3DModel(**TRANSFORMER | {'sample_frames': frames}, **BACKBONE)
    torch.nn.init.normal_(transformer.patch_embed.pos_embedding, std=0.02)
    vae = AutoencoderKLCogVideoX(**AUTOENCODER)
    encoder = T5EncoderModel(T5Config(**T5, tie_word_embeddings=False))
    scheduler = CogVideoXDPMScheduler(**read_config('cogvideox-5b').scheduler)
    folder.mkdir(parents=True)
    write_t5_tokenizer(folder / 'tokenizer', WORDS, 226)
    pipeline = CogVideoXImageToVideoPipeline(
        T5Tokenizer.from_pretrained(folder / 'tokenizer'), encoder.eval(), vae.eval(), transformer.eval(), scheduler
    )
    transformer.save_pretrained(folder / 'transformer', max_shard_size='100KB')
    for part, name in ((vae, 'vae'), (encoder, 'text_encoder'), (scheduler, 'scheduler')):
        part.save_pretrained(folder / name)
    return pipeline


def write_tracking_branch(
    folder: Path, pipeline: CogVideoXImageToVideoPipeline, blocks: int = 2
) -> ControlledCogVideoX:
    """Diffusion-as-Shader's folder: the backbone with a trained tracking branch, and no point branch."""
    torch.manual_seed(1)
    model = ControlledCogVideoX(
        **TRANSFORMER | {'sample_frames': pipeline.transformer.config.sample_frames},
        **BACKBONE,
        control_blocks=blocks,
        control_form='das',
        point_branch=False,
    )
    model.load_state_dict(pipeline.transformer.state_dict(), strict=False)
    model.copy_base_into_branch()
    with torch.no_grad():
        for parameter in model.control_parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape))
    model.save_pretrained(folder / 'transformer', max_shard_size='100KB')
    config = dict(pipeline.transformer.config) | {'num_tracking_blocks': blocks}
    (folder / 'transformer' / 'config.json').write_text(json.dumps(config))
    return model.eval()
