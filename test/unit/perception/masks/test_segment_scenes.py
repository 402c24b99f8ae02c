"""Masks without learned weights on small scenes of which every pixel is known: painted, and one simulated lift, seen by
a head that sways."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import pytest
from perceived_factory import hands_in
from simulated_scene import lift

from hoigen.conventions import HAND, OBJECT, ROLE_CODE
from hoigen.geometry.transforms import rigid
from hoigen.perception.flow import measure_flow
from hoigen.perception.masks.segment import find_boxes, segment
from hoigen.perception.records import Geometry, PerceptionError, Segmentation
from hoigen.records import Camera, Footage

WIDTH, HEIGHT, FRAMES, FOCAL = 320, 180, 16, 300.0
TABLE_M, BLOCK_M, HAND_M, THING_M = 1.0, 0.93, 0.85, 0.9
Way = Callable[[int], float]


@dataclass(frozen=True)
class Painted:
    footage: Footage
    geometry: Geometry
    mask: np.ndarray


def texture(seed: int, colour: tuple[int, int, int], strength: float) -> np.ndarray:
    """[400,700,3] uint8: blobs around one colour."""
    noise = np.random.default_rng(seed).normal(size=(400, 700, 1)).astype(np.float32)
    blobs = cv2.GaussianBlur(noise, (0, 0), 2.5)[..., None]
    return np.clip(np.array(colour) + strength * blobs / blobs.std(), 0, 255).astype(np.uint8)


def paint(hand: Way, thing: Way, camera: Way = lambda t: 0.0, shadow: bool = True, frames: int = FRAMES) -> Painted:
    """An arm from above, a disk and a block that always stands there, before a table.

    ``hand`` and ``thing`` give by frame how far across their middles are, in pixels of the camera's first place;
    ``camera`` how many metres it stands to the right of that.
    """
    tables = [
        texture(n, colour, strength)
        for n, (colour, strength) in enumerate(
            (((150, 140, 120), 22), ((60, 70, 170), 14), ((40, 150, 60), 25), ((180, 60, 50), 20))
        )
    ]
    v, u = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    rgb, depth, mask, cameras = [], [], [], []
    K = np.array([[FOCAL, 0, (WIDTH - 1) / 2], [0, FOCAL, (HEIGHT - 1) / 2], [0, 0, 1]])
    for t in range(frames):

        def layer(n: int, z: float, across: float, t: int = t) -> np.ndarray:
            return cv2.remap(tables[n], u + np.float32(FOCAL * camera(t) / z - across + 200), v + 100, cv2.INTER_LINEAR)

        def beside(z: float, across: float, t: int = t) -> np.ndarray:
            return u + FOCAL * camera(t) / z - across

        frame, z, role = layer(0, TABLE_M, 0), np.full((HEIGHT, WIDTH), TABLE_M, np.float32), np.zeros((HEIGHT, WIDTH))
        if shadow:
            dark = (np.abs(beside(TABLE_M, hand(t) + 34)) < 16) & (v < 115)
            frame = np.where(dark[..., None], (frame * 0.6).astype(np.uint8), frame)
        block = (np.abs(beside(BLOCK_M, 285)) < 14) & (v > 130)
        frame, z = np.where(block[..., None], layer(3, BLOCK_M, 285), frame), np.where(block, np.float32(BLOCK_M), z)
        disk = np.hypot(beside(THING_M, thing(t)), v - 105) < 22
        arm = (np.abs(beside(HAND_M, hand(t))) < 16) & (v < 95)
        for n, (where, distance, across) in enumerate(((arm, HAND_M, hand(t)), (disk, THING_M, thing(t))), 1):
            frame = np.where(where[..., None], layer(n, distance, across), frame)
            z, role = np.where(where, np.float32(distance), z), np.where(where, n, role)
        rgb.append(frame)
        depth.append(z)
        mask.append(role)
        cameras.append(Camera(K, WIDTH, HEIGHT, rigid(np.eye(3), np.array([camera(t) - camera(0), 0, 0]))))
    depths = np.stack(depth).astype(np.float32)
    geometry = Geometry(tuple(cameras), depths, np.ones_like(depths), 'measured depth', True)
    footage = Footage(np.arange(frames) * 60_000_000, np.stack(rgb), depths, K)
    return Painted(footage, geometry, np.stack(mask).astype(np.uint8))


def approach(t: int) -> float:
    """Comes to the disk at 150 from the left in six frames, then carries it to the right."""
    return 60 + 15.0 * min(t, 6) + 9.0 * max(t - 7, 0)


def carried(t: int) -> float:
    return 150 + 9.0 * max(t - 7, 0)


def cut(painted: Painted, depth: bool = True) -> Segmentation:
    return by_motion(painted.footage, painted.geometry if depth else None)


def by_motion(footage: Footage, geometry: Geometry | None) -> Segmentation:
    """Without keypoints: of a robot's hands, gloves, simulated ones."""
    return segment(footage, measure_flow(footage.rgb), geometry, hands_in(len(footage.rgb)), seed=0)


def overlap(found: np.ndarray, truth: np.ndarray, role: str) -> float:
    one, other = found == ROLE_CODE[role], truth == ROLE_CODE[role]
    return float((one & other).sum() / (one | other).sum())


@pytest.fixture(scope='module')
def picked_up() -> Painted:
    return paint(approach, carried)


def test_an_object_at_rest_that_is_carried_later_is_found_in_every_frame(picked_up: Painted) -> None:
    found = cut(picked_up).mask
    for t in range(FRAMES):
        assert overlap(found[t], picked_up.mask[t], OBJECT) > 0.8, f'frame {t}'
    assert overlap(found, picked_up.mask, HAND) > 0.85


def test_what_the_camera_does_is_not_motion() -> None:
    painted = paint(approach, carried, camera=lambda t: 0.006 * t)
    found = cut(painted).mask
    assert overlap(found, painted.mask, HAND) > 0.8
    assert overlap(found, painted.mask, OBJECT) > 0.8
    assert not found[:, 140:, 230:].any(), 'the block only seems to move'


def test_shadows_are_not_masked(picked_up: Painted) -> None:
    """Depth is blind to them; in plain pictures they are darker and keep their colour."""
    u = np.arange(WIDTH)
    for depth, share in ((True, 0.02), (False, 0.25)):
        found = cut(picked_up, depth).mask
        shaded = wrong = 0
        for t in range(FRAMES):
            dark = (np.abs(u - approach(t) - 34) < 14)[None] & (np.arange(HEIGHT) < 100)[:, None]
            dark = dark & (picked_up.mask[t] == 0)
            shaded, wrong = shaded + dark.sum(), wrong + (dark & (found[t] > 0)).sum()
        assert wrong < share * shaded, f'depth {depth}: {wrong} of {shaded}'


def test_holes_in_the_depth_are_filled_by_colour(picked_up: Painted) -> None:
    depth = picked_up.footage.depth_m.copy()
    rng = np.random.default_rng(5)
    for frame in depth:
        steps = cv2.dilate(frame, np.ones((3, 3))) - cv2.erode(frame, np.ones((3, 3))) > 0.02
        frame[cv2.dilate(steps.astype(np.uint8), np.ones((3, 7))) > 0] = np.nan
        frame[cv2.resize(rng.random((45, 80)), (WIDTH, HEIGHT), interpolation=cv2.INTER_NEAREST) < 0.08] = np.nan
    assert 0.1 < np.isnan(depth).mean() < 0.3
    confidence = np.isfinite(depth).astype(np.float32)
    geometry = Geometry(picked_up.geometry.cameras, depth, confidence, 'measured depth', True)
    found = by_motion(picked_up.footage, geometry).mask
    assert overlap(found, picked_up.mask, HAND) > 0.75
    assert overlap(found, picked_up.mask, OBJECT) > 0.75


def test_plain_pictures_show_the_hand_and_what_it_carries(picked_up: Painted) -> None:
    found = cut(picked_up, depth=False).mask
    assert overlap(found, picked_up.mask, HAND) > 0.7
    assert overlap(found, picked_up.mask, OBJECT) > 0.7


def test_an_object_that_leaves_is_a_gap_and_comes_back_under_its_number() -> None:
    def away(t: int) -> float:
        return 25.0 * (max(t - 7, 0) if t < 16 else max(24 - t, 0))

    painted = paint(lambda t: 60 + 15.0 * min(t, 6) + away(t), lambda t: 150 + away(t), frames=26)
    gone = ~(painted.mask == ROLE_CODE[OBJECT]).any((1, 2))
    assert 2 <= gone.sum() <= 8
    found = cut(painted)
    number = 1 + int(np.flatnonzero(found.role == ROLE_CODE[OBJECT])[0])
    assert (found.role == ROLE_CODE[OBJECT]).sum() == 1
    seen = (found.instance == number).sum((1, 2))
    assert (seen[gone] == 0).all()
    assert (seen[[0, 8, -1]] > 700).all()
    boxes = find_boxes(found)
    assert np.isnan(boxes.boxes[gone, number - 1]).all()
    assert np.isfinite(boxes.boxes[[0, -1], number - 1]).all()


@pytest.mark.parametrize('depth', [True, False])
def test_where_nothing_moves_there_is_no_instance(depth: bool) -> None:
    """A clear convention: no roles at all, no crash, nothing invented."""
    painted = paint(lambda t: 100.0, lambda t: 200.0)
    found = cut(painted, depth)
    assert len(found.role) == 0
    assert not found.instance.any()
    boxes = find_boxes(found)
    assert boxes.boxes.shape == (FRAMES, 0, 4)


def test_a_standing_thing_that_no_hand_touches_is_no_object() -> None:
    painted = paint(lambda t: 60 + 5.0 * t, lambda t: 260.0)
    found = cut(painted).mask
    assert not (found == ROLE_CODE[OBJECT]).any()
    assert overlap(found, np.where(painted.mask == 1, 1, 0), HAND) > 0.8


def test_one_frame_is_refused(picked_up: Painted) -> None:
    footage = picked_up.footage
    single = Footage(footage.stamps_ns[:1], footage.rgb[:1], None, None)
    flow = measure_flow(footage.rgb[:2])
    with pytest.raises(PerceptionError, match='expected at least 2 frames, to see what moves, got 1'):
        segment(single, flow, None, hands_in(1), 0)


def test_the_same_seed_gives_the_same_masks(picked_up: Painted) -> None:
    assert (cut(picked_up).instance == cut(picked_up).instance).all()


def test_boxes_lie_around_what_they_name(picked_up: Painted) -> None:
    found = find_boxes(cut(picked_up))
    for role in (HAND, OBJECT):
        i = int(np.flatnonzero(found.role == ROLE_CODE[role])[0])
        for t in range(FRAMES):
            v, u = np.nonzero(picked_up.mask[t] == ROLE_CODE[role])
            truth = u.min() - 0.5, v.min() - 0.5, u.max() + 0.5, v.max() + 0.5
            assert np.abs(found.boxes[t, i] - truth).max() < 7, (role, t)
    assert ((found.score >= 0) & (found.score <= 1)).all()


def test_a_lift_with_depth() -> None:
    """Sleeve and shadow are there as well: the sleeve is hand, the shadow is nothing."""
    footage, truth = lift()
    T_first_world = np.linalg.inv(truth.cameras[0].T_world_cam)
    cameras = tuple(Camera(c.K, c.width, c.height, T_first_world @ c.T_world_cam) for c in truth.cameras)
    geometry = Geometry(cameras, footage.depth_m, np.ones_like(footage.depth_m), 'measured depth', True)
    found = by_motion(footage, geometry)
    assert found.role.tolist() == [ROLE_CODE[HAND], ROLE_CODE[OBJECT]]
    assert overlap(found.mask, truth.mask, HAND) > 0.85
    assert overlap(found.mask, truth.mask, OBJECT) > 0.8


def test_a_lift_in_plain_pictures() -> None:
    """Eight frames a second without depth: the hand, with some of its sleeve missing."""
    footage, truth = lift()
    plain = Footage(footage.stamps_ns, footage.rgb, None, None)
    found = by_motion(plain, None)
    assert overlap(found.mask, truth.mask, HAND) > 0.6
