"""What is exactly true of points that perception chose to follow in simulated video."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from hoigen.conditioning.texture import local_axes, rigid_partners
from hoigen.conventions import ROLE_CODE, SCENE
from hoigen.geometry.camera import project, unproject
from hoigen.records import Clip

HIDDEN_M = 0.003
"""A point this far behind the true surface at its pixel is hidden."""


def true_tracks(truth: Clip, pixels: np.ndarray, query: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where the surface points seen at pixels [M,2] in frames query [M] truly are: world [T,M,3], visible [T,M].

    A point of hand or object moves with the clip's exact samples around it; one of the scene stays.
    """
    role, start = _seeds(truth, pixels, query)
    places = np.repeat(start[None], len(truth.stamps_ns), 0)
    points = truth.points.astype(float)
    axes = local_axes(points, rigid_partners(points, truth.point_role))
    for code in np.unique(role[role != ROLE_CODE[SCENE]]):
        samples = np.flatnonzero(truth.point_role == code)
        for q in np.unique(query[role == code]):
            chosen = np.flatnonzero((role == code) & (query == q))
            near = samples[cKDTree(points[q, samples]).query(start[chosen])[1]]
            turn = axes[:, near] @ axes[q, near].transpose(0, 2, 1)
            places[:, chosen] = points[:, near] + np.einsum('tmxy,my->tmx', turn, start[chosen] - points[q, near])
    return places, _seen(truth, places)


def _seeds(truth: Clip, pixels: np.ndarray, query: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Role [M] and world place [M,3] of what is seen at pixels [M,2] of frames query [M]."""
    height, width = truth.mask.shape[1:]
    column, row = (np.clip(np.rint(pixels[:, k]).astype(int), 0, size - 1) for k, size in ((0, width), (1, height)))
    start = np.empty((len(pixels), 3))
    for q in np.unique(query):
        here = query == q
        start[here] = unproject(truth.cameras[q], pixels[here], truth.depth_m[q, row[here], column[here]])
    return truth.mask[query, row, column], start


def _seen(truth: Clip, places: np.ndarray) -> np.ndarray:
    """[T,M] bool: in view, and not behind what the camera truly sees there."""
    height, width = truth.mask.shape[1:]
    seen = np.zeros(places.shape[:2], bool)
    for t, camera in enumerate(truth.cameras):
        pixels, depth = project(camera, places[t])
        inside = (depth > 0) & np.all((pixels > -0.5) & (pixels < (width - 0.5, height - 0.5)), axis=-1)
        column, row = np.rint(pixels[inside]).astype(int).T
        surface = truth.depth_m[t, row, column]
        slope = 2 * depth[inside] / camera.K[0, 0]
        seen[t, inside] = ~(depth[inside] > surface + HIDDEN_M + slope)
    return seen
