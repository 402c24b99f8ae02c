"""Small models of the real classes."""

import pytest
import torch
from accelerate.state import AcceleratorState
from diffusers import FluxTransformer2DModel

from hoigen.editing.flux.configuration import EditConfig
from hoigen.models.flux import PatchAutoencoder, PatchConfig, PublishedAutoencoder

SMALL = {
    'patch_size': 1,
    'in_channels': 16,
    'num_layers': 1,
    'num_single_layers': 2,
    'attention_head_dim': 16,
    'num_attention_heads': 2,
    'joint_attention_dim': 12,
    'pooled_projection_dim': 12,
    'guidance_embeds': False,
    'axes_dims_rope': [4, 6, 6],
}
PATCHES = {'channels': 4, 'pixels': 4, 'width': 8}
SMALL_AUTOENCODER = {
    'block_out_channels': [8, 16, 16],
    'down_block_types': ['DownEncoderBlock2D'] * 3,
    'up_block_types': ['UpDecoderBlock2D'] * 3,
    'latent_channels': 4,
    'norm_num_groups': 4,
    'layers_per_block': 1,
    'mid_block_add_attention': False,
    'use_quant_conv': False,
    'use_post_quant_conv': False,
    'scaling_factor': 0.5,
    'shift_factor': 0.1,
}


@pytest.fixture(autouse=True, scope='module')
def own_precision():
    """accelerate keeps one precision for a process; each file of tests may train in its own."""
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.fixture
def small_edit_config() -> EditConfig:
    """What the toy parts below are the parts of: a square of 32 pixels and two references, words for text."""
    return EditConfig(
        name='small',
        licence='Apache-2.0',
        size=32,
        steps=2,
        references=2,
        transformer=SMALL,
        autoencoder=PATCHES,
        refiner=4,
        words=64,
    )


@pytest.fixture
def small_flux() -> FluxTransformer2DModel:
    """FLUX at toy size, untrained, tokens of 16 numbers; only for laws and shapes."""
    torch.manual_seed(0)
    return FluxTransformer2DModel(**SMALL).eval().requires_grad_(False)


@pytest.fixture
def small_autoencoder() -> PatchAutoencoder:
    """The small models' autoencoder, untrained: tokens of 8x8 pixels, 16 numbers each."""
    torch.manual_seed(1)
    return PatchAutoencoder(PatchConfig(**PATCHES)).eval().requires_grad_(False)


@pytest.fixture
def small_published_autoencoder() -> PublishedAutoencoder:
    """FLUX's autoencoder at toy size, untrained: tokens of 8x8 pixels, 16 numbers each."""
    torch.manual_seed(1)
    return PublishedAutoencoder(**SMALL_AUTOENCODER).eval().requires_grad_(False)
