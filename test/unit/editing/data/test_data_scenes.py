"""Simulated sets: whole, resumable, refused where they would mix; examples with wrong labels are left out."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from hoigen.editing.data.command import DataConfig, make_data
from hoigen.editing.data.examples import SimulationConfig, simulate
from hoigen.editing.data.filters import FilterOptions, fault_of
from hoigen.editing.data.ledger import Ledger
from hoigen.editing.data.records import DataError, Outcome
from hoigen.editing.flux_insertion.training.examples import ExampleSet
from hoigen.editing.synthesis import TOLERANCE
from hoigen.records import Provenance
from hoigen.sources.mujoco.render import Renderer

SMALL = SimulationConfig(size=48, things=2, sights=2, views=3)
PROVENANCE = Provenance(0, {'size': 48}, 'simulation', {}, {}, {})


@pytest.fixture(scope='module')
def made(tmp_path_factory):
    """A set of two small scenes, made in a worker process as a user's are."""
    out = tmp_path_factory.mktemp('data') / 'set'
    assert make_data(DataConfig(out, count=2, simulation=SMALL, workers=1)) == 0
    return out


@pytest.fixture(scope='module')
def scene():
    return simulate(SMALL, Renderer(48, 48), 0, 0)


def test_a_set_is_what_training_reads(made):
    """Every array is there at its size, the labels agree with the pictures, and the manifest tells how it was made."""
    examples = ExampleSet(made)
    manifest = json.loads((made / 'manifest.json').read_text())
    assert len(examples) == manifest['made']['examples'] > 0
    assert manifest['provenance']['config']['simulation']['size'] == 48
    assert (made / 'sheet.png').stat().st_size > 10_000
    with np.load(made / 'scene_000000.npz') as arrays:
        assert arrays['rgb'].shape[1:] == (48, 48, 3)
        assert arrays['view_rgb'].shape[:2] == (2, 3)
        seen = arrays['mask'] & ~(
            np.nan_to_num(arrays['depth_without_m'], nan=np.inf) < arrays['object_depth_m'] * (1 - TOLERANCE)
        )
        changed = np.abs(arrays['rgb'].astype(int) - arrays['without']).max(-1) > 20
        assert all(changed[e][seen[e]].mean() > 0.5 for e in range(len(seen))), 'the object is where its mask says'


def test_a_set_larger_than_memory_trains_alike(made, monkeypatch):
    """Read from the disk one by one, examples are the same to the bit."""
    held = ExampleSet(made)
    monkeypatch.setattr('hoigen.editing.flux_insertion.training.examples.MEMORY', 0)
    read = ExampleSet(made)
    assert not isinstance(read.arrays['rgb'], np.ndarray)
    assert read.views.shape == held.views.shape
    for index in range(len(held)):
        for kind in ({}, {'box': True}, {'guided': True}):
            a, b = held.given(index, **kind), read.given(index, **kind)
            assert all(
                np.array_equal(getattr(a, name), getattr(b, name)) for name in ('target', 'masked', 'depth', 'paint')
            )
        assert np.array_equal(held.views[held.thing[index], 1], read.views[read.thing[index], 1])


def test_a_killed_run_goes_on(made):
    """What is there stays as it is; what is missing is made again, byte for byte."""
    first, second = (made / f'scene_00000{n}.npz' for n in (0, 1))
    kept, lost = first.stat().st_mtime_ns, second.read_bytes()
    second.unlink()
    (made / '.scene_000001.77.partial.npz').write_bytes(b'half of it')
    lines = (made / 'scenes.jsonl').read_text()
    (made / 'scenes.jsonl').write_text(lines + '{"number": 7, "file": "scene_0000')
    assert make_data(DataConfig(made, count=2, simulation=SMALL, workers=1)) == 0
    assert first.stat().st_mtime_ns == kept
    assert second.read_bytes() == lost
    assert not list(made.glob('.*.partial.npz'))


def test_other_settings_are_refused(made):
    with pytest.raises(DataError, match='made with other settings: simulation'):
        make_data(DataConfig(made, count=2, simulation=replace(SMALL, views=4), workers=1))


def test_two_runs_do_not_write_one_folder(tmp_path):
    with Ledger(tmp_path, PROVENANCE), pytest.raises(DataError, match='another run'):
        Ledger(tmp_path, PROVENANCE)
    with Ledger(tmp_path, PROVENANCE):
        pass


def test_scenes_without_a_manifest_are_not_added_to(tmp_path):
    (tmp_path / 'scene_000000.npz').write_bytes(b'')
    with pytest.raises(DataError, match='scenes without it'):
        Ledger(tmp_path, PROVENANCE)


def test_the_ledger_remembers_scenes_of_which_nothing_was_kept(tmp_path):
    """Such a scene is not simulated again; its reasons are in the manifest."""
    with Ledger(tmp_path, PROVENANCE) as ledger:
        ledger.add(Outcome(4, '', 0, ('red mug',), {'hidden': 4}))
    with Ledger(tmp_path, PROVENANCE) as ledger:
        assert ledger.outcomes[4].dropped == {'hidden': 4}
    assert json.loads((tmp_path / 'manifest.json').read_text())['made']['dropped'] == {'hidden': 4}


def test_good_examples_pass(scene):
    assert scene.examples
    assert [fault_of(e, scene.views[e.thing], FilterOptions(), None) for e in scene.examples] == [''] * len(
        scene.examples
    )


def test_a_mask_beside_its_object_is_left_out(scene):
    """As it would be if a mesh were drawn elsewhere than it is labelled."""
    example = scene.examples[0]
    shifted = replace(
        example.placement, mask=np.roll(example.placement.mask, 6, 1), depth_m=np.roll(example.placement.depth_m, 6, 1)
    )
    assert fault_of(replace(example, placement=shifted), (), FilterOptions(), None) == 'mask and rendering disagree'


def test_an_object_mostly_out_of_view_is_left_out(scene):
    example = replace(scene.examples[0], placement=replace(scene.examples[0].placement, cut=0.4))
    assert fault_of(example, (), FilterOptions(), None) == 'cut off by the border'


@pytest.mark.parametrize(('alike', 'fault'), [(0.8, ''), (0.2, 'not like its pictures')])
def test_an_object_unlike_its_pictures_is_left_out(scene, alike, fault):
    """The likeness of what is seen in the scene to the pictures of it decides."""

    def likeness(pictures):
        assert (pictures[0] == 255).all(-1).any(), 'the object alone on white'
        return np.array([[1.0, 0.0]] + [[alike, np.sqrt(1 - alike**2)]] * (len(pictures) - 1), np.float32)

    example = scene.examples[0]
    assert fault_of(example, scene.views[example.thing], FilterOptions(similarity=0.5), likeness) == fault


@pytest.mark.parametrize(('change', 'words'), [({'count': 0}, 'count'), ({'mesh_scale': 0}, 'mesh-scale')])
def test_bad_numbers_are_refused(tmp_path, change, words):
    with pytest.raises(DataError, match=words):
        DataConfig(tmp_path, **change)


def test_bad_simulations_are_refused():
    with pytest.raises(ValueError, match='things: expected 1 to 8, got 40'):
        SimulationConfig(things=40)
