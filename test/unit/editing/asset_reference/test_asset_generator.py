"""Pictures of an asset: what comes out of a generator, the same each time, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from hoigen.editing.asset_reference.conditions import code_of
from hoigen.editing.asset_reference.generator import AssetPicture, AssetReference, repainted
from hoigen.editing.asset_reference.loading import FILES, AssetModel, build_parts, load_asset_model
from hoigen.editing.asset_reference.pose import FoundPose, plain_camera
from hoigen.editing.flux.configuration import EditConfig
from hoigen.editing.placement import PlacementError, place
from hoigen.editing.records import Edited, Subject
from hoigen.geometry.shading import draw
from hoigen.geometry.transforms import rigid
from hoigen.models.configuration import save_config
from hoigen.models.hub import ModelError
from hoigen.models.tensors import save_tensors
from hoigen.records import Camera, MeshAsset, Provenance


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
    return AssetReference(
        AssetModel(config, parts.asset.eval(), autoencoder.eval(), parts.text, {'toy': '0'}, refiner.eval())
    )


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
    monkeypatch.setattr(
        generator.model.asset,
        'forward',
        lambda *given, **named: passes.append(named.get('masked', True)) or forward(*given, **named),
    )
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


class Paints:
    """A stand-in for the insertion model: one colour for what is taken away, another for what is put in."""

    def remove(self, rgb: np.ndarray, mask: np.ndarray, *, seed: int = 0) -> np.ndarray:
        return np.where(mask[..., None], np.uint8(10), rgb)

    def insert(
        self,
        rgb: np.ndarray,
        depth_m: np.ndarray,
        camera: Camera,
        subject: Subject,
        T_world_object: np.ndarray,
        *,
        seed: int = 0,
    ) -> Edited:
        placement = place(subject.mesh, T_world_object, camera)
        return Edited(
            camera,
            np.where(placement.mask[..., None], np.uint8(200), rgb),
            placement.mask,
            np.where(placement.mask, placement.depth_m, depth_m),
            1.0,
            T_world_object,
            1.0,
            Provenance(seed, {'model': 'paints'}, '', {'paints': '1'}, {}, {'paints': 'free'}),
        )


def generated_at(pose: np.ndarray | None) -> AssetPicture:
    """A picture whose asset was generated as a square in the middle."""
    rgb = np.random.default_rng(0).integers(50, 150, (48, 48, 3), np.uint8)
    mask = np.zeros((48, 48), bool)
    mask[16:32, 16:32] = True
    points = np.where(mask[..., None], np.float32(0.01), np.float32('nan')) * np.ones(3, np.float32)
    return AssetPicture(
        rgb,
        points,
        rgb,
        np.stack([rgb, rgb]),
        mask,
        plain_camera(48),
        pose,
        1.0,
        Provenance(0, {}, '', {'asset': '0'}, {}, {}),
    )


def test_an_asset_is_painted_again_where_its_pose_says() -> None:
    """Point map and mask are then the mesh's at that pose, the picture far from the asset is as it was, what the model
    generated is kept, and the provenance names both models."""
    pose = rigid(np.eye(3), np.array([-0.03, -0.03, 0.4]))
    before, mesh = generated_at(pose), tetrahedron()
    after = repainted(before, mesh, 'a thing', Paints())
    view = draw(mesh, pose, Camera(before.K, 48, 48, np.eye(4)))
    np.testing.assert_array_equal(after.mask, view.mask)
    np.testing.assert_array_equal(after.points, view.points)
    assert (after.rgb[after.mask] == 200).all()
    assert (after.rgb[before.mask & ~after.mask] == 10).all()
    np.testing.assert_array_equal(after.rgb[:8], before.rgb[:8])
    np.testing.assert_array_equal(after.generated, before.generated)
    assert after.provenance.weights == {'asset': '0', 'paints': '1'}


@pytest.mark.parametrize(
    ('pose', 'told'),
    [
        (rigid(np.eye(3), np.array([-0.03, -0.03, 0.4])), True),  # where the map was drawn
        (rigid(np.eye(3), np.array([-0.03, -0.03, 0.15])), False),  # far too near
        (rigid(np.eye(3), np.array([9.0, 0, 0.4])), False),
    ],
)  # out of the picture
def test_a_pose_is_told_where_the_outline_there_is_that_of_the_map(pose: np.ndarray, told: bool, monkeypatch) -> None:
    """Whatever a robust fit makes of a rough map."""
    from hoigen.editing.asset_reference import generator as module

    mesh, K = tetrahedron(), plain_camera(48)
    drawn = draw(mesh, rigid(np.eye(3), np.array([-0.03, -0.03, 0.4])), Camera(K, 48, 48, np.eye(4)))
    monkeypatch.setattr(module, 'find_view', lambda points, seed: (K, FoundPose(pose, 1.0, 1.0)))
    made = module._labelled(
        np.zeros((48, 48, 3), np.uint8), code_of(mesh).encode(drawn.points), mesh, 0, Provenance(0, {}, '', {}, {}, {})
    )
    assert (made.T_cam_object is not None) == told
    assert np.isnan(made.residual_px) == np.isnan(made.K).all() == (not told)


def test_without_a_pose_the_picture_stays_as_it_was_generated(generator: AssetReference) -> None:
    """An untrained model's maps tell none, in any of the tries; the first try is what comes out."""
    with_inserter = replace(generator, inserter=Paints()).generate(tetrahedron(), 'a red thing', seed=3)
    assert with_inserter.T_cam_object is None
    np.testing.assert_array_equal(with_inserter.rgb, generator.generate(tetrahedron(), 'a red thing', seed=3).rgb)
    assert with_inserter.provenance.config['attempt'] == 0


def test_any_seed_is_taken(generator: AssetReference) -> None:
    """Also one that OpenCV's generator of random numbers cannot hold."""
    assert generator.generate(tetrahedron(), '', seed=2**40).provenance.seed == 2**40
