"""The whole path over a stretch: what it finds, what it refuses, what it says about gaps."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hand_rig import write_rig
from simulated_scene import lift

from hoigen.conditioning import build_conditions
from hoigen.editing.clips.recorded import read_recorded
from hoigen.episodes import EpisodeReader, write_episode
from hoigen.geometry.transforms import apply, invert
from hoigen.models.hub import MissingWeights
from hoigen.perception.evaluate import measure, noisy_depth, recorded
from hoigen.perception.notes import spans
from hoigen.perception.perceive import NOBODY, Perceived, Perceiver, PerceptionConfig
from hoigen.perception.records import Hands, PerceptionError
from hoigen.records import Footage


@pytest.fixture(scope='module')
def seen() -> Perceived:
    return Perceiver(PerceptionConfig(task='lift the carton', geometry='depth', masks='motion'))(lift()[0], 'a lift')


def test_rgbd_goes_all_the_way(seen: Perceived) -> None:
    """Masks, cameras, places and tracks are near the exact truth; the clip is one that conditions are made of."""
    row = measure(seen, lift()[1])
    assert row['IoU hand'] > 0.85
    assert row['IoU object'] > 0.75
    assert row['place error, mm'] < 3
    assert row['moving camera, rotation, °'] < 0.3
    assert row['moving camera, translation, mm'] < 3
    assert row['track AJ, mm'] > 0.6
    assert row['track error, mm'] < 3
    assert row['keypoints in 3D, mm'] < 25
    assert row['keypoints in 3D, PA, mm'] < 15
    clip = seen.episode(7).clip
    assert {(label.episode, label.task) for label in clip.labels} == {(7, 'lift the carton')}
    assert [label.last for label in clip.labels] == [False] * 16 + [True]
    conditions = build_conditions(clip, width=192, height=128)
    assert (conditions.coloured_state == 2)[0].sum() > 1000


def test_its_provenance_says_how(seen: Perceived) -> None:
    """What was asked for, what measured the geometry, of what recording, with no weights."""
    assert seen.provenance.source == 'a lift'
    assert {name.split('/')[0] for name in seen.provenance.weights} == {'mediapipe-hands'}
    used = seen.provenance.config
    assert (used['masks_method'], used['geometry_method'], used['metric']) == ('motion', 'measured depth', True)


def test_same_footage_same_result(seen: Perceived) -> None:
    """Nothing depends on chance or on what was perceived before."""
    again = Perceiver(PerceptionConfig(task='lift the carton', geometry='depth', masks='motion'))(lift()[0], 'a lift')
    assert np.array_equal(again.segmentation.instance, seen.segmentation.instance)
    assert np.array_equal(again.tracks.pixels, seen.tracks.pixels, equal_nan=True)
    assert again.clip is not None
    assert seen.clip is not None
    assert np.array_equal(again.clip.points, seen.clip.points)


def test_hands_of_a_detector_of_one_s_own_become_labels(tmp_path: Path) -> None:
    """In pixels as it says, in 3D from the measured depth, and meshes in the bag; weights that were not used are not in
    the provenance."""
    for side in ('left', 'right'):
        write_rig(tmp_path / f'{side}.glb')
    footage, truth = lift()
    true = np.stack([label.hands.keypoints_m[0] for label in truth.labels])
    pixels = np.stack([label.hands.pixels for label in truth.labels])
    turns = np.stack([camera.T_world_cam[:3, :3] for camera in truth.cameras])
    shape = ((true - true.mean(1, keepdims=True)) @ turns)[:, None].astype(np.float32)
    hands = Hands(('right',), pixels, shape, np.ones((len(true), 1), np.float32))
    asked = PerceptionConfig(geometry='depth', masks='motion', hand_meshes=str(tmp_path))
    seen = Perceiver(asked, lambda rgb: hands)(footage, 'a lift')
    assert sorted(seen.provenance.weights) == ['hand_meshes/left.glb', 'hand_meshes/right.glb']
    assert seen.clip is not None
    assert {label.hands.sides for label in seen.clip.labels} == {('right',)}
    assert np.array_equal(np.stack([label.hands.pixels for label in seen.clip.labels]), pixels)
    found = np.stack([label.hands.keypoints_m[0] for label in seen.clip.labels])
    off = np.linalg.norm(found - apply(invert(truth.cameras[0].T_world_cam), true), axis=-1)
    assert np.isfinite(off).all(1).mean() > 0.8
    assert np.nanmedian(off) < 0.012
    write_episode(tmp_path / 'bag', seen.episode(0))
    with EpisodeReader(tmp_path / 'bag') as reader:
        scene = reader.scene()
    assert [asset.id for asset in scene.assets] == ['right_hand']
    placed = [frame.vertices.get('right_hand') for frame in scene.mesh_frames]
    assert sum(vertices is not None for vertices in placed) > len(true) / 2
    assert read_recorded(tmp_path / 'bag').assets == ()  # of the rest of the scene there are none


def test_plain_rgb_is_refused_a_point_map() -> None:
    """Boxes, masks and tracks are there; the point map is not, and the reason names the command and the licence."""
    footage = lift()[0]
    seen = Perceiver(PerceptionConfig())(Footage(footage.stamps_ns, footage.rgb, None, None), 'a lift')
    assert seen.clip is None
    assert seen.geometry is None
    assert seen.tracks.places is None
    assert 'hoigen models fetch vggt' in seen.reason
    assert 'non-commercial' in seen.reason
    assert seen.tracks.visible.mean() > 0.3


@pytest.mark.parametrize('asked', [{'geometry': 'vggt'}, {'masks': 'sam2'}, {'tracker': 'vggt'}])
def test_a_back_end_without_weights_is_refused_at_once(asked: dict[str, str]) -> None:
    """Asked for by name it is not replaced by another: the error says what to fetch, before any frame is read."""
    with pytest.raises(MissingWeights, match='hoigen models fetch'):
        Perceiver(PerceptionConfig(**asked))  # type: ignore[arg-type]


def test_one_frame_is_too_few() -> None:
    footage = lift()[0]
    one = Footage(footage.stamps_ns[:1], footage.rgb[:1], None, None)
    with pytest.raises(PerceptionError, match='a photo: expected at least 2 frames, to see what moves, got 1'):
        Perceiver(PerceptionConfig())(one, 'a photo')


def test_depth_that_was_asked_for_must_be_there() -> None:
    footage = lift()[0]
    with pytest.raises(PerceptionError, match='depth'):
        Perceiver(PerceptionConfig(geometry='depth'))(replace(footage, depth_m=None), 'a lift')


def test_nothing_moves_nothing_is_marked() -> None:
    """A still picture of the scene shows nobody at work: empty masks, said in the notes; nothing is made up."""
    footage = lift()[0]
    assert footage.depth_m is not None
    still = Footage(
        footage.stamps_ns[:6], np.repeat(footage.rgb[:1], 6, 0), np.repeat(footage.depth_m[:1], 6, 0), footage.K
    )
    seen = Perceiver(PerceptionConfig())(still, 'a still')
    assert not seen.segmentation.instance.any()
    assert seen.notes == ('no hand in view', 'no object in view')
    assert seen.clip is None
    assert seen.reason == NOBODY


def test_gaps_are_told(seen: Perceived) -> None:
    """Frames are named in runs; a pause in the recording is told with its length."""
    assert spans(np.array([1, 0, 1, 1, 1, 0, 0, 1], bool)) == '0, 2-4, 7'
    footage = lift()[0]
    stamps = footage.stamps_ns.copy()
    stamps[9:] += 2_000_000_000
    late = Perceiver(PerceptionConfig())(replace(footage, stamps_ns=stamps), 'a lift')
    assert any('2.12 s pass between frames 8 and 9' in note for note in late.notes)


def test_noisy_depth_is_what_it_says() -> None:
    """Errors of the size of the disparity's noise, holes at jumps, known steps; other depths are other recordings."""
    footage, truth = lift()
    assert footage.K is not None
    depth = noisy_depth(truth.depth_m[0], footage.K[0, 0], np.random.default_rng(0))
    off = np.abs(depth - truth.depth_m[0])[np.isfinite(depth)]
    expected = np.median(truth.depth_m[0]) ** 2 / (footage.K[0, 0] * 0.05) * 0.1
    assert 0.3 * expected < np.median(off) < 2 * expected
    assert 0.05 < np.isnan(depth).mean() < 0.35
    assert recorded(footage, 'none', 0).depth_m is None
