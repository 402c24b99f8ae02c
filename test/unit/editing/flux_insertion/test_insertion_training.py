"""What the insertion model learns from: the same conditions as in use, in both stages."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils.data import default_collate

from hoigen.editing.conditions import as_signed, depth_picture
from hoigen.editing.flux_insertion.inserter import load_inserter
from hoigen.editing.flux_insertion.loading import Parts
from hoigen.editing.flux_insertion.model import FEATURES
from hoigen.editing.flux_insertion.options import InsertionLoss, recipe
from hoigen.editing.flux_insertion.training.examples import ExampleSet
from hoigen.editing.flux_insertion.training.objective import InsertionObjective, blank
from hoigen.editing.flux_insertion.training.stages import run
from hoigen.editing.placement import box_of, place
from hoigen.editing.synthesis import make_room
from hoigen.editing.views import random_views
from hoigen.geometry.shading import draw
from hoigen.geometry.transforms import rigid
from hoigen.learning.checkpoint import TrainingError
from hoigen.learning.options import Hardware
from hoigen.models.configuration import save_config
from hoigen.models.hub import ModelError
from hoigen.records import Camera, MeshAsset

SIZE = 32
CAMERA = Camera(np.array([[60.0, 0, 15.5], [0, 60, 15.5], [0, 0, 1]]), SIZE, SIZE, np.eye(4))
PLAIN = InsertionLoss(box=0, guided=0, erased=0, removal=0, recolour=0, terminal=0, drop_text=0)


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory):
    """Two scenes of a box before a wall, half of it behind a board."""
    path = tmp_path_factory.mktemp('scenes')
    for number in range(2):
        write_scene(path / f'scene_{number:06d}.npz', number)
    return path


def write_scene(path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], np.float32) * 0.06
    mesh = box_of(MeshAsset('box', 'object', corners, np.array([[0, 1, 2]], np.int32)))
    mesh = MeshAsset(
        'box',
        'object',
        mesh.vertices,
        mesh.triangles,
        rng.random((8, 2)).astype(np.float32),
        rng.integers(0, 200, (4, 4, 3), np.uint8),
    )
    pose = rigid(np.eye(3), np.array([0.0, 0.0, 0.5]))
    placement, drawn = place(mesh, pose, CAMERA), draw(mesh, pose, CAMERA)
    without = rng.integers(0, 256, (SIZE, SIZE, 3), np.uint8)
    depth = np.ones((SIZE, SIZE), np.float32)
    depth[:, : SIZE // 2] = 0.3
    views = random_views(mesh, 4, rng, SIZE)
    angles = lambda o: [o.azimuth, o.elevation, o.in_plane]  # noqa: E731
    box = place(box_of(mesh), pose, CAMERA)
    np.savez(
        path,
        rgb=np.where(placement.mask[..., None], drawn.rgb, without)[None],
        without=without[None],
        depth_without_m=depth[None],
        mask=placement.mask[None],
        object_depth_m=placement.depth_m[None],
        box_mask=box.mask[None],
        insertion_depth_m=np.float32([placement.insertion_depth_m]),
        orientation=np.float32([angles(placement.orientation)]),
        guide=drawn.rgb[None],
        thing=np.array([0]),
        view_rgb=np.stack([view.rgb for view in views])[None],
        view_orientation=np.float32([[angles(view.orientation) for view in views]]),
        caption=np.array(['red box']),
    )


def objective(folder, config, autoencoder, stage, **loss) -> InsertionObjective:
    torch.manual_seed(0)
    return InsertionObjective(Parts(config), autoencoder, ExampleSet(folder), replace(PLAIN, **loss), stage, 2)


def example(of: InsertionObjective, seed: int = 0):
    return of.example(0, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize('guided', [False, True])
def test_training_sees_what_use_gives(folder, guided: bool) -> None:
    """Masked image, depth and painted area are those of ``make_room``, which the inserter calls."""
    examples = ExampleSet(folder)
    arrays, given = examples.arrays, examples.given(0, guided=guided)
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], np.float32) * 0.06
    mesh = box_of(MeshAsset('box', 'object', corners, np.array([[0, 1, 2]], np.int32)))
    placement = place(mesh, rigid(np.eye(3), np.array([0.0, 0.0, 0.5])), CAMERA)
    room = make_room(
        arrays['without'][0], arrays['depth_without_m'][0], placement, guide=arrays['guide'][0] if guided else None
    )
    np.testing.assert_array_equal(given.masked, room.rgb)
    np.testing.assert_array_equal(given.paint, room.paint)
    np.testing.assert_array_equal(given.depth, depth_picture(room.depth_m))


def test_stage_1_asks_for_a_view_that_is_not_among_its_references(folder, small_edit_config, small_autoencoder) -> None:
    """Novel views: else it would learn to copy."""
    of = objective(folder, small_edit_config, small_autoencoder, 1)
    for seed in range(8):
        batch = example(of, seed)
        assert all(not torch.equal(batch['target'], reference) for reference in batch['references'])


def test_stage_2_asks_for_the_scene_with_the_object(folder, small_edit_config, small_autoencoder) -> None:
    """And a removal for the scene without it, from references that show nothing and no orientation."""
    arrays = ExampleSet(folder).arrays
    insertion = example(objective(folder, small_edit_config, small_autoencoder, 2))
    np.testing.assert_array_equal(insertion['target'].permute(1, 2, 0), as_signed(arrays['rgb'][0]))
    removal = example(objective(folder, small_edit_config, small_autoencoder, 2, removal=1.0))
    np.testing.assert_array_equal(removal['target'].permute(1, 2, 0), as_signed(arrays['without'][0]))
    assert torch.equal(removal['references'], blank(2, SIZE))
    assert not removal['features'].any()
    assert removal['own'].shape == (2, FEATURES)


def test_permuted_colours_are_permuted_everywhere_and_no_longer_named(
    folder,
    small_edit_config,
    small_autoencoder,
) -> None:
    """The object keeps looking like its references."""
    batch = example(objective(folder, small_edit_config, small_autoencoder, 2, recolour=1.0), seed=2)
    plain = example(objective(folder, small_edit_config, small_autoencoder, 2), seed=2)
    assert batch['caption'] == 'box'
    orders = [
        order
        for order in ([0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0])
        if torch.equal(plain['target'][order], batch['target'])
    ]
    assert len(orders) == 1
    assert any(torch.equal(reference[orders[0]], batch['references'][0]) for reference in ExampleSetViews(folder).all())


class ExampleSetViews:
    """Every view of a folder as the model reads it."""

    def __init__(self, folder) -> None:
        self._views = ExampleSet(folder).views

    def all(self):
        return [torch.from_numpy(as_signed(view)).permute(2, 0, 1) for thing in self._views for view in thing]


def test_an_erased_guide_keeps_a_part(folder, small_edit_config, small_autoencoder) -> None:
    """What is erased is grey, what is not is the mesh as drawn; nothing beside the painted area changes."""
    of = objective(folder, small_edit_config, small_autoencoder, 2, guided=1.0, erased=1.0)
    paint = ExampleSet(folder).given(0).paint
    grey, whole = (as_signed(ExampleSet(folder).given(0, guided=g).masked) for g in (False, True))
    parts = set()
    for seed in range(6):
        masked = example(of, seed)['masked'].permute(1, 2, 0).numpy()
        assert ((masked == grey) | (masked == whole)).all()
        np.testing.assert_array_equal(masked[~paint], whole[~paint])
        parts.add((masked[paint] == grey[paint]).all(-1).mean().round(2))
    assert len(parts) > 1


def test_the_loss_weighs_what_is_painted(folder, small_edit_config, small_autoencoder) -> None:
    """Each token counts by its painted share, and the weights leave the mean as it is."""
    batch = default_collate([example(objective(folder, small_edit_config, small_autoencoder, 2, paint=3.0))])
    paint = torch.from_numpy(ExampleSet(folder).given(0).paint).float()
    share = paint.reshape(4, 8, 4, 8).mean((1, 3)).flatten()
    torch.testing.assert_close(batch['weight'][0], 1 + 3 * share)


def test_all_stages_make_a_model_that_loads_and_go_on_where_they_were(folder, tmp_path, small_edit_config) -> None:
    """The run folder is a model; a second run of the same command changes nothing."""
    save_config(small_edit_config, tmp_path / 'small')
    loop = recipe().insertion
    loop = replace(loop, steps=2, batch=2, warmup=1)
    config = recipe(
        str(tmp_path / 'small'),
        data=folder,
        out=tmp_path / 'run',
        autoencoder=loop,
        views=loop,
        insertion=loop,
        refiner=loop,
        hardware=Hardware(precision='no'),
    )
    run(config)
    first = (tmp_path / 'run' / 'insertion.safetensors').read_bytes()
    run(config)
    assert (tmp_path / 'run' / 'insertion.safetensors').read_bytes() == first
    assert load_inserter(str(tmp_path / 'run')).name == 'small'


def test_pictures_of_another_size_are_refused(folder, tmp_path) -> None:
    """Before anything is trained, with the command that makes fitting ones."""
    with pytest.raises(ModelError, match=r'pictures of 64 pixels.*got 32.*hoigen edit data --size 64'):
        run(recipe(data=folder, out=tmp_path))


def test_scenes_that_lack_a_field_are_named(tmp_path) -> None:
    """A folder of something else is told from an empty one."""
    with pytest.raises(TrainingError, match='found none; make some'):
        ExampleSet(tmp_path)
    np.savez(tmp_path / 'scene_000000.npz', rgb=np.zeros(1))
    with pytest.raises(TrainingError, match=r"scene_000000.npz: expected the fields of a scene, \['box_mask'"):
        ExampleSet(tmp_path)
