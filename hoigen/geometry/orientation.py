"""How an object is turned as its picture shows it: azimuth, elevation and in-plane rotation (Orient Anything)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from hoigen.geometry.transforms import look_at, rigid
from hoigen.records import Camera


@dataclass(frozen=True)
class Orientation:
    """The direction from which an object is seen, in its own frame (front +x, up +z), radians.

    azimuth: of the viewer about the object's up, 0 before its front, towards +y, in [-pi, pi]. elevation: of the
    viewer above the object's horizon, in [-pi/2, pi/2]. in_plane: how far the picture of the object is turned
    clockwise, in [-pi, pi]. At the poles azimuth and in_plane are one rotation; in_plane is 0 there.
    """

    azimuth: float
    elevation: float
    in_plane: float

    def features(self) -> np.ndarray:
        """[9] float32: sine and cosine of each angle and of twice the azimuth, and 1: what a network reads."""
        a, e, d = self.azimuth, self.elevation, self.in_plane
        return np.array(
            [np.sin(a), np.cos(a), np.sin(e), np.cos(e), np.sin(d), np.cos(d), np.sin(2 * a), np.cos(2 * a), 1.0],
            np.float32,
        )


def apparent(camera: Camera, T_world_object: np.ndarray) -> Orientation:
    """The orientation in which a camera sees an object: relative to the ray to the object's origin, not to the
    camera's axis, so that it says how the picture of the object looks wherever in the frame it is."""
    eye = camera.T_world_cam[:3, 3]
    down = camera.T_world_cam[:3, 1]
    aimed = look_at(eye, T_world_object[:3, 3], tuple(-down))
    return _angles(aimed[:3, :3].T @ T_world_object[:3, :3])


def _angles(R_cam_object: np.ndarray) -> Orientation:
    # At a pole scipy gives the whole turn to the first angle.
    about_up, tilt, in_plane = Rotation.from_matrix(R_cam_object).as_euler('zxz', suppress_warnings=True)
    return Orientation(math.remainder(-about_up - np.pi / 2, 2 * np.pi), float(tilt) - np.pi / 2, float(in_plane))


def rotation_of(orientation: Orientation) -> np.ndarray:
    """``R_cam_object`` [3,3] of a camera that looks at the object's origin; inverse of :func:`apparent`."""
    angles = -orientation.azimuth - np.pi / 2, orientation.elevation + np.pi / 2, orientation.in_plane
    return Rotation.from_euler('zxz', angles).as_matrix()


def camera_at(orientation: Orientation, centre: np.ndarray, distance_m: float, K: np.ndarray, size: int) -> Camera:
    """A camera that sees ``centre`` [3] of the object's frame in this orientation from ``distance_m``; the object's
    frame is the world."""
    R_object_cam = rotation_of(orientation).T
    return Camera(K, size, size, rigid(R_object_cam, centre - distance_m * R_object_cam[:, 2]))
