"""Small models of the real classes."""

import pytest
import torch
from accelerate.state import AcceleratorState

from hoigen.video.inputs import PointInputs
from hoigen.video.transformer import ControlledCogVideoX

SMALL = {
    'num_attention_heads': 2,
    'attention_head_dim': 16,
    'in_channels': 8,
    'out_channels': 4,
    'time_embed_dim': 8,
    'text_embed_dim': 12,
    'num_layers': 3,
    'sample_width': 8,
    'sample_height': 6,
    'sample_frames': 9,
    'max_text_seq_length': 5,
    'use_learned_positional_embeddings': False,
}


@pytest.fixture(autouse=True, scope='module')
def own_precision():
    """accelerate keeps one precision for a process; each file of tests may train in its own."""
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.fixture
def small_config() -> dict:
    return SMALL


@pytest.fixture
def small_model() -> ControlledCogVideoX:
    torch.manual_seed(0)
    return ControlledCogVideoX(**SMALL, control_blocks=2, point_width=16, point_heads=2, point_channels=4).eval()


@pytest.fixture
def cloud() -> PointInputs:
    g = torch.Generator().manual_seed(1)
    return PointInputs(
        torch.randn(2, 9, 32, 3, generator=g),
        torch.randint(0, 3, (2, 32), generator=g),
        torch.arange(8).expand(2, -1),
        torch.rand(2, 9, 8, 2, generator=g),
        torch.ones(2, 9, 8, dtype=torch.bool),
    )
