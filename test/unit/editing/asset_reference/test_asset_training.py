"""Training of the asset-referenced model: scenes are the same each time, and a run ends as a model that works."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from hoigen.editing.asset_reference.conditions import PointCode
from hoigen.editing.asset_reference.generator import load_asset_reference
from hoigen.editing.asset_reference.loading import FILES, build_parts
from hoigen.editing.asset_reference.options import AssetLoss
from hoigen.editing.asset_reference.pose import find_pose
from hoigen.editing.asset_reference.training import stages
from hoigen.editing.asset_reference.training.objective import AssetExamples, AssetObjective
from hoigen.editing.asset_reference.training.scenes import ScenesConfig, make_scenes, simulate_assets
from hoigen.editing.asset_reference.training.stages import AssetRefinerObjective, start_from
from hoigen.editing.flux.configuration import EditConfig
from hoigen.editing.flux_insertion.loading import build_parts as build_insertion
from hoigen.editing.flux_insertion.options import RefinerLoss
from hoigen.editing.meshes.things import made_thing
from hoigen.geometry.transforms import angle_between, invert, rigid
from hoigen.learning.checkpoint import TrainingError
from hoigen.learning.options import Hardware, LoopConfig
from hoigen.models.hub import ModelError
from hoigen.models.tensors import save_tensors
from hoigen.sources.mujoco.clutter import Clutter
from hoigen.sources.mujoco.render import Renderer

SIZES = ScenesConfig(size=32, views=2, view_size=16, things=2, sights=2)


@pytest.fixture
def config(small_edit_config: EditConfig) -> EditConfig:
    return replace(small_edit_config, reference_size=16)


@pytest.fixture(scope='module')
def scenes(tmp_path_factory):
    folder = tmp_path_factory.mktemp('scenes')
    make_scenes(SIZES, folder, 1, 7)
    return folder


def test_a_scene_is_the_same_each_time_and_its_point_maps_are_true(scenes):
    """The pose that the map tells is the pose that the simulator had."""
    with np.load(scenes / 'scene_000000.npz') as file:
        stored = {name: file[name] for name in file.files}
    again = simulate_assets(SIZES, Renderer(32, 32), 7, 0)
    assert all(np.array_equal(stored[name], again[name]) for name in stored)
    larger = simulate_assets(replace(SIZES, size=64), Renderer(64, 64), 7, 0)
    for number, thing in enumerate(larger['thing']):
        found = find_pose(PointCode(*larger['box'][thing]).decode(larger['points'][number]), larger['K'][number])
        true = invert(larger['T_world_cam'][number]) @ larger['T_world_object'][number]
        assert found is not None
        assert np.degrees(angle_between(found.T_cam_object[:3, :3], true[:3, :3])) < 4
        assert found.residual_px < 0.7


def test_scenes_that_are_there_stay(scenes):
    before = (scenes / 'scene_000000.npz').stat().st_mtime_ns
    make_scenes(SIZES, scenes, 1, 7)
    assert (scenes / 'scene_000000.npz').stat().st_mtime_ns == before
    with pytest.raises(TrainingError, match='found none'):
        AssetExamples(scenes / 'nowhere')


def test_a_thing_that_is_not_seen_as_drawn_is_left_out(monkeypatch):
    """The filter of pose-aligned examples is at work: drawn at another place, none fits."""
    aside = rigid(np.eye(3), np.array([0.05, 0.0, 0.0]))
    pose = Clutter.pose
    monkeypatch.setattr(Clutter, 'pose', lambda scene, number: aside @ pose(scene, number))
    assert 'rgb' not in simulate_assets(replace(SIZES, things=1), Renderer(32, 32), 7, 0)


def test_recoloured_examples_keep_their_geometry_and_say_no_colour(scenes, config: EditConfig):
    """Colours are then to be taken from the views; the point maps never change."""
    parts, autoencoder, _ = build_parts(config)
    examples = AssetExamples(scenes)
    objective = AssetObjective(parts, autoencoder, examples, AssetLoss(recolour=1.0, drop_text=0.0, drop_views=0.0))
    plain = AssetObjective(parts, autoencoder, examples, AssetLoss(recolour=0.0, drop_text=0.0, drop_views=0.0))
    changed = 0
    for seed in range(6):
        a, b = (one.example(1, torch.Generator().manual_seed(seed)) for one in (objective, plain))
        assert torch.equal(a['targets'][1], b['targets'][1])
        assert torch.equal(a['views'][1], b['views'][1])
        assert torch.equal(a['targets'][0].sort(0).values, b['targets'][0].sort(0).values)
        assert torch.equal(a['words'], parts.words.numbers([str(examples.arrays['plain'][1])])[0])
        changed += not torch.equal(a['targets'][0], b['targets'][0])
    assert changed > 2


def test_what_mends_begins_as_nothing_and_learns_both(scenes, config: EditConfig):
    """Picture and point map stay as the model made them until the refiner has learnt, and both get a gradient."""
    torch.manual_seed(0)
    parts, autoencoder, refiner = build_parts(config)
    source = AssetObjective(parts, autoencoder, AssetExamples(scenes), AssetLoss())
    mending = AssetRefinerObjective(refiner, source, RefinerLoss())
    example = mending.example(0, torch.Generator().manual_seed(0))
    terms = mending({name: value[None] for name, value in example.items()})
    assert torch.equal(terms['picture'], terms['picture_before'])
    assert torch.equal(terms['points'], terms['points_before'])
    terms['loss'].sum().backward()
    assert all(part.leave.weight.grad.abs().max() > 0 for part in (refiner.picture, refiner.points))
    assert {name for name, _ in mending.named_parameters()} == {f'refiner.{n}' for n, _ in refiner.named_parameters()}


def test_a_run_goes_on_and_ends_as_a_model(scenes, config: EditConfig, tmp_path, monkeypatch):
    monkeypatch.setattr(stages, 'read_config', lambda _: config)
    short = LoopConfig(steps=2, batch=2, learning_rate=1e-3)
    run = stages.TrainAssetConfig(
        scenes,
        tmp_path,
        scenes=1,
        seed=7,
        autoencoder=short,
        asset=short,
        refiner=short,
        hardware=Hardware(precision='no'),
    )
    with pytest.raises(ModelError, match='--stage autoencoder'):
        stages.run(replace(run, stage='asset'))
    stages.run(run)
    first = (tmp_path / 'transformer.safetensors').read_bytes()
    stages.run(replace(run, stage='asset'))
    assert (tmp_path / 'transformer.safetensors').read_bytes() == first
    picture = load_asset_reference(str(tmp_path)).generate(made_thing('box', 1)[0], 'a box')
    assert picture.rgb.shape == (32, 32, 3)
    assert sorted(picture.provenance.weights) == [f'small/{name}' for name in sorted(FILES)]
    untrained = build_parts(config)[0].state_dict()
    assert load_asset_reference(str(tmp_path)).model.asset.state_dict().keys() == {
        key.removeprefix('asset.') for key in untrained if key.startswith('asset.')
    }


def test_it_starts_from_an_insertion_model(scenes, config: EditConfig, tmp_path):
    """Whose transformer then gives what it gave: adapters and domain switcher begin as nothing."""
    torch.manual_seed(3)
    insertion, autoencoder, _ = build_insertion(config)
    save_tensors(insertion.state_dict(), tmp_path / 'insertion.safetensors')
    with pytest.raises(ModelError, match=r"missing \['autoencoder.safetensors'\]"):
        start_from(*build_parts(config)[:2], tmp_path)
    save_tensors(autoencoder.state_dict(), tmp_path / 'autoencoder.safetensors')
    parts, own, _ = build_parts(config)
    start_from(parts, own, tmp_path)
    for key, value in insertion.insertion.transformer.state_dict().items():
        kept = {name.replace('.base_layer.', '.'): held for name, held in parts.asset.transformer.state_dict().items()}
        assert torch.equal(kept[key], value.half().float())
    assert torch.equal(parts.words.table.weight, insertion.words.table.weight.half().float())
    x = torch.randn(1, 4, 16)
    layer = parts.asset.transformer.x_embedder
    assert torch.equal(layer(x, torch.ones(4, 2)), layer.base_layer(x))
    wide = replace(config, transformer={**config.transformer, 'num_attention_heads': 3})
    with pytest.raises(ModelError, match='keys do not fit'):
        start_from(*build_parts(wide)[:2], tmp_path)
