"""The published FLUX: its full size fits the official lists of keys, and every part of its layout reaches the model."""

import json
import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
import torch
from diffusers import FluxTransformer2DModel
from published_flux import CLIP, toy_config, write_flux, write_uno
from published_t5 import T5
from safetensors.torch import load_file, save_file
from synthetic_scene import box
from transformers import CLIPTextConfig, CLIPTextModel, T5Config, T5EncoderModel

from hoigen.editing.flux.configuration import read_config
from hoigen.editing.flux_insertion.inserter import Inserter
from hoigen.editing.flux_insertion.loading import load_insertion
from hoigen.editing.flux_insertion.memory import needs
from hoigen.editing.flux_insertion.model import sequence_ids
from hoigen.editing.flux_insertion.published import TRAINED, load_published, save_trained, start_from, trained
from hoigen.editing.records import Reference, Subject
from hoigen.geometry.transforms import rigid
from hoigen.models.configuration import Memory, save_config
from hoigen.models.flux import PublishedAutoencoder
from hoigen.models.hub import ModelError
from hoigen.models.text import CaptionEncoder
from hoigen.records import Camera

DEV = read_config('insertion-flux-dev')


@pytest.mark.parametrize(
    ('manifest', 'made'),
    [
        ('flux1_dev_transformer', lambda: FluxTransformer2DModel(**DEV.transformer)),
        ('flux1_dev_vae', lambda: PublishedAutoencoder(**DEV.autoencoder)),
        ('clip_vit_l14_text', lambda: CLIPTextModel(CLIPTextConfig(**DEV.clip))),
        ('t5_v1_1_xxl_encoder', lambda: T5EncoderModel(T5Config(**DEV.t5))),
    ],
)
def test_the_full_size_is_the_official_one(golden, manifest, made):
    """Every key and shape of FLUX.1-dev, and no other: built without storage from the configuration that ships."""
    with torch.device('meta'):
        got = {key: list(value.shape) for key, value in made().state_dict().items()}
    assert got == json.loads((golden / 'manifests' / f'{manifest}.json').read_text())


@pytest.mark.parametrize(('part', 'file'), [('transformer', 'flux1_dev_transformer'), ('autoencoder', 'flux1_dev_vae')])
def test_the_configuration_is_the_official_one(golden, part, file):
    """Values that no shape shows (the latents' scale, the axes of positions) are those of the release."""
    official = json.loads((golden / 'configs' / f'{file}.json').read_text())
    assert getattr(DEV, part).items() <= official.items()


@pytest.fixture(scope='module')
def layout(tmp_path_factory):
    """FLUX's folder, UNO's folder, and a trained model's folder made of them as training makes it."""
    home = tmp_path_factory.mktemp('published')
    write_flux(home / 'flux')
    write_uno(home / 'uno')
    config = toy_config(home / 'flux', home / 'uno')
    insertion = start_from(config)
    torch.manual_seed(5)
    for name in ('target', 'own'):
        torch.nn.init.normal_(getattr(insertion, name).outer.weight, std=0.1)
    save_trained(trained(insertion), home / 'trained')
    save_config(config, home / 'trained')
    return home


@pytest.fixture
def config(layout):
    return toy_config(layout / 'flux', layout / 'trained')


def velocity(insertion, seed=3):
    """One pass over a sequence with two references of known orientation."""
    g, like = torch.Generator().manual_seed(seed), insertion.target.inner.weight

    def draw(*shape):
        return torch.randn(1, *shape, generator=g).to(like)

    with torch.no_grad():
        return insertion(
            draw(16, 16),
            draw(32, 16),
            draw(2, 16, 16),
            draw(9),
            draw(2, 9),
            torch.tensor([0.5]).to(like),
            draw(7, 12),
            draw(8),
            sequence_ids(4, [4, 4]),
            torch.tensor([4.0]).to(like),
        ).float()


def test_training_starts_from_uno(layout):
    """Stage 0: FLUX is frozen, the adapter is UNO's, both projectors are still nothing; only those three learn."""
    insertion = start_from(toy_config(layout / 'flux', layout / 'uno'))
    base = FluxTransformer2DModel.from_pretrained(layout / 'flux' / 'transformer')
    for name, parameter in base.named_parameters():
        owner, _, leaf = name.rpartition('.')
        layer = insertion.transformer.get_submodule(owner)
        assert torch.equal(getattr(getattr(layer, 'base_layer', layer), leaf), parameter), name
    learnt = {name for name, parameter in insertion.named_parameters() if parameter.requires_grad}
    assert learnt
    assert all('.lora_' in name or name.startswith(('target.', 'own.')) for name in learnt)
    assert len(learnt) == 2 * (2 * 8 + 2 * 4) + 8
    assert not insertion.target.outer.weight.any()


def test_what_training_leaves_is_a_model(layout, config):
    """Adapter and projectors come back as they were saved, to the rounding of bfloat16, and are not UNO's alone."""
    loaded, _, _, hashes = load_published(config)
    again = start_from(config)
    torch.testing.assert_close(velocity(loaded), velocity(again), atol=1e-5, rtol=0)
    stage_0 = start_from(toy_config(layout / 'flux', layout / 'uno'))
    assert (velocity(loaded) - velocity(stage_0)).abs().max() > 0.01
    assert not any(parameter.requires_grad and 'lora' in name for name, parameter in loaded.named_parameters())
    assert {
        'trained/trained.safetensors',
        'flux/vae/diffusion_pytorch_model.safetensors',
        'flux/text_encoder_2/model.safetensors',
    } <= hashes.keys()
    assert sum(name.startswith('flux/transformer/') for name in hashes) > 1


def test_a_folder_that_training_left_is_loaded_by_its_name(layout):
    """`--model FOLDER` takes the adapter beside its model.yaml, whatever that says of where training started."""
    model = load_insertion(str(layout / 'trained'))
    assert model.config.lora == str(layout / 'trained')


def test_captions_are_those_of_the_published_encoders(layout):
    """T5's last layer over the padded caption and CLIP's pooled vector; the same again, without the encoders there."""
    text = CaptionEncoder(layout / 'flux', 7, Memory(weights='float32'))
    tokens, pooled = text(['a red mug', '', 'a red mug'])
    assert tokens.shape == (3, 7, 12)
    assert pooled.shape == (3, 8)
    assert torch.equal(tokens[0], tokens[2])
    assert (tokens[0] - tokens[1]).abs().max() > 0.01
    assert (pooled[0] - pooled[1]).abs().max() > 0.01
    t5 = T5EncoderModel.from_pretrained(layout / 'flux' / 'text_encoder_2').eval()
    ids = torch.tensor([[1] + [0] * 6])  # an empty caption: its end, then padding
    with torch.no_grad():
        torch.testing.assert_close(tokens[1], t5(ids).last_hidden_state[0])
    clip = CLIPTextModel.from_pretrained(layout / 'flux' / 'text_encoder').eval()
    ends = torch.tensor([[188] + [189] * 8])
    with torch.no_grad():
        torch.testing.assert_close(pooled[1], clip(ends).pooler_output[0])


def test_encoders_that_are_kept_read_the_same(layout, monkeypatch):
    """For training: loaded once, and no caption stays."""
    once = CaptionEncoder(layout / 'flux', 7, Memory(weights='float32'))(['a red mug', ''])
    text = CaptionEncoder(layout / 'flux', 7, Memory(weights='float32'), keep=True)
    text(['the blue box'])
    monkeypatch.setattr('hoigen.models.text.pretrained', None)
    for kept, read in zip(text(['a red mug', '']), once, strict=True):
        assert torch.equal(kept, read)
    monkeypatch.undo()
    assert not text._known


@pytest.fixture
def cube() -> Subject:
    mesh = box('cube', 'object', (0.1, 0.1, 0.1))
    return Subject('a red cube', (Reference(np.full((32, 32, 3), 200, np.uint8), None),), mesh)


@pytest.mark.parametrize(
    'memory', [{}, {'weights': 'bfloat16'}, {'weights': 'int8'}, {'tiling': True}, {'offload': 'model'}], ids=str
)
def test_the_inserter_works_with_published_parts(layout, cube, memory):
    """Untrained toys paint nonsense, but where they must, finite, the same again, and in every use of memory."""
    model = load_insertion(str(layout / 'trained'), Memory(**{'device': 'cpu', 'weights': 'float32', **memory}))
    camera = Camera(np.array([[60, 0, 32], [0, 60, 32], [0, 0, 1.0]]), 64, 64, np.eye(4))
    rgb = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    depth, pose = np.full((64, 64), 2, np.float32), rigid(np.eye(3), np.array([0, 0, 0.5]))
    edited, again = (Inserter(model).insert(rgb, depth, camera, cube, pose, seed=1) for _ in range(2))
    assert edited.mask.any()
    assert (edited.rgb[edited.mask] != rgb[edited.mask]).any()
    np.testing.assert_array_equal(edited.rgb[~edited.mask], rgb[~edited.mask])
    np.testing.assert_array_equal(edited.rgb, again.rgb)


def test_missing_weights_say_how_to_get_them():
    """Both sources at once, each with its command and licence."""
    absent = replace(DEV, memory=Memory())
    with pytest.raises(ModelError) as error:
        load_published(absent)
    assert 'hoigen models fetch flux ' in str(error.value)
    assert 'hoigen models fetch uno ' in str(error.value)
    assert 'non-commercial' in str(error.value)


def test_uno_alone_inserts_nothing(layout):
    """No model without its training: stage 0 has never seen a masked image or a depth map."""
    with pytest.raises(ModelError, match=rf'expected {TRAINED} in .*uno, found none; .*hoigen train insertion'):
        load_published(toy_config(layout / 'flux', layout / 'uno'))


def test_too_little_memory_is_said_before_anything_is_loaded(config, monkeypatch):
    """What it needs, what there is, and which use of memory would do."""
    need = needs(config, 3)
    least = need.peak(Memory(offload='group', tiling=True))
    assert least < need.peak(config.memory)
    monkeypatch.setattr(psutil, 'virtual_memory', lambda: SimpleNamespace(available=need.peak(config.memory) - 1))
    enough = r'model toy: needs .* are free; .* are enough with memory: \{weights: .*\} in its model.yaml'
    with pytest.raises(ModelError, match=enough):
        load_published(config)
    monkeypatch.setattr(psutil, 'virtual_memory', lambda: SimpleNamespace(available=10))
    with pytest.raises(ModelError, match='no use of memory fits, the least is'):
        load_published(config)


@pytest.mark.parametrize(
    ('damage', 'says'),
    [
        (lambda t: t.pop('target.outer.weight'), 'target: 1 keys do not fit this model, .*missing outer.weight'),
        (lambda t: t.update({'own.extra': torch.zeros(1)}), 'own: 1 keys do not fit this model, .*unexpected extra'),
        (lambda t: t.update({'target.inner.weight': torch.zeros(256, 6)}), r'expected \[256, 9\], got \[256, 6\]'),
        (lambda t: t.pop('transformer.transformer_blocks.0.attn.to_q.lora_A.weight'), 'missing transformer'),
        (lambda t: t['own.outer.bias'].fill_(torch.inf), 'expected finite values'),
    ],
)
def test_a_damaged_training_result_is_refused(layout, config, tmp_path, damage, says):
    """Adapter and projectors: nothing missing, nothing more, nothing of another shape, nothing broken."""
    tensors = load_file(layout / 'trained' / TRAINED)
    damage(tensors)
    save_file(tensors, tmp_path / TRAINED)
    with pytest.raises(ModelError, match=says):
        load_published(replace(config, lora=str(tmp_path)))


@pytest.mark.parametrize(
    ('part', 'field', 'value'),
    [
        ('transformer', 'axes_dims_rope', [2, 7, 7]),
        ('vae', 'scaling_factor', 0.9),
        ('text_encoder', 'hidden_act', 'gelu'),
        ('text_encoder_2', 'd_kv', 4),
    ],
)
def test_another_configuration_is_refused(layout, config, tmp_path, part, field, value):
    """A FLUX of another make may have the same shapes and mean other things by them."""
    shutil.copytree(layout / 'flux', tmp_path / 'flux')
    file = tmp_path / 'flux' / part / 'config.json'
    file.write_text(json.dumps(json.loads(file.read_text()) | {field: value}))
    with pytest.raises(ModelError, match=f'config.json: .*{field}: expected'):
        load_published(replace(config, base=str(tmp_path / 'flux')))


def test_the_toy_is_the_dev_model_made_small():
    """The tests above speak of the configuration that ships: the same fields, smaller."""
    assert CLIP.keys() == DEV.clip.keys()
    assert T5.keys() == DEV.t5.keys()
