"""Cameras of cropped and resized pictures show the same world at the places the pictures moved to."""

from __future__ import annotations

import numpy as np
from synthetic_scene import camera_at

from hoigen.geometry.camera import crop_camera, pixel_grid, project, resize_camera, unproject
from hoigen.geometry.transforms import apply, invert, look_at


def test_centre_pixel_looks_along_the_axis() -> None:
    """Pixel centres are integers: the principal point (w-1)/2, (h-1)/2 sees what the camera is aimed at."""
    camera = camera_at((0.7, 0.1, 0.5), target=(0.0, 0.0, 0.05))
    pixel, depth = project(camera, np.array([[0.0, 0.0, 0.05]]))
    np.testing.assert_allclose(pixel, [[89.5, 59.5]], atol=1e-9)
    np.testing.assert_allclose(depth, np.linalg.norm([0.7, 0.1, 0.45]))


def test_look_at_is_an_optical_frame() -> None:
    """x right, y down, z forward: a point above the target has a smaller v, one to the right a larger u."""
    T_cam_world = invert(look_at(np.array([1.0, 0, 0]), np.zeros(3)))
    x, y, z = apply(T_cam_world, np.array([0.0, 0.2, 0.3]))
    assert (round(x, 9), round(y, 9), round(z, 9)) == (0.2, -0.3, 1.0)


def test_resize_keeps_borders() -> None:
    """The picture's outer borders, not its outer pixel centres, are what stays in place when the size changes."""
    camera = camera_at((0.7, 0.1, 0.5))
    half = resize_camera(camera, 90, 60)
    corner = unproject(camera, np.array([-0.5, 119.5]), np.array(1.0))
    np.testing.assert_allclose(project(half, corner)[0], [-0.5, 59.5], atol=1e-9)


def test_crop_shifts_pixels() -> None:
    """A crop moves pixels by its corner, and a negative corner widens the view."""
    camera = camera_at((0.7, 0.1, 0.5))
    point = np.array([0.1, 0.05, 0.0])
    pixel = project(camera, point)[0]
    np.testing.assert_allclose(project(crop_camera(camera, 30, 20, 120, 80), point)[0], pixel - np.array([30, 20]))
    np.testing.assert_allclose(project(crop_camera(camera, -18, -12, 216, 144), point)[0], pixel + np.array([18, 12]))


def test_points_behind_have_negative_depth() -> None:
    """Projection tells what is behind the camera by the depth's sign instead of hiding it."""
    camera = camera_at((0.7, 0.0, 0.5))
    assert project(camera, np.array([1.4, 0.0, 0.95]))[1] < 0


def test_pixel_grid_order() -> None:
    """[H,W,2] holds (u, v), u across."""
    assert pixel_grid(3, 2)[1, 2].tolist() == [2.0, 1.0]
