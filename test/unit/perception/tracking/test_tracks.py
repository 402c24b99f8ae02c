"""Points are followed to millimetres, said to be seen only where they are, and have a place even where they are not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from textured_scene import HEIGHT, WIDTH, Scene, exact_geometry, textured_scene

from hoigen.conventions import HAND, OBJECT, ROLE_CODE
from hoigen.geometry.camera import project
from hoigen.geometry.transforms import apply, invert
from hoigen.perception.flow import measure_flow
from hoigen.perception.records import Flow, Geometry, PerceptionError, Segmentation, Tracks
from hoigen.perception.tracking.lift_depth import depth_at
from hoigen.perception.tracking.lift_holes import fill_holes
from hoigen.perception.tracking.lift_local import carry_hidden
from hoigen.perception.tracking.odometry import measured_geometry
from hoigen.perception.tracking.rigid_object import follow_object
from hoigen.perception.tracking.tracks import FollowConfig, follow, found_again, scene_reprojection_px

POINTS = FollowConfig(points=1500)


@pytest.fixture(scope='module')
def scene() -> Scene:
    return textured_scene(frames=8, sway_m=0.08)


@pytest.fixture(scope='module')
def geometry(scene: Scene) -> Geometry:
    return exact_geometry(scene)


@pytest.fixture(scope='module')
def tracks(scene: Scene, geometry: Geometry) -> Tracks:
    return follow(scene.footage, measure_flow(scene.footage.rgb), scene.segmentation, geometry, POINTS)


def true_places(scene: Scene, tracks: Tracks) -> np.ndarray:
    """[T,M,3]: where the points that were chosen truly are."""
    starts = tracks.places[tracks.query, np.arange(len(tracks.query))].astype(float)
    places = np.repeat(starts[None], len(scene.cameras), axis=0)
    for m in np.flatnonzero(tracks.instance):
        own = apply(invert(scene.T_world_box[tracks.query[m]]), starts[m])
        places[:, m] = [apply(pose, own) for pose in scene.T_world_box]
    return places


def truly_seen(scene: Scene, tracks: Tracks, places: np.ndarray) -> np.ndarray:
    """[T,M] bool: inside the picture and not behind what the camera sees there."""
    seen = np.zeros(places.shape[:2], bool)
    for t, camera in enumerate(scene.cameras):
        pixels, depth = project(camera, places[t])
        inside = ((pixels > -0.5) & (pixels < (WIDTH - 0.5, HEIGHT - 0.5))).all(axis=1)
        column, row = np.rint(np.where(inside[:, None], pixels, 0)).astype(int).T
        own = scene.segmentation.instance[t, row, column] == tracks.instance
        seen[t] = inside & own & (depth < scene.footage.depth_m[t, row, column] + 0.01)
    return seen


def errors_mm(scene: Scene, tracks: Tracks, which: np.ndarray) -> np.ndarray:
    """Of the points that are said to be seen, among those ``which`` [M]."""
    apart = 1000 * np.linalg.norm(tracks.places - true_places(scene, tracks), axis=-1)
    return apart[:, which][tracks.visible[:, which]]


def test_the_standing_scene_has_one_place_for_all_frames(scene: Scene, tracks: Tracks) -> None:
    floor = tracks.instance == 0
    assert floor.sum() > 200
    assert np.array_equal(tracks.places[:, floor], np.repeat(tracks.places[:1, floor], len(tracks.places), axis=0))
    assert np.quantile(errors_mm(scene, tracks, floor), 0.99) < 1


def test_a_rigid_object_carries_its_points(scene: Scene, tracks: Tracks) -> None:
    """A pixel is 3 mm here: the object's pose must come from all of it, not from single points."""
    box = tracks.instance == 1
    assert box.sum() > 200
    assert np.quantile(errors_mm(scene, tracks, box), 0.95) < 1.5


def test_points_are_said_to_be_seen_where_they_are(scene: Scene, tracks: Tracks) -> None:
    """Hidden by the box, on its far side, or out of view: each must be told."""
    true = truly_seen(scene, tracks, true_places(scene, tracks))
    assert tracks.visible[true].mean() > 0.98
    assert (~true).sum() > 300
    assert tracks.visible[~true].mean() < 0.1
    assert np.isfinite(tracks.pixels[tracks.visible]).all()
    assert np.isnan(tracks.pixels[~tracks.visible]).all()
    assert np.isfinite(tracks.places).all()


def test_what_appears_later_is_given_points(scene: Scene, tracks: Tracks) -> None:
    assert (tracks.query > 0).any()
    assert tracks.visible[tracks.query, np.arange(len(tracks.query))].all()


def test_exactly_as_many_points_as_asked_for(scene: Scene, geometry: Geometry, tracks: Tracks) -> None:
    """A generator reads a fixed number: they lie between the pixels where there are more of them than pixels."""
    assert [int((tracks.instance == i).sum()) for i in (0, 1)] == [682, 818]  # .25 and .30 of the parts that are there
    small = Segmentation(scene.segmentation.role, np.zeros_like(scene.segmentation.instance))
    small.instance[:, 80:84, 118:122] = scene.segmentation.instance[:, 80:84, 118:122]
    few = follow(scene.footage, measure_flow(scene.footage.rgb), small, geometry, POINTS)
    assert len(few.query) == POINTS.points
    starts = few.pixels[few.query, np.arange(len(few.query))]
    assert len(np.unique(np.column_stack([few.query, starts]), axis=0)) == POINTS.points
    blind = replace(geometry, confidence=np.zeros_like(geometry.confidence))
    assert not len(follow(scene.footage, measure_flow(scene.footage.rgb), small, blind, POINTS).query)


def test_a_hand_is_followed_in_pieces(scene: Scene, geometry: Geometry) -> None:
    """What is called a hand is not taken to be rigid as a whole, and yet its points stay on it."""
    hand = Segmentation(np.array([ROLE_CODE[HAND]], np.uint8), scene.segmentation.instance)
    tracks = follow(scene.footage, measure_flow(scene.footage.rgb), hand, geometry, POINTS)
    errors = errors_mm(scene, tracks, tracks.instance == 1)
    assert len(errors) > 1500
    assert np.median(errors) < 1.5
    assert np.quantile(errors, 0.9) < 6


def test_a_hand_behind_something_is_hidden(scene: Scene, geometry: Geometry) -> None:
    """Something comes in front of half of the hand, in the masks and in depth: no point there is said to be seen."""
    instance, depth = scene.segmentation.instance.copy(), geometry.depth_m.copy()
    middle = int(np.median(np.nonzero(instance[3])[1]))
    for t in (3, 4, 5):
        instance[t, :, :middle], depth[t, :, :middle] = 2, 0.3
    covered = Segmentation(np.array([ROLE_CODE[HAND], ROLE_CODE[OBJECT]], np.uint8), instance)
    tracks = follow(scene.footage, measure_flow(scene.footage.rgb), covered, replace(geometry, depth_m=depth), POINTS)
    hand = (tracks.instance == 1) & (tracks.query == 0)
    for t in (3, 4, 5):
        pixels = project(scene.cameras[t], tracks.places[t, hand].astype(float))[0]
        behind = pixels[:, 0] < middle - 1
        assert behind.sum() > 30
        assert not tracks.visible[t, hand][behind].any()
    assert tracks.visible[7, hand].mean() > 0.6  # and found again behind it


def test_an_object_that_leaves_is_hidden_and_does_not_jump(scene: Scene, geometry: Geometry) -> None:
    instance = scene.segmentation.instance.copy()
    instance[5:] = 0
    gone = Segmentation(scene.segmentation.role, instance)
    tracks = follow(scene.footage, measure_flow(scene.footage.rgb), gone, geometry, POINTS)
    box = tracks.instance == 1
    assert tracks.visible[4, box].any()
    assert not tracks.visible[5:, box].any()
    steps = np.linalg.norm(np.diff(tracks.places[:, box], axis=0), axis=-1)
    assert steps.max() < 0.06


def test_without_hand_and_object_there_is_the_scene(scene: Scene, geometry: Geometry) -> None:
    empty = Segmentation(np.zeros(0, np.uint8), np.zeros_like(scene.segmentation.instance))
    tracks = follow(scene.footage, measure_flow(scene.footage.rgb), empty, geometry, POINTS)
    assert len(tracks.query) > 300
    assert not tracks.instance.any()


def test_an_object_without_depth_has_no_points(scene: Scene, geometry: Geometry) -> None:
    """Where nothing was measured nothing is invented; the scene around is followed as ever."""
    box = scene.segmentation.instance == 1
    blind = replace(
        geometry,
        depth_m=np.where(box, np.float32(np.nan), geometry.depth_m),
        confidence=np.where(box, np.float32(0), geometry.confidence),
    )
    tracks = follow(scene.footage, measure_flow(scene.footage.rgb), scene.segmentation, blind, POINTS)
    assert not (tracks.instance == 1).any()
    assert np.isfinite(tracks.places).all()
    assert len(tracks.query) > 200


def test_noise_and_holes_cost_little(scene: Scene) -> None:
    rng = np.random.default_rng(0)
    depth = scene.footage.depth_m * rng.normal(1, 0.003, scene.footage.depth_m.shape).astype(np.float32)
    for t in range(len(depth)):
        for row, column in rng.integers((0, 0), (HEIGHT - 9, WIDTH - 9), (90, 2)):
            depth[t, row : row + 9, column : column + 9] = np.nan
    footage = replace(scene.footage, depth_m=depth)
    flow = measure_flow(footage.rgb)
    tracks = follow(footage, flow, scene.segmentation, measured_geometry(footage, flow), POINTS)
    assert np.isfinite(tracks.places).all()
    for instance in (0, 1):
        assert np.median(errors_mm(scene, tracks, tracks.instance == instance)) < 2.5
        assert tracks.visible[:, tracks.instance == instance].mean() > 0.5


def test_without_geometry_points_are_followed_in_the_picture(scene: Scene) -> None:
    tracks = follow(scene.footage, measure_flow(scene.footage.rgb), scene.segmentation, None, POINTS)
    assert tracks.places is None
    starts = tracks.pixels[tracks.query, np.arange(len(tracks.query))]
    assert np.isfinite(starts).all()
    first = np.flatnonzero(tracks.visible[:4].all(axis=0) & (tracks.query == 0))
    column, row = starts[first].astype(int).T
    places = np.stack(
        [
            apply(scene.cameras[0].T_world_cam, np.append(p, 1) @ np.linalg.inv(scene.footage.K).T * z)
            for p, z in zip(starts[first], scene.footage.depth_m[0, row, column], strict=True)
        ]
    )
    box = tracks.instance[first] == 1
    places[box] = apply(scene.T_world_box[3] @ invert(scene.T_world_box[0]), places[box])
    off = np.linalg.norm(project(scene.cameras[3], places)[0] - tracks.pixels[3, first], axis=1)
    assert len(first) > 300
    assert np.median(off) < 0.5


def test_a_tracker_may_stand_in_for_the_flow(scene: Scene, geometry: Geometry) -> None:
    """A hand followed by something exact is lifted from its pixels, and keeps places while it is not followed."""
    hand = Segmentation(np.array([ROLE_CODE[HAND]], np.uint8), scene.segmentation.instance)

    def exact(footage: object, pixels: np.ndarray, query: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        column, row = np.rint(pixels).astype(int).T
        out = np.empty((len(scene.cameras), len(query), 2), np.float32)
        for m, q in enumerate(query):
            ray = np.append(pixels[m], 1) @ np.linalg.inv(scene.footage.K).T
            place = apply(scene.cameras[q].T_world_cam, ray * scene.footage.depth_m[q, row[m], column[m]])
            for t, camera in enumerate(scene.cameras):
                moves = scene.T_world_box[t] @ invert(scene.T_world_box[q])
                is_box = scene.segmentation.instance[q, row[m], column[m]]
                out[t, m] = project(camera, apply(moves, place) if is_box else place)[0]
        return out, np.random.default_rng(0).random(out.shape[:2]) < 0.8

    flow = measure_flow(scene.footage.rgb)
    tracks = follow(scene.footage, flow, hand, geometry, FollowConfig(points=400), exact)
    errors = errors_mm(scene, tracks, tracks.instance == 1)
    assert len(errors) > 200
    assert np.median(errors) < 1

    def beside(footage: object, pixels: np.ndarray, query: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return exact(footage, pixels, query)[0] + np.float32(200), np.ones((len(scene.cameras), len(query)), bool)

    off = follow(scene.footage, flow, hand, None, FollowConfig(points=400), beside)
    assert (off.visible[:, off.instance == 1].sum(axis=0) == 1).all()  # beside its own mask a point is not believed
    with pytest.raises(PerceptionError, match='tracker: expected pixels'):
        follow(scene.footage, flow, hand, geometry, POINTS, lambda footage, pixels, query: (pixels, query))


def test_one_frame_is_enough_for_points(scene: Scene, geometry: Geometry) -> None:
    one = replace(
        scene.footage,
        stamps_ns=scene.footage.stamps_ns[:1],
        rgb=scene.footage.rgb[:1],
        depth_m=scene.footage.depth_m[:1],
    )
    none = np.zeros((0, HEIGHT, WIDTH, 2), np.float32)
    flow = Flow(none, none, none[..., 0].astype(bool), none[..., 0].astype(bool))
    first = Geometry(geometry.cameras[:1], geometry.depth_m[:1], geometry.confidence[:1], 'truth', metric=True)
    for role in (scene.segmentation.role, np.array([ROLE_CODE[HAND]], np.uint8)):
        tracks = follow(one, flow, Segmentation(role, scene.segmentation.instance[:1]), first, POINTS)
        assert tracks.places.shape == (1, len(tracks.query), 3)
        assert tracks.visible.all()


def test_the_same_footage_gives_the_same_points(scene: Scene, geometry: Geometry, tracks: Tracks) -> None:
    again = follow(scene.footage, measure_flow(scene.footage.rgb), scene.segmentation, geometry, POINTS)
    assert np.array_equal(again.places, tracks.places)
    assert np.array_equal(again.visible, tracks.visible)


def test_the_unit_of_length_does_not_matter(scene: Scene, geometry: Geometry, tracks: Tracks) -> None:
    """A point map of unknown scale is lifted like one in metres: every limit is a part of a depth or in pixels."""
    cameras = []
    for camera in geometry.cameras:
        pose = camera.T_world_cam.copy()
        pose[:3, 3] *= 7
        cameras.append(replace(camera, T_world_cam=pose))
    larger = Geometry(tuple(cameras), geometry.depth_m * np.float32(7), geometry.confidence, 'scaled', metric=False)
    again = follow(scene.footage, measure_flow(scene.footage.rgb), scene.segmentation, larger, POINTS)
    assert (again.visible == tracks.visible).mean() > 0.999
    assert np.allclose(again.places / 7, tracks.places, atol=1e-3)


def test_an_object_that_is_somewhere_else_is_not_believed(scene: Scene) -> None:
    """Pictures far apart in time: a pose that explains nothing must not be given for the one that it is."""
    rgb = scene.footage.rgb.copy()
    box = scene.segmentation.instance == 1
    rgb[4][box[4]] = np.random.default_rng(0).integers(0, 255, (int(box[4].sum()), 3))
    depth = np.where(box, scene.footage.depth_m, np.float32(np.nan))
    poses = follow_object(scene.footage.K, rgb, depth, box, measure_flow(rgb))
    assert 4 not in poses
    assert {0, 1, 2, 3} <= poses.keys()


def test_the_pictures_confirm_standing_points(scene: Scene, tracks: Tracks) -> None:
    """Measured without cameras and depth: right ones agree with it, and half a pixel each way shows."""
    floor = tracks.instance == 0
    off = np.linalg.norm(found_again(scene.footage, tracks, floor) - tracks.pixels, axis=-1)
    found = off[np.isfinite(off)]
    assert len(found) > 1000
    assert np.median(found) < 0.2
    assert np.isnan(off[:, ~floor]).all()
    hidden = floor & (tracks.query == 0) & ~tracks.visible[7]
    claimed = replace(
        tracks,
        visible=np.ones_like(tracks.visible),
        pixels=np.stack(
            [project(camera, at.astype(float))[0] for camera, at in zip(scene.cameras, tracks.places, strict=True)]
        ).astype(np.float32),
    )
    assert np.isfinite(found_again(scene.footage, claimed, hidden)[7, hidden, 0]).mean() < 0.3
    wrong = tracks.pixels.copy()
    wrong[3] += 0.5
    measured = found_again(scene.footage, replace(tracks, pixels=wrong), floor & (tracks.query == 0))
    assert 0.6 < np.nanmedian(np.linalg.norm(measured[3] - wrong[3], axis=-1)) < 0.8


def test_reprojection_tells_true_cameras_from_wrong_ones(scene: Scene, geometry: Geometry, tracks: Tracks) -> None:
    """Small for the true motion; as large as the picture moves if the camera is taken to stand still; unknown where
    nothing can be found again. The points' own pixels do not count: whoever projects wrong places agrees with them."""
    right = scene_reprojection_px(scene.footage, tracks, geometry)
    assert right[0] < 0.3
    assert right[1] > 0.3
    still = replace(geometry, cameras=scene.cameras[:1] * len(scene.cameras))
    wrong = scene_reprojection_px(scene.footage, tracks, still)
    assert wrong[0] > 2 or wrong[1] < 0.5 * right[1]
    plain = replace(scene.footage, rgb=np.zeros_like(scene.footage.rgb))
    for nothing in (
        scene_reprojection_px(scene.footage, replace(tracks, places=None), geometry),
        scene_reprojection_px(plain, tracks, geometry),
    ):
        assert np.isnan(nothing[0])
        assert nothing[1] == 0


def test_bad_settings_are_refused() -> None:
    with pytest.raises(PerceptionError, match='points'):
        FollowConfig(points=0)
    with pytest.raises(PerceptionError, match='hand_share'):
        FollowConfig(hand_share=0.8, object_share=0.3)


def test_depth_is_that_of_the_points_own_surface() -> None:
    """Exact between the pixels of a plane, blind to another instance and to a mixture at the silhouette."""
    across = np.arange(20)
    depth = np.tile(1 / (1 + 0.01 * across), (20, 1)).astype(np.float32)
    instance = np.zeros((20, 20), np.uint8)
    instance[:, 12:] = 1
    depth[:, 12:] = 0.3
    depth[:, 11] = 0.6
    own, pixels = np.zeros(3, np.uint8), np.array([[5.3, 7.6], [10.2, 4.0], [25.0, 3.0]])
    assert np.allclose(depth_at(depth, instance, own, pixels)[:2], 1 / (1 + 0.01 * pixels[:2, 0]), rtol=1e-5)
    assert np.isnan(depth_at(depth, instance, own, pixels)[2])
    assert np.isnan(depth_at(depth, instance, own + 1, pixels)[0])


def test_only_holes_within_one_surface_are_filled() -> None:
    plane = np.tile(1 / (1 + 0.002 * np.arange(60)), (40, 1)).astype(np.float32)[None]
    holed, instance = plane.copy(), np.zeros(plane.shape, np.uint8)
    holed[0, 10:18, 20:28] = np.nan  # inside
    holed[0, 30:, 40:] = np.nan  # open to the border
    instance[0, 5:9, 5:9] = 1
    holed[0, 5:9, 5:9] = np.nan  # another thing, unknown altogether
    filled = fill_holes(holed, instance)
    assert np.allclose(filled[0, 10:18, 20:28], plane[0, 10:18, 20:28], rtol=1e-5)
    assert np.isnan(filled[0, 30:, 40:]).all()
    assert np.isnan(filled[0, 5:9, 5:9]).all()
    step = plane.copy()
    step[0, :, 24:] *= 1.5
    step[0, 10:18, 20:28] = np.nan
    assert np.isnan(fill_holes(step, np.zeros_like(instance))[0, 10:18, 20:28]).all()


def test_hidden_points_move_with_what_is_seen_around_them() -> None:
    """A rigid turn is continued exactly, forwards, backwards and over a gap in between."""
    rng = np.random.default_rng(0)
    body, angle = rng.normal(0, 0.05, (60, 3)), np.linspace(0, 0.5, 6)
    true = np.stack(
        [body @ np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]]).T + a for a in angle]
    )
    places = true.copy()
    places[3:, 0] = np.nan
    places[:3, 1] = np.nan
    places[2:4, 2] = np.nan
    assert np.allclose(carry_hidden(places), true, atol=1e-9)
    alone = true[:, :2].copy()
    alone[2:, 0] = np.nan
    assert np.array_equal(carry_hidden(alone)[2:, 0], np.repeat(true[1:2, 0], 4, axis=0))
