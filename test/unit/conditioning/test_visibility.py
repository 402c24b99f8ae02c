"""Visibility at the limits of the picture; its laws are in test/property."""

from __future__ import annotations

import numpy as np
from synthetic_scene import box, camera_at

from hoigen.conditioning.visibility import point_visibility
from hoigen.geometry.camera import unproject
from hoigen.geometry.meshes import mesh_table
from hoigen.geometry.raster import rasterise


def visible(pixel: tuple[float, float], depth_m: float) -> bool:
    """Is the place at ``pixel`` and ``depth_m`` visible, in a picture that shows nothing?"""
    camera = camera_at((0.7, 0.0, 0.5))
    table = mesh_table([box('far', 'scene', (0.1, 0.1, 0.1))])
    world = table.vertices + np.array([5.0, 0, 0])
    point = unproject(camera, np.array([pixel]), np.array([depth_m]))
    seen = point_visibility(
        camera,
        rasterise(camera, world, table.triangles),
        table.triangle_asset,
        point,
        world[table.triangles[:1]],
        np.array([0]),
        0.001,
    )
    return bool(seen[0])


def test_inside_the_picture() -> None:
    """A picture of 180x120 reaches from -0.5 to 179.5 and 119.5."""
    assert visible((-0.49, -0.49), 1.0)
    assert visible((179.49, 119.49), 1.0)
    for pixel in ((-0.51, 60.0), (179.51, 60.0), (90.0, -0.51), (90.0, 119.51)):
        assert not visible(pixel, 1.0)


def test_behind_the_camera() -> None:
    """A place behind the camera is not visible, though its mirrored pixel lies inside the picture."""
    assert not visible((90.0, 60.0), -1.0)


def test_in_the_camera_s_plane() -> None:
    """A place in the camera's own plane has no pixel and is not visible."""
    camera = camera_at((0.7, 0.0, 0.5))
    table = mesh_table([box('far', 'scene', (0.1, 0.1, 0.1))])
    point = camera.T_world_cam[:3, 3][None]
    picture = rasterise(camera, table.vertices, table.triangles)
    assert not point_visibility(
        camera, picture, table.triangle_asset, point, table.vertices[table.triangles[:1]], np.array([0]), 0.001
    ).any()
