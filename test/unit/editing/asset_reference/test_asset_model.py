"""The asset-referenced transformer against the released code's own numbers, and its laws."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import FluxTransformer2DModel
from torch.nn import functional as F

from hoigen.editing.asset_reference.model import AssetTransformer, Layout, Views, _Run


@pytest.fixture
def official(golden: Path) -> tuple[AssetTransformer, dict[str, torch.Tensor]]:
    """The released transformer at toy size with its own inputs and outputs."""
    with np.load(golden / 'fixtures' / 'refany3d_tiny.npz') as file:
        arrays = {name: file[name] for name in file}
    facts = json.loads(str(arrays.pop('meta_json')))
    config = {key: value for key, value in facts['config'].items() if not key.startswith('_')}
    model = AssetTransformer(FluxTransformer2DModel(**config), facts['lora']['r']).eval()
    values = {name: torch.from_numpy(np.array(value)) for name, value in arrays.items()}
    weights = {name[2:]: value.float() for name, value in values.items() if name.startswith('w/')}
    model.load_state_dict(
        {
            name if name.startswith('domain_embedder.') else f'transformer.{name}': value
            for name, value in weights.items()
        }
    )
    return model, values


def run(model: AssetTransformer, values: dict[str, torch.Tensor], *, masked: bool) -> tuple[torch.Tensor, torch.Tensor]:
    conditions = torch.stack([values[f'in/cond_{number}'] for number in range(4)], 1)
    with torch.no_grad():
        result = model(
            torch.cat([values['in/latents'], values['in/coord_latents']], 1),
            Views(conditions[:, :2], conditions[:, 2:]),
            values['in/timestep'],
            values['in/prompt_embeds'],
            values['in/pooled'],
            Layout(5, 4, 2, 4),
            values['in/guidance'],
            masked=masked,
        )
    return result[:, :16], result[:, 16:]


@pytest.mark.parametrize(('masked', 'suffix'), [(True, ''), (False, '_nomask')])
def test_outputs_are_the_released_codes(official, masked: bool, suffix: str):
    """Branches, adapters, domain switcher, times of the conditions and the mask are as released: weights work here."""
    model, values = official
    rgb, points = run(model, values, masked=masked)
    assert (rgb - values[f'out/rgb{suffix}']).abs().max() < 1e-5
    assert (points - values[f'out/coord{suffix}']).abs().max() < 1e-5


def test_position_ids_are_the_released_codes(official):
    """Picture and point map share their places; all conditions lie left of them by the target's width."""
    _, values = official
    text, picture, conditions, points = Layout(5, 4, 1, 4).ids().split([5, 16, 32, 16])
    for got, name in ((text, 'text'), (picture, 'target'), (points, 'pointmap')):
        assert torch.equal(got, values[f'ids/{name}'])
    assert torch.equal(conditions, values['ids/condition'].repeat(2, 1))
    full = Layout(5, 32, 1, 32).ids()[5 + 1024 : 5 + 2048]
    assert np.array_equal(np.stack([full.amin(0), full.amax(0)]), values['ids/condition_512px_minmax'])


@pytest.mark.parametrize('count', [1, 2, 3, 8])
def test_a_branch_reads_what_the_released_mask_lets_it(official, count: int):
    """Attention by stretches is the released mask of branches, for any number of views."""
    _, values = official
    layout = Layout(text=3, side=2, count=count, view_side=1)
    lengths = torch.tensor([3, 4, 4, *[1] * (2 * count)])
    allowed = values[f'group_mask/n_view_{count}'].repeat_interleave(lengths, 0).repeat_interleave(lengths, 1)
    points_last = torch.cat([torch.arange(7), torch.arange(11, 11 + 2 * count), torch.arange(7, 11)])
    generator = torch.Generator().manual_seed(count)
    query, key, value = torch.randn(3, 2, 2, 11 + 2 * count, 4, generator=generator)
    still = torch.ones(11 + 2 * count, 4), torch.zeros(11 + 2 * count, 4)  # no rotation: order is all that is asked
    run = _Run(layout, True, torch.zeros(2, 4, 8), torch.zeros(2, 8), still)
    want = F.scaled_dot_product_attention(query, key, value, attn_mask=allowed[points_last][:, points_last])
    assert torch.allclose(run._attend(query, key, value), want.transpose(1, 2).flatten(2), atol=1e-6)
