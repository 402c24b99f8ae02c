"""The inserter with an untrained toy model: what it may change, what it must not, and the labels that it gives."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from hoigen.editing.flux_insertion.inserter import Inserter
from hoigen.editing.flux_insertion.loading import InsertionModel, Parts, load_insertion
from hoigen.editing.placement import PlacementError, box_of, place
from hoigen.editing.records import Subject
from hoigen.editing.views import random_views
from hoigen.geometry.transforms import rigid
from hoigen.models.configuration import save_config
from hoigen.models.flux import Refiner
from hoigen.models.hub import ModelError
from hoigen.records import Camera, MeshAsset

CAMERA = Camera(np.array([[80.0, 0, 39.5], [0, 80, 29.5], [0, 0, 1]]), 80, 60, np.eye(4))
POSE = rigid(np.eye(3), np.array([0.0, 0.0, 0.5]))


def box(texture: bool = True) -> MeshAsset:
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], np.float32) * 0.06
    mesh = box_of(MeshAsset('box', 'object', corners, np.array([[0, 1, 2]], np.int32)))
    if not texture:
        return mesh
    uv = np.random.default_rng(0).random((8, 2)).astype(np.float32)
    return MeshAsset('box', 'object', mesh.vertices, mesh.triangles, uv, np.full((4, 4, 3), (200, 30, 30), np.uint8))


@pytest.fixture
def subject() -> Subject:
    mesh = box()
    return Subject('red box', random_views(mesh, 4, np.random.default_rng(1), 32), mesh)


@pytest.fixture
def inserter(small_edit_config, small_autoencoder) -> Inserter:
    torch.manual_seed(0)
    parts = Parts(small_edit_config).eval()
    refiner = Refiner(4).eval()
    torch.nn.init.normal_(refiner.leave.weight)
    return Inserter(
        InsertionModel(small_edit_config, parts.insertion, small_autoencoder, parts.text, {'toy': '0'}, refiner)
    )


@pytest.fixture
def scene() -> tuple[np.ndarray, np.ndarray]:
    """A noisy wall 1 m away, and on its left half a board 0.3 m away, which is nearer than the object."""
    rgb = np.random.default_rng(2).integers(0, 256, (60, 80, 3), np.uint8)
    depth = np.ones((60, 80), np.float32)
    depth[:, :40] = 0.3
    return rgb, depth


def test_only_what_is_in_front_of_the_scene_is_painted(inserter, scene, subject) -> None:
    """All else stays bit for bit: the board before the object, and everything beside the outline."""
    edited = inserter.insert(*scene, CAMERA, subject, POSE)
    outline = place(subject.mesh, POSE, CAMERA).mask
    assert outline[:, :40].any()
    assert outline[:, 40:].any()
    painted = outline.copy()
    painted[:, :40] = False
    np.testing.assert_array_equal(edited.mask, painted)
    np.testing.assert_array_equal(edited.rgb[~painted], scene[0][~painted])
    assert (edited.rgb[painted] != scene[0][painted]).any()


def test_labels_are_those_of_the_mesh_at_the_new_pose(inserter, scene, subject) -> None:
    """Depth is the mesh's where it is seen and the scene's elsewhere; visibility is the share that is seen."""
    edited = inserter.insert(*scene, CAMERA, subject, POSE)
    placement = place(subject.mesh, POSE, CAMERA)
    np.testing.assert_array_equal(edited.depth_m[edited.mask], placement.depth_m[edited.mask])
    np.testing.assert_array_equal(edited.depth_m[~edited.mask], scene[1][~edited.mask])
    assert edited.visibility == pytest.approx(edited.mask.sum() / placement.mask.sum())
    np.testing.assert_array_equal(edited.T_world_object, POSE)


def test_an_object_behind_everything_leaves_the_frame_as_it_was(inserter, scene, subject) -> None:
    """No pixel changes, and the label says that nothing of it is seen."""
    rgb, _ = scene
    edited = inserter.insert(rgb, np.full((60, 80), 0.2, np.float32), CAMERA, subject, POSE)
    np.testing.assert_array_equal(edited.rgb, rgb)
    assert not edited.mask.any()
    assert edited.visibility == 0


def test_without_geometry_the_object_covers_what_is_nearer(inserter, scene, subject) -> None:
    """The paper's ablation paints the whole outline."""
    edited = replace(inserter, geometry_aware=False).insert(*scene, CAMERA, subject, POSE)
    np.testing.assert_array_equal(edited.mask, place(subject.mesh, POSE, CAMERA).mask)


def test_the_same_seed_gives_the_same_picture(inserter, scene, subject) -> None:
    """And another seed another one."""
    first, again, other = (inserter.insert(*scene, CAMERA, subject, POSE, seed=seed).rgb for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_of_an_object_whose_size_alone_is_known_nothing_is_claimed(inserter, scene, subject) -> None:
    """Where the picture changed is its mask, its depth is unknown there, and agreement cannot be told."""
    edited = inserter.insert(*scene, CAMERA, replace(subject, mesh=box_of(subject.mesh), exact=False), POSE)
    assert edited.mask.any()
    assert np.isnan(edited.depth_m[edited.mask]).all()
    assert np.isfinite(edited.depth_m[~edited.mask]).all()
    assert np.isnan(edited.agreement)


def test_a_guide_is_drawn_only_of_a_known_look(inserter, scene, subject) -> None:
    """A mesh without a texture begins from grey, and so does one with it when the paper's conditions are asked for."""
    rgb = [
        maker.insert(*scene, CAMERA, thing, POSE).rgb
        for maker, thing in (
            (inserter, subject),
            (replace(inserter, guided=False), subject),
            (inserter, replace(subject, mesh=box(texture=False))),
        )
    ]
    assert (rgb[0] != rgb[1]).any()
    np.testing.assert_array_equal(rgb[1], rgb[2])


def test_a_guide_keeps_what_is_finer_than_the_model(inserter, subject) -> None:
    """A large object in a large frame has its texture's edges, which the model's 32 pixels cannot show."""
    camera = Camera(np.array([[640.0, 0, 319.5], [0, 640, 239.5], [0, 0, 1]]), 640, 480, np.eye(4))
    stripes = np.repeat(np.array([[[250] * 3], [[5] * 3]] * 16, np.uint8), 8, 1)
    mesh = replace(subject.mesh, texture=stripes, uv=np.array(subject.mesh.vertices[:, :2] * 8 + 0.5, np.float32))
    wall = np.full((480, 640, 3), 128, np.uint8), np.ones((480, 640), np.float32)
    fine, coarse = (
        maker.insert(*wall, camera, replace(subject, mesh=mesh), POSE)
        for maker in (inserter, replace(inserter, guided=False))
    )
    inside = fine.mask & np.roll(fine.mask, 40, 0) & np.roll(fine.mask, -40, 0)
    steps = [np.abs(np.diff(edited.rgb[..., 0].astype(int), axis=0))[inside[1:]].max() for edited in (fine, coarse)]
    assert steps[0] > 3 * steps[1]


def test_steps_are_told_with_a_whole_frame_and_can_be_ended(inserter, scene, subject) -> None:
    """Progress, preview and cancel of the action stand on it."""
    told: list[tuple[int, int]] = []

    def tell(step: int, steps: int, preview: np.ndarray) -> None:
        assert preview.shape == (60, 80, 3)
        told.append((step, steps))
        if step == 3:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        inserter.insert(*scene, CAMERA, subject, POSE, steps=5, on_step=tell)
    assert told == [(1, 5), (2, 5), (3, 5)]


def test_removal_changes_only_what_is_taken_away(inserter, scene) -> None:
    """With or without depth; an empty mask changes nothing."""
    mask = np.zeros((60, 80), bool)
    np.testing.assert_array_equal(inserter.remove(scene[0], mask), scene[0])
    mask[20:40, 30:50] = True
    for depth in (None, scene[1]):
        after = inserter.remove(scene[0], mask, depth)
        np.testing.assert_array_equal(after[~mask], scene[0][~mask])
        assert (after[mask] != scene[0][mask]).any()


def test_a_depth_map_of_another_size_is_refused(inserter, scene, subject) -> None:
    """Both sizes are told."""
    with pytest.raises(PlacementError, match='80x60, got picture 80x60 and depth 40x30'):
        inserter.insert(scene[0], scene[1][::2, ::2], CAMERA, subject, POSE)


def test_provenance_says_how_it_was_made(inserter, scene, subject) -> None:
    """Seed, model, steps and the files that the weights come from."""
    made = inserter.insert(*scene, CAMERA, subject, POSE, seed=9, steps=3).provenance
    assert (made.seed, made.config['model'], made.config['steps'], made.weights) == (9, 'small', 3, {'toy': '0'})


def test_a_model_without_its_weights_says_what_to_do(tmp_path, small_edit_config) -> None:
    """The folder is named, and so is the command that trains."""
    save_config(small_edit_config, tmp_path)
    with pytest.raises(ModelError, match=r'refiner.safetensors.*missing.*hoigen train insertion'):
        load_insertion(str(tmp_path))
