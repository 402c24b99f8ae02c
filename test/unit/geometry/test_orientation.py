"""Laws of the apparent orientation: it is a rotation in three angles, wherever in the frame the object is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from hoigen.geometry.orientation import Orientation, apparent, camera_at, rotation_of
from hoigen.geometry.transforms import angle_between, apply, invert, look_at, rigid
from hoigen.records import Camera

K = np.array([[80.0, 0, 31.5], [0, 80, 31.5], [0, 0, 1]])
turns = st.floats(-np.pi, np.pi)
elevations = st.floats(-np.pi / 2, np.pi / 2)
orientations = st.builds(Orientation, turns, elevations, turns)
places = st.tuples(*[st.floats(-1, 1)] * 3).map(np.array)


@settings(max_examples=200, deadline=None)
@given(orientations, places, st.floats(0.2, 3.0))
def test_a_camera_at_an_orientation_sees_it(orientation: Orientation, centre: np.ndarray, distance: float) -> None:
    """rotation_of and apparent are inverse, at the poles too, where two of the angles are one."""
    camera = camera_at(orientation, centre, distance, K, 64)
    seen = apparent(camera, rigid(np.eye(3), centre))
    assert angle_between(rotation_of(seen), rotation_of(orientation)) < 1e-5
    np.testing.assert_allclose(apply(invert(camera.T_world_cam), centre), [0, 0, distance], atol=1e-9)


@settings(max_examples=50, deadline=None)
@given(st.floats(-np.pi + 1e-3, np.pi - 1e-3), st.floats(-1.5, 1.5), st.floats(-np.pi + 1e-3, np.pi - 1e-3))
def test_away_from_the_poles_the_angles_themselves_come_back(azimuth: float, elevation: float, turn: float) -> None:
    """Not only the rotation that they make."""
    seen = apparent(camera_at(Orientation(azimuth, elevation, turn), np.zeros(3), 1.0, K, 64), np.eye(4))
    np.testing.assert_allclose((seen.azimuth, seen.elevation, seen.in_plane), (azimuth, elevation, turn), atol=1e-6)


@settings(max_examples=50, deadline=None)
@given(orientations, st.integers(0, 2**31 - 1), places)
def test_it_does_not_depend_on_the_world(orientation: Orientation, seed: int, shift: np.ndarray) -> None:
    """Camera and object carried together look as before."""
    camera, moved = (
        camera_at(orientation, np.zeros(3), 0.7, K, 64),
        rigid(Rotation.random(random_state=seed).as_matrix(), shift),
    )
    there = Camera(K, 64, 64, moved @ camera.T_world_cam)
    assert angle_between(rotation_of(apparent(there, moved)), rotation_of(apparent(camera, np.eye(4)))) < 1e-5


@settings(max_examples=50, deadline=None)
@given(orientations, st.floats(-0.6, 0.6), st.floats(-0.6, 0.6))
def test_it_does_not_depend_on_where_in_the_frame_the_object_is(
    orientation: Orientation, pan: float, tilt: float
) -> None:
    """A camera that turns away without moving sees the object at another pixel from the same side."""
    camera = camera_at(orientation, np.zeros(3), 0.7, K, 64)
    turned = Camera(
        K,
        64,
        64,
        camera.T_world_cam
        @ rigid(Rotation.from_euler('y', pan).as_matrix() @ Rotation.from_euler('x', tilt).as_matrix(), np.zeros(3)),
    )
    first, second = apparent(camera, np.eye(4)), apparent(turned, np.eye(4))
    viewer = [
        np.array(
            [np.cos(o.elevation) * np.cos(o.azimuth), np.cos(o.elevation) * np.sin(o.azimuth), np.sin(o.elevation)]
        )
        for o in (first, second)
    ]
    if abs(first.elevation) < 1.56:
        np.testing.assert_allclose(viewer[0], viewer[1], atol=1e-6)


@pytest.mark.parametrize(
    ('eye', 'azimuth', 'elevation'),
    [
        ((1.0, 0, 0), 0, 0),
        ((0, 1.0, 0), 90, 0),
        ((-1.0, 0, 0), 180, 0),
        ((0, -1.0, 0), -90, 0),
        ((1.0, 0, 1.0), 0, 45),
        ((0, 1.0, -1.0), 90, -45),
    ],
)
def test_directions_have_their_names(eye: tuple[float, float, float], azimuth: float, elevation: float) -> None:
    """Before the front (+x) the azimuth is 0, at +y it is 90 degrees; above the horizon the elevation is positive."""
    seen = apparent(Camera(K, 64, 64, look_at(np.array(eye), np.zeros(3))), np.eye(4))
    assert abs(np.degrees(seen.azimuth)) == pytest.approx(abs(azimuth), abs=1e-6)
    assert np.sin(seen.azimuth) == pytest.approx(np.sin(np.radians(azimuth)), abs=1e-6)
    assert np.degrees(seen.elevation) == pytest.approx(elevation, abs=1e-6)
    assert seen.in_plane == pytest.approx(0, abs=1e-6)


def test_in_plane_turns_the_picture_clockwise() -> None:
    """The object's up, which is up in an upright picture, points right after a quarter turn."""
    up = rotation_of(Orientation(0.3, 0.1, np.pi / 2)) @ [0, 0, 1]
    assert up[0] > 0.9
    assert rotation_of(Orientation(0.3, 0.1, 0.0))[1, 2] < -0.9


@given(orientations)
def test_features_tell_the_angles(orientation: Orientation) -> None:
    """Each angle comes back from its sine and cosine; nothing jumps where an angle wraps."""
    values = orientation.features()
    assert values.dtype == np.float32
    np.testing.assert_allclose(
        np.exp(1j * np.arctan2(values[0:6:2], values[1:6:2])),
        np.exp(1j * np.array([orientation.azimuth, orientation.elevation, orientation.in_plane])),
        atol=1e-6,
    )
    np.testing.assert_allclose(
        values[6:8], [np.sin(2 * orientation.azimuth), np.cos(2 * orientation.azimuth)], atol=1e-6
    )


@given(st.floats(0, np.pi), st.integers(0, 2**31 - 1))
def test_angle_between_is_the_angle(angle: float, seed: int) -> None:
    """Of a turn by a known angle about any axis."""
    one = Rotation.random(random_state=seed)
    axis = Rotation.random(random_state=seed + 1).apply([0, 0, 1])
    other = Rotation.from_rotvec(angle * axis) * one
    assert angle_between(one.as_matrix(), other.as_matrix()) == pytest.approx(angle, abs=1e-6)
