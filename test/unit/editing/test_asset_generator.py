"""Pictures of an asset: what comes out of a generator, the same each time, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from hoigen.editing.asset_reference.generator import AssetReference
from hoigen.editing.asset_reference.loading import FILES, AssetModel, build_parts, load_asset_model
from hoigen.editing.flux.configuration import EditConfig, ModelError, save_config
from hoigen.editing.placement import PlacementError
from hoigen.records import MeshAsset
from hoigen.video.model import save_tensors


def tetrahedron(size_m: float = 0.1) -> MeshAsset:
    vertices = size_m * np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float32)
    return MeshAsset('thing', 'object', vertices, np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]], np.int32))


@pytest.fixture
def config(small_edit_config: EditConfig) -> EditConfig:
    return replace(small_edit_config, reference_size=16)


@pytest.fixture
def generator(config: EditConfig) -> AssetReference:
    """An untrained model at toy size; only for what does not depend on what it learnt."""
    torch.manual_seed(0)
    parts, autoencoder, refiner = build_parts(config)
    return AssetReference(AssetModel(config, parts.asset.eval(), autoencoder.eval(), parts.text, {'toy': '0'},
                                     refiner.eval()))


def test_a_seed_gives_one_picture_and_says_how_it_was_made(generator: AssetReference):
    first, again = (generator.generate(tetrahedron(), 'a red thing', seed=3) for _ in range(2))
    other = generator.generate(tetrahedron(), 'a red thing', seed=4)
    assert np.array_equal(first.rgb, again.rgb)
    assert np.array_equal(first.colours, again.colours)
    assert not np.array_equal(first.rgb, other.rgb)
    assert first.rgb.shape == first.points.shape == (32, 32, 3)
    assert np.array_equal(first.mask, np.isfinite(first.points).all(-1))
    made = first.provenance
    assert (made.seed, made.source, made.weights, made.config['caption']) == (3, 'thing', {'toy': '0'}, 'a red thing')


def test_every_step_is_told_and_may_end_the_work(generator: AssetReference):
    told = []
    generator.generate(tetrahedron(), '', steps=3, on_step=lambda *given: told.append(given))
    assert [(step, steps) for step, steps, _ in told] == [(1, 3), (2, 3), (3, 3)]
    assert told[-1][2].shape == (32, 32, 3)
    assert told[-1][2].dtype == np.uint8

    def stop(*_: object) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        generator.generate(tetrahedron(), '', on_step=stop)


def test_guidance_on_the_views_is_a_pass_more_and_none_at_one(generator: AssetReference, monkeypatch):
    """At scale 1 the views are read once a step; above, the picture moves away from what it is without views."""
    passes = []
    forward = generator.model.asset.forward
    monkeypatch.setattr(generator.model.asset, 'forward',
                        lambda *given, **named: passes.append(named.get('masked', True)) or forward(*given, **named))
    plain = generator.generate(tetrahedron(), '', image_guidance=1.0)
    assert passes == [True, True]
    guided = generator.generate(tetrahedron(), '', image_guidance=2.0)
    assert passes[2:] == [True, False] * 2
    assert not np.array_equal(plain.rgb, guided.rgb)


def test_another_unit_is_refused(generator: AssetReference):
    with pytest.raises(PlacementError, match=r'519\.615 m.*millimetres \(0\.52 m\)'):
        generator.generate(tetrahedron(300), 'a mug')


def test_a_folder_with_weights_is_a_model_and_without_them_is_not(config: EditConfig, tmp_path):
    save_config(config, tmp_path)
    with pytest.raises(ModelError, match=r'missing \[.transformer.safetensors.*hoigen train asset'):
        load_asset_model(str(tmp_path))
    torch.manual_seed(5)
    for part, name in zip(build_parts(config), FILES, strict=True):
        save_tensors(part.state_dict(), tmp_path / name)
    model = load_asset_model(str(tmp_path))
    assert sorted(model.weights) == [f'small/{name}' for name in sorted(FILES)]
    picture = AssetReference(model).generate(tetrahedron(), 'a thing')
    assert picture.provenance.weights == model.weights
