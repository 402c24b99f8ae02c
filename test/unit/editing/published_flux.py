"""FLUX's published layout at toy size: folders that diffusers and transformers themselves write, random weights."""

import json
from dataclasses import replace
from pathlib import Path

import torch
from diffusers import AutoencoderKL, FluxTransformer2DModel
from published_t5 import T5, write_t5_tokenizer
from safetensors.torch import save_file
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel, T5Config, T5EncoderModel

from hoigen.editing.flux.configuration import EditConfig, read_config
from hoigen.models.configuration import Memory

TRANSFORMER = {
    'patch_size': 1,
    'in_channels': 16,
    'num_layers': 2,
    'num_single_layers': 2,
    'attention_head_dim': 16,
    'num_attention_heads': 2,
    'joint_attention_dim': 12,
    'pooled_projection_dim': 8,
    'guidance_embeds': True,
    'axes_dims_rope': [4, 6, 6],
}
WIDTH = 32
AUTOENCODER = {
    'block_out_channels': [8, 16, 16],
    'down_block_types': ['DownEncoderBlock2D'] * 3,
    'up_block_types': ['UpDecoderBlock2D'] * 3,
    'latent_channels': 4,
    'norm_num_groups': 4,
    'layers_per_block': 1,
    'mid_block_add_attention': True,
    'use_quant_conv': False,
    'use_post_quant_conv': False,
    'scaling_factor': 0.5,
    'shift_factor': 0.1,
    'sample_size': 16,
}
CLIP = {
    'vocab_size': 520,
    'hidden_size': 8,
    'intermediate_size': 16,
    'num_hidden_layers': 2,
    'num_attention_heads': 2,
    'max_position_embeddings': 9,
    'hidden_act': 'quick_gelu',
}
WORDS = ('a red mug with white dots', 'a red cube', 'the blue box', 'a hand lifts the can', 'pour the water')


def toy_config(base: Path, lora: Path, **memory: object) -> EditConfig:
    """insertion-flux-dev with everything smaller, computing in float32 on the CPU unless ``memory`` says otherwise."""
    return replace(
        read_config('insertion-flux-dev'),
        name='toy',
        size=32,
        steps=2,
        references=2,
        base=str(base),
        lora=str(lora),
        transformer=TRANSFORMER,
        autoencoder=AUTOENCODER,
        clip=CLIP,
        t5=T5,
        text_length=7,
        memory=Memory(**{'device': 'cpu', 'weights': 'float32', **memory}),
    )


def write_flux(folder: Path) -> FluxTransformer2DModel:
    """FLUX.1-dev's folder; the transformer in several shards."""
    torch.manual_seed(0)
    transformer = FluxTransformer2DModel(**TRANSFORMER)
    transformer.save_pretrained(folder / 'transformer', max_shard_size='50KB')
    AutoencoderKL(**AUTOENCODER).save_pretrained(folder / 'vae')
    marks = {'bos_token_id': 0, 'eos_token_id': 2, 'pad_token_id': 1}  # as published: the end is the largest number
    CLIPTextModel(CLIPTextConfig(**CLIP, **marks)).save_pretrained(folder / 'text_encoder')
    T5EncoderModel(T5Config(**T5, tie_word_embeddings=False)).save_pretrained(folder / 'text_encoder_2')
    _write_clip_tokenizer(folder / 'tokenizer')
    write_t5_tokenizer(folder / 'tokenizer_2', WORDS, 512)
    return transformer.eval()


def write_uno(folder: Path, rank: int = 3) -> dict[str, Tensor]:
    """UNO's file, as its own code names the tensors."""
    torch.manual_seed(1)
    tensors = {}

    def add(name: str, inner: int, outer: int) -> None:
        tensors[f'{name}.down.weight'] = torch.randn(rank, inner) / inner**0.5
        tensors[f'{name}.up.weight'] = torch.randn(outer, rank) / rank**0.5

    for block in range(TRANSFORMER['num_layers']):
        for stream in '12':
            add(f'double_blocks.{block}.processor.qkv_lora{stream}', WIDTH, 3 * WIDTH)
            add(f'double_blocks.{block}.processor.proj_lora{stream}', WIDTH, WIDTH)
    for block in range(TRANSFORMER['num_single_layers']):
        add(f'single_blocks.{block}.processor.qkv_lora', WIDTH, 3 * WIDTH)
        add(f'single_blocks.{block}.processor.proj_lora', 5 * WIDTH, WIDTH)
    folder.mkdir(parents=True)
    save_file(tensors, folder / 'dit_lora.safetensors')
    return tensors


def _write_clip_tokenizer(folder: Path) -> None:
    """Letters, each also as a word's end, and the two marks, in the published files."""
    letters = [chr(c) for c in range(33, 127)]
    names = [*letters, *(f'{c}</w>' for c in letters), '<|startoftext|>', '<|endoftext|>']
    folder.mkdir()
    (folder / 'vocab.json').write_text(json.dumps({name: row for row, name in enumerate(names)}))
    (folder / 'merges.txt').write_text('#version: 0.2\n')
    (folder / 'tokenizer_config.json').write_text(
        json.dumps(
            {
                'bos_token': '<|startoftext|>',
                'eos_token': '<|endoftext|>',
                'pad_token': '<|endoftext|>',
                'unk_token': '<|endoftext|>',
                'model_max_length': CLIP['max_position_embeddings'],
                'do_lower_case': True,
                'tokenizer_class': 'CLIPTokenizer',
            }
        )
    )
