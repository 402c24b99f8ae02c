"""What was perceived becomes a clip that the rest of the project reads like a simulator's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from textured_scene import HEIGHT, WIDTH, Scene, exact_geometry, textured_scene

from hoigen.conditioning.conditions import build_conditions
from hoigen.conventions import HAND, OBJECT, ROLE_CODE
from hoigen.geometry.transforms import invert
from hoigen.perception.clip import CONTACT_M, build_recorded_clip
from hoigen.perception.flow import measure_flow
from hoigen.perception.records import Geometry, Hands, PerceptionError, Segmentation, Tracks
from hoigen.perception.tracking.tracks import FollowConfig, follow
from hoigen.records import Clip


def some_hands() -> Hands:
    """A left hand that is not seen in frame 2, and two right ones."""
    pixels = np.random.default_rng(0).uniform(0, 100, (6, 3, 21, 2)).astype(np.float32)
    pixels[2, 0] = np.nan
    shape = np.repeat(pixels[..., :1], 3, -1)
    return Hands(('left', 'right', 'right'), pixels, shape, np.isfinite(pixels[..., 0, 0]).astype(np.float32))


HANDS = some_hands()


@pytest.fixture(scope='module')
def scene() -> Scene:
    return textured_scene(frames=6, sway_m=0.05)


@pytest.fixture(scope='module')
def geometry(scene: Scene) -> Geometry:
    return exact_geometry(scene)


@pytest.fixture(scope='module')
def tracks(scene: Scene, geometry: Geometry) -> Tracks:
    flow = measure_flow(scene.footage.rgb)
    return follow(scene.footage, flow, scene.segmentation, geometry, FollowConfig(points=2000))


@pytest.fixture(scope='module')
def recorded(scene: Scene, geometry: Geometry, tracks: Tracks) -> Clip:
    return build_recorded_clip(scene.footage, HANDS, scene.segmentation, geometry, tracks, 'push the parcel')


def test_the_clip_holds_what_was_perceived(scene: Scene, recorded: Clip, tracks: Tracks) -> None:
    assert recorded.labels[0].task == 'push the parcel'
    assert [label.last for label in recorded.labels] == [False] * 5 + [True]
    assert np.array_equal(recorded.mask == ROLE_CODE[OBJECT], scene.segmentation.instance == 1)
    assert np.array_equal(recorded.points, tracks.places)
    assert np.isin(recorded.tracks[0], recorded.points[0]).all()


def test_labels_hold_the_pixels_of_each_side_s_first_hand(recorded: Clip) -> None:
    """A bystander's second right hand is no label, and a hand that is not seen has none."""
    for t, label in enumerate(recorded.labels):
        assert label.hands.sides == ('left', 'right')
        assert np.array_equal(label.hands.pixels, HANDS.keypoints_px[t, [0, 1]], equal_nan=True)
        assert np.isnan(label.hands.keypoints_m).all()
        assert not label.hands.known.any()
    assert np.isnan(recorded.labels[2].hands.pixels[0]).all()


def test_colours_are_those_of_the_first_frame(scene: Scene, recorded: Clip, tracks: Tracks) -> None:
    """Known where the first frame shows the point, and then what it shows; nowhere else."""
    assert recorded.point_rgb_known[tracks.visible[0]].mean() > 0.95
    assert not recorded.point_rgb_known[~tracks.visible[0]].any()
    whole = (np.abs(tracks.pixels[0] - np.rint(tracks.pixels[0])) < 0.01).all(axis=1)
    chosen = recorded.point_rgb_known & (tracks.query == 0) & whole
    assert chosen.sum() > 200
    column, row = np.rint(tracks.pixels[0, chosen]).astype(int).T
    off = np.abs(recorded.point_rgb[chosen].astype(int) - scene.footage.rgb[0, row, column])
    assert np.median(off) <= 1


def test_the_objects_pose_is_labelled(scene: Scene, recorded: Clip) -> None:
    """It turns and shifts as the box does; the frame is our own, so only the motion can be compared."""
    first = recorded.labels[0].T_world_object
    assert first is not None
    assert np.allclose(first[:3, :3], np.eye(3), atol=1e-9)
    for label, true in zip(recorded.labels, scene.T_world_box, strict=True):
        moved = label.T_world_object @ invert(first)
        wanted = true @ invert(scene.T_world_box[0])
        assert np.allclose(moved[:3, :3], wanted[:3, :3], atol=0.01)
        centre = np.append(first[:3, 3], 1)
        assert np.linalg.norm((moved @ centre - wanted @ centre)[:3]) < 0.002


def test_a_pose_that_is_not_sure_is_not_labelled(scene: Scene, geometry: Geometry, tracks: Tracks) -> None:
    """An object that is not seen, or whose points fly apart, has no pose."""
    box = tracks.instance == 1
    visible, places = tracks.visible.copy(), tracks.places.copy()
    visible[2, box] = False
    places[4, box] += np.random.default_rng(0).normal(0, 0.05, places[4, box].shape).astype(np.float32)
    clip = build_recorded_clip(
        scene.footage, HANDS, scene.segmentation, geometry, replace(tracks, visible=visible, places=places), ''
    )
    known = [label.T_world_object is not None for label in clip.labels]
    assert known == [True, True, False, True, False, True]


def test_contact_is_nearness_of_what_is_seen_in_metres(scene: Scene, geometry: Geometry, tracks: Tracks) -> None:
    """Half of the box is called a hand: contact is told at their border, both ways; hidden points have none."""
    instance = scene.segmentation.instance.copy()
    half = np.arange(WIDTH) < np.median(np.nonzero(instance[0])[1])
    instance[(instance == 1) & half] = 2
    both = Segmentation(np.array([ROLE_CODE[OBJECT], ROLE_CODE[HAND]], np.uint8), instance)
    column, row = np.nan_to_num(tracks.pixels[tracks.query, np.arange(len(tracks.query))]).astype(int).T
    split = replace(tracks, instance=instance[tracks.query, row, column])
    clip = build_recorded_clip(scene.footage, HANDS, both, geometry, split, '')
    touching = clip.point_contact[0]
    assert touching[clip.point_role == ROLE_CODE[HAND]].any()
    assert touching[clip.point_role == ROLE_CODE[OBJECT]].any()
    assert not touching[clip.point_role == 0].any()
    assert not clip.point_contact[~clip.point_visible].any()
    hand, other = (
        clip.points[0, (clip.point_role == ROLE_CODE[role]) & clip.point_visible[0]] for role in (HAND, OBJECT)
    )
    apart = np.linalg.norm(hand[:, None] - other, axis=-1).min(axis=1)
    seen_hand = touching[(clip.point_role == ROLE_CODE[HAND]) & clip.point_visible[0]]
    assert np.array_equal(seen_hand, apart <= CONTACT_M)
    unscaled = build_recorded_clip(scene.footage, HANDS, both, replace(geometry, metric=False), split, '')
    assert not unscaled.point_contact.any()


def test_conditions_are_built_of_it_despite_holes(scene: Scene, geometry: Geometry) -> None:
    """A tenth of the depth is missing: the pictures are as full as without holes, as they lie within surfaces."""
    depth = geometry.depth_m.copy()
    rng = np.random.default_rng(0)
    for t in range(len(depth)):
        for row, column in rng.integers((0, 0), (HEIGHT - 7, WIDTH - 7), (90, 2)):
            depth[t, row : row + 7, column : column + 7] = np.nan
    holed = replace(geometry, depth_m=depth, confidence=np.where(np.isnan(depth), np.float32(0), geometry.confidence))
    flow = measure_flow(scene.footage.rgb)
    tracks = follow(scene.footage, flow, scene.segmentation, holed, FollowConfig(points=2000))
    clip = build_recorded_clip(scene.footage, HANDS, scene.segmentation, holed, tracks, '')
    assert np.isnan(clip.depth_m).mean() < 0.3 * np.isnan(depth).mean()
    filled = np.isnan(depth) & ~np.isnan(clip.depth_m)
    assert np.quantile(np.abs(clip.depth_m / scene.footage.depth_m - 1)[filled], 0.99) < 0.01
    conditions = build_conditions(clip, width=96, height=64)
    box = conditions.mask == ROLE_CODE[OBJECT]
    assert (conditions.coloured_state[box] > 0).mean() > 0.9
    assert conditions.tracking[box].any(axis=-1).mean() > 0.9
    assert conditions.background_known.mean() > 0.7


def test_nothing_with_a_place_is_refused(scene: Scene, geometry: Geometry, tracks: Tracks) -> None:
    none = replace(tracks, places=None)
    empty = Tracks(
        tracks.pixels[:, :0], tracks.visible[:, :0], tracks.instance[:0], tracks.query[:0], tracks.places[:, :0]
    )
    for without in (none, empty):
        with pytest.raises(PerceptionError, match='points with places'):
            build_recorded_clip(scene.footage, HANDS, scene.segmentation, geometry, without, '')
