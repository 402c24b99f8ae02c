"""How an object is turned, read by synthesis: of drawn pictures the truth is known."""

import cv2
import numpy as np
import pytest
from scipy.spatial import ConvexHull
from scipy.spatial.transform import Rotation

from hoigen.geometry.shading import draw
from hoigen.geometry.transforms import rigid
from hoigen.metrics.editing import EditTruth
from hoigen.metrics.editing_orientation import ACCURATE_DEG, OrientationReader
from hoigen.records import Camera, MeshAsset

SIZE = 64
CAMERA = Camera(np.array([[90.0, 0, 31.5], [0, 90, 31.5], [0, 0, 1]]), SIZE, SIZE, np.eye(4))
PLACE = np.array([0.02, -0.01, 0.5])
COLOURS = ((220, 40, 40), (40, 200, 60), (50, 70, 230), (230, 210, 40), (220, 60, 220), (40, 220, 220))


def box(colours: tuple[tuple[int, int, int], ...]) -> MeshAsset:
    """A box with a colour for each of its six sides."""
    vertices, triangles, uv = [], [], []
    for side in range(6):
        axis, sign = side // 2, side % 2 * 2 - 1
        others = [a for a in range(3) if a != axis]
        for across, up in ((-1, -1), (1, -1), (1, 1), (-1, 1)):
            corner = np.zeros(3)
            corner[axis], corner[others[0]], corner[others[1]] = sign, across, up
            vertices.append(corner * (0.05, 0.04, 0.06))
            uv.append([(side + 0.5) / 6, 0.5])
        first = 4 * side
        triangles += [[first, first + 1, first + 2], [first, first + 2, first + 3]]
    texture = np.repeat(np.repeat(np.array(colours, np.uint8)[None], 6, 1), 8, 0)
    return MeshAsset(
        'box',
        'object',
        np.array(vertices, np.float32),
        np.array(triangles, np.int32),
        np.array(uv, np.float32),
        texture,
    )


def truth_of(asset: MeshAsset, rotation: np.ndarray, board: bool = False) -> EditTruth:
    """The asset before a wall; with a board before its left half."""
    wall = np.random.default_rng(0).integers(120, 140, (SIZE, SIZE, 3)).astype(np.uint8)
    depth = np.ones((SIZE, SIZE), np.float32)
    if board:
        wall[:, :34], depth[:, :34] = (90, 60, 30), 0.2
    view = draw(asset, rigid(rotation, PLACE), CAMERA)
    shown = view.mask & (view.depth_m < depth)
    rgb = np.where(shown[..., None], view.rgb, wall)
    return EditTruth(rgb, wall, np.where(view.mask[..., None], view.rgb, wall), view.mask, view.depth_m, depth, shown)


def painted(asset: MeshAsset, rotation: np.ndarray, truth: EditTruth) -> np.ndarray:
    """The asset in the truth's scene, turned so."""
    return truth_of(asset, rotation, board=bool(truth.scene_depth_m.min() < 0.5)).rgb


ROTATIONS = Rotation.random(3, random_state=4).as_matrix()


@pytest.mark.parametrize('rotation', ROTATIONS, ids=('first', 'second', 'third'))
def test_true_and_wrong_orientations_are_told(rotation) -> None:
    """A box of six colours is read to a few degrees, brighter, darker and soft too; turned by 60 or 90 degrees it is
    read as turned so."""
    asset, truth = box(COLOURS), truth_of(box(COLOURS), rotation)
    reader = OrientationReader(asset, rigid(rotation, PLACE), CAMERA, truth)
    assert reader.tells
    assert len(reader.alike) < 4
    assert reader.error_deg(truth.rgb) < 20
    dim = np.where(truth.visible[..., None], cv2.GaussianBlur(truth.rgb * 0.7, (0, 0), 1), truth.without)
    assert reader.error_deg(dim.astype(np.uint8)) < 20
    for degrees, axis in ((60, (0, 0, 1)), (90, (1, 0, 0)), (90, (0, 1, 0))):
        wrong = rotation @ Rotation.from_rotvec(degrees * np.array(axis), degrees=True).as_matrix()
        assert reader.error_deg(painted(asset, wrong, truth)) == pytest.approx(degrees, abs=20)


def test_a_half_hidden_object_is_read_by_what_is_seen() -> None:
    """What stands before it is not mistaken for it."""
    asset, truth = box(COLOURS), truth_of(box(COLOURS), ROTATIONS[0], board=True)
    reader = OrientationReader(asset, rigid(ROTATIONS[0], PLACE), CAMERA, truth)
    assert 0.2 < truth.visible.sum() / truth.outline.sum() < 0.8
    assert reader.error_deg(truth.rgb) < 15
    wrong = ROTATIONS[0] @ Rotation.from_euler('x', 90, degrees=True).as_matrix()
    assert reader.error_deg(painted(asset, wrong, truth)) > ACCURATE_DEG


def test_nothing_painted_is_no_orientation() -> None:
    """The bare wall says nothing, so that what is read from it is right by chance at most."""
    errors = []
    for rotation in ROTATIONS:
        asset, truth = box(COLOURS), truth_of(box(COLOURS), rotation)
        errors.append(OrientationReader(asset, rigid(rotation, PLACE), CAMERA, truth).error_deg(truth.without))
    assert max(errors) > ACCURATE_DEG


def test_what_looks_alike_counts_as_right() -> None:
    """A box with equal opposite sides, upside down, is no fault that could be seen; with one side of another colour it
    is."""
    upside_down = ROTATIONS[0] @ Rotation.from_euler('x', 180, degrees=True).as_matrix()
    same = tuple(COLOURS[side // 2 * 2] for side in range(6))
    found = {}
    for name, colours in (('same', same), ('others', COLOURS)):
        asset, truth = box(colours), truth_of(box(colours), ROTATIONS[0])
        reader = OrientationReader(asset, rigid(ROTATIONS[0], PLACE), CAMERA, truth)
        found[name] = reader.error_deg(painted(asset, upside_down, truth))
    assert found['same'] < 15
    assert found['others'] > 150


def test_an_object_that_looks_the_same_from_everywhere_tells_nothing() -> None:
    """A ball of one colour is left out rather than counted as right."""
    golden, k = np.pi * (3 - np.sqrt(5)), np.arange(400)
    up = 1 - (2 * k + 1) / 400
    flat = np.sqrt(1 - up**2)
    points = 0.05 * np.stack([flat * np.cos(k * golden), flat * np.sin(k * golden), up], 1)
    ball = MeshAsset(
        'ball',
        'object',
        points.astype(np.float32),
        ConvexHull(points).simplices.astype(np.int32),
        np.full((400, 2), 0.5, np.float32),
        np.full((4, 4, 3), (220, 40, 40), np.uint8),
    )
    reader = OrientationReader(ball, rigid(np.eye(3), PLACE), CAMERA, truth_of(ball, np.eye(3)))
    assert not reader.tells
    assert reader.chance > 0.9
