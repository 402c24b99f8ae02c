"""UNO on FLUX: its position ids, and its adapter on layers that are named and cut otherwise."""

import json

import numpy as np
import pytest
import torch
from diffusers import FluxTransformer2DModel
from published_flux import TRANSFORMER, WIDTH, write_uno

from hoigen.editing.flux.configuration import read_config
from hoigen.editing.flux_insertion.lora import adapt, adapter, assign_adapter, blank_uno, from_uno, rank_of
from hoigen.editing.flux_insertion.model import reference_ids, sequence_ids
from hoigen.models.hub import ModelError

PICTURE, REFERENCES = (4, 6), [(2, 3), (3, 2)]


@pytest.mark.parametrize(('offset', 'published'), [('diagonal', 'd'), ('down', 'h'), ('across', 'w'), ('none', 'o')])
def test_position_ids_as_published(golden, offset, published):
    """References that are not square, after a picture that is not."""
    ids = np.load(golden / 'fixtures' / 'uno_ids.npz')
    for number, got in enumerate(reference_ids(*PICTURE, REFERENCES, offset)):
        np.testing.assert_array_equal(got.numpy(), ids[f'{published}/ref{number}_ids'])


def test_the_sequence_of_insertion_lies_on_the_diagonal():
    """What the insertion model was trained with is what UNO's weights know: each reference down and across."""
    ids = sequence_ids(8, [8, 4])[3 * 64 :, 1:]
    assert ids[0].tolist() == [8, 8]
    assert ids[64].tolist() == [16, 16]
    assert ids[-1].tolist() == [19, 19]


@pytest.fixture(scope='module')
def uno(tmp_path_factory):
    return write_uno(tmp_path_factory.mktemp('uno') / 'files')


@pytest.fixture
def flux():
    torch.manual_seed(2)
    return FluxTransformer2DModel(**TRANSFORMER).eval().requires_grad_(False)


def run(model):
    g = torch.Generator().manual_seed(3)
    with torch.no_grad():
        return model(
            torch.randn(1, 6, 16, generator=g),
            torch.randn(1, 4, 12, generator=g),
            torch.randn(1, 8, generator=g),
            torch.tensor([0.4]),
            torch.randn(6, 3, generator=g),
            torch.zeros(4, 3),
            torch.tensor([4.0]),
            return_dict=False,
        )[0]


def added(uno, name):
    """What UNO's factors add to the weight of the layer they belong to."""
    return uno[f'{name}.up.weight'] @ uno[f'{name}.down.weight']


def merged(flux, uno):
    """The same model with UNO's products added to the weights as its own code has them: queries, keys and values of a
    block are rows one after another of one layer."""
    names = [(f'transformer_blocks.{b}.attn', f'double_blocks.{b}.processor') for b in range(2)]
    for theirs, ours in names:
        attention = flux.get_submodule(theirs)
        for layers, name in (
            ((attention.to_q, attention.to_k, attention.to_v), 'qkv_lora1'),
            ((attention.add_q_proj, attention.add_k_proj, attention.add_v_proj), 'qkv_lora2'),
        ):
            for n, layer in enumerate(layers):
                layer.weight += added(uno, f'{ours}.{name}')[n * WIDTH : (n + 1) * WIDTH]
        attention.to_out[0].weight += added(uno, f'{ours}.proj_lora1')
        attention.to_add_out.weight += added(uno, f'{ours}.proj_lora2')
    for b, block in enumerate(flux.single_transformer_blocks):
        for n, layer in enumerate((block.attn.to_q, block.attn.to_k, block.attn.to_v)):
            layer.weight += added(uno, f'single_blocks.{b}.processor.qkv_lora')[n * WIDTH : (n + 1) * WIDTH]
        block.proj_out.weight += added(uno, f'single_blocks.{b}.processor.proj_lora')
    return flux


def test_the_adapter_computes_what_the_merged_weights_do(flux, uno):
    """Every factor reaches its layer, at full strength."""
    plain = run(flux)
    adapt(flux, 3)
    assign_adapter(flux, from_uno(uno), 'uno')
    with_adapter = run(flux)
    torch.manual_seed(2)
    expected = run(merged(FluxTransformer2DModel(**TRANSFORMER).eval().requires_grad_(False), uno))
    torch.testing.assert_close(with_adapter, expected, atol=1e-5, rtol=0)
    assert (with_adapter - plain).abs().max() > 0.05


def test_saved_and_assigned_again_it_is_the_same(flux, uno):
    """The names that are written are the names that are read, and those that diffusers' pipelines know."""
    adapt(flux, 3)
    assign_adapter(flux, from_uno(uno), 'uno')
    first, saved = run(flux), {key: value.clone() for key, value in adapter(flux).items()}
    assert 'transformer.single_transformer_blocks.1.proj_out.lora_B.weight' in saved
    assign_adapter(flux, {key: torch.zeros_like(value) for key, value in saved.items()}, 'nothing')
    assert (run(flux) - first).abs().max() > 0.05
    assign_adapter(flux, saved, 'saved')
    assert torch.equal(run(flux), first)


def test_the_released_adapter_fits_flux_dev(golden, tmp_path):
    """All 304 tensors of rank 512 have a layer of FLUX.1-dev, of the right shape, and no adapted layer is left out."""
    shapes = json.loads((golden / 'manifests' / 'uno_dit_lora_rank512.json').read_text())
    with torch.device('meta'):
        flux = FluxTransformer2DModel(**read_config('insertion-flux-dev').transformer)
        tensors = {key: torch.empty(shape) for key, shape in shapes.items()}
    adapt(flux, rank_of({key: tuple(shape) for key, shape in shapes.items()}))
    converted = {key: tuple(value.shape) for key, value in from_uno(tensors).items()}
    assert converted == {key: tuple(value.shape) for key, value in adapter(flux).items()}


def test_the_catalogue_knows_the_released_keys(golden, tmp_path, uno):
    """The module that a download is held against has the released names and shapes, and the file's rank."""
    write_uno(tmp_path / 'uno', rank=5)
    with torch.device('meta'):
        module = blank_uno(tmp_path / 'uno')
    got = {key: list(value.shape) for key, value in module.state_dict().items()}
    released = json.loads((golden / 'manifests' / 'uno_dit_lora_rank512.json').read_text())
    assert got == {key: [5 if size == 512 else size for size in shape] for key, shape in released.items()}


@pytest.mark.parametrize(
    'key',
    [
        'double_blocks.0.processor.qkv_lora.down.weight',
        'img_in.weight',
        'single_blocks.0.processor.qkv_lora1.up.weight',
        'double_blocks.0.processor.qkv_lora1.down.bias',
    ],
)
def test_other_keys_are_refused(key):
    with pytest.raises(ModelError, match=f'{key}: expected a weight of UNO'):
        from_uno({key: torch.zeros(1)})


@pytest.mark.parametrize(
    ('damage', 'says'),
    [
        (
            lambda t: t.pop('double_blocks.1.processor.proj_lora2.up.weight'),
            r'missing transformer\.transformer_blocks\.1\.attn\.to_add_out\.lora_B\.weight',
        ),
        (
            lambda t: t.update({'double_blocks.2.processor.proj_lora2.up.weight': torch.zeros(32, 3)}),
            r'unexpected transformer\.transformer_blocks\.2',
        ),
        (
            lambda t: t.update({'single_blocks.0.processor.proj_lora.up.weight': torch.zeros(16, 3)}),
            r'expected \[32, 3\], got \[16, 3\]',
        ),
        (lambda t: t['single_blocks.0.processor.proj_lora.up.weight'].fill_(torch.nan), 'expected finite values'),
    ],
)
def test_an_adapter_that_does_not_fit_is_refused(flux, uno, damage, says):
    """Missing, too much, of another shape, broken: named, and FLUX is left without it."""
    tensors = {key: value.clone() for key, value in uno.items()}
    damage(tensors)
    adapt(flux, 3)
    with pytest.raises(ModelError, match=says):
        assign_adapter(flux, from_uno(tensors), 'uno')


def test_ranks_that_differ_are_refused():
    with pytest.raises(ModelError, match=r'expected .* one rank, got ranks \[2, 3\]'):
        rank_of({'a.down.weight': (2, 8), 'b.lora_A.weight': (3, 8)})
