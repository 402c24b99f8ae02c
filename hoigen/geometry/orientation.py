"""How an object is turned as its picture shows it: azimuth, elevation and in-plane rotation (Orient Anything)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hoigen.geometry.transforms import invert, look_at, rigid
from hoigen.records import Camera

__all__ = ['Orientation', 'angle_between', 'apparent', 'camera_at', 'rotation_of']

POLE = 1e-6


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
    towards_viewer = -R_cam_object[2]
    elevation = float(np.arcsin(np.clip(towards_viewer[2], -1, 1)))
    flat = float(np.hypot(towards_viewer[0], towards_viewer[1]))
    if flat < POLE:  # seen from a pole: the azimuth takes the whole turn
        x, y = R_cam_object[:2, 0]
        azimuth = float(np.arctan2(-x, y)) if elevation > 0 else float(np.arctan2(-x, -y))
        return Orientation(azimuth, elevation, 0.0)
    azimuth = float(np.arctan2(towards_viewer[1], towards_viewer[0]))
    turn = R_cam_object @ rotation_of(Orientation(azimuth, elevation, 0.0)).T
    return Orientation(azimuth, elevation, float(np.arctan2(turn[1, 0], turn[0, 0])))


def rotation_of(orientation: Orientation) -> np.ndarray:
    """``R_cam_object`` [3,3] of a camera that looks at the object's origin; inverse of :func:`apparent`."""
    a, e, d = orientation.azimuth, orientation.elevation, orientation.in_plane
    right = np.array([-np.sin(a), np.cos(a), 0])
    forward = -np.array([np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e)])
    upright = np.stack([right, np.cross(forward, right), forward])
    roll = np.array([[np.cos(d), -np.sin(d), 0], [np.sin(d), np.cos(d), 0], [0, 0, 1]])
    return roll @ upright


def camera_at(orientation: Orientation, centre: np.ndarray, distance_m: float, K: np.ndarray, size: int) -> Camera:
    """A camera that sees ``centre`` [3] of the object's frame in this orientation from ``distance_m``; the object's
    frame is the world."""
    R_object_cam = rotation_of(orientation).T
    return Camera(K, size, size, rigid(R_object_cam, centre - distance_m * R_object_cam[:, 2]))


def angle_between(a: np.ndarray, b: np.ndarray) -> float:
    """Radians of the rotation between two rotations [3,3]."""
    return float(np.arccos(np.clip((np.trace(invert(rigid(a, np.zeros(3)))[:3, :3] @ b) - 1) / 2, -1, 1)))
