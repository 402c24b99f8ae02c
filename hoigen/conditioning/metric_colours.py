"""Tracking colours by metric position: what models that were trained before those of the image read."""

from __future__ import annotations

import numpy as np

from hoigen.conditioning.splat import nearest_samples, sample_reach
from hoigen.geometry.raster import NEAR_M
from hoigen.geometry.transforms import apply
from hoigen.records import Conditions

PERCENTILES = (2, 98)


def metric_tracking(conditions: Conditions) -> np.ndarray:
    """The tracking video [T,H,W,3] uint8 with x, y and 1/z of the samples in frame 0 as red, green and blue.

    Each over the range of all samples in the first camera's frame, whether they are in its image or not.
    """
    c = conditions
    in_first = c.points.astype(float) * c.scale_m + c.centre_m
    world = apply(c.cameras[0].T_world_cam, in_first)
    reach = sample_reach(world[0], c.point_role)
    colours = np.append(_colours(in_first[0]), np.zeros((1, 3), np.uint8), axis=0)
    drawn = [
        nearest_samples(
            camera, c.mask[t], c.depth_m[t], world[t], c.point_pixels[t], c.point_visible[t], c.point_role, reach
        )
        for t, camera in enumerate(c.cameras)
    ]
    return colours[np.stack(drawn)]


def _colours(points: np.ndarray) -> np.ndarray:
    """[N,3] uint8 of points [N,3] in the first camera's frame."""
    if not len(points):
        return np.zeros((0, 3), np.uint8)
    front = points[:, 2] > NEAR_M
    position = np.column_stack([points[:, :2], 1 / np.maximum(points[:, 2], NEAR_M)])
    low, high = np.percentile(position[front] if front.any() else position, PERCENTILES, axis=0)
    return np.rint(255 * np.clip((position - low) / np.maximum(high - low, 1e-9), 0, 1)).astype(np.uint8)
