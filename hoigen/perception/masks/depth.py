"""What stands out in an RGB-D stretch: neither the support nor standing scene. Depth does not see shadows."""

from __future__ import annotations

import numpy as np

from hoigen.geometry.camera import pixel_grid, unproject
from hoigen.perception.masks.background import Witnesses, heights, own_motion
from hoigen.perception.masks.regions import Front, depth_regions, regions_of
from hoigen.perception.masks.view import View, carried

__all__ = ['front_by_depth']

OWN_PX = 0.8
"""Flow that misses the camera's motion by this much is a thing's own."""

LEAST = 40
"""Regions of fewer pixels are not looked at."""

NEAR_M = 0.012
"""How far a resting thing seems to wander where depths of one surface agree as well as they should."""


def front_by_depth(view: View, depth: np.ndarray, seed: int) -> Front:
    """Of a view with depth [T,h,w] metres; the seed is for the search of the support."""
    known = np.isfinite(depth)
    seen = Witnesses(depth, view.cameras)
    above = heights(depth, view.cameras, np.random.default_rng(seed))
    spread = np.nanmedian(np.abs(above[np.abs(above) < 0.03])) if (np.abs(above) < 0.03).any() else 0.0
    support = known & (above < max(0.008, 3 * spread))
    moves, flowing = _moves(view, depth, support)
    ever = carried(view, moves)
    gone = seen.through / np.maximum(seen.through + seen.rest, 1).astype(np.float32)
    empty = (seen.through >= 2) & (gone > 0.2)
    score = np.where(known, np.select([empty, seen.through >= 1], [2.0, 0.3], -1.0), -1.0)
    score += np.where(support, -4.0, np.where(known, 3 * ever - 0.9, 0))
    moving = np.where(flowing, moves > 0.3, (seen.rest <= 1) & empty)
    changed = np.maximum(gone, np.where(ever > 0.4, 0.4, 0.0))
    still = (seen.rest >= 2) & (moves < 0.3)
    grid = pixel_grid(depth.shape[2], depth.shape[1])
    places = np.stack([unproject(c, grid, d).astype(np.float32) for c, d in zip(view.cameras, depth, strict=True)])
    regions = []
    for t in range(len(depth)):
        surfaces = depth_regions(depth[t], known[t] & ~support[t])
        found = regions_of(t, surfaces, places[t], still[t], changed[t], moving[t], LEAST)
        for region in found:  # what moves of a region speaks for all of it
            score[t].reshape(-1)[region.pixels] += np.clip((region.changed - 0.2) * 6, -1.0, 1.5)
        regions.append([region for region in found if region.changed > 0.1])
    trust = np.where(known, 0.3, 1.3).astype(np.float32)
    return Front(score.astype(np.float32), trust, places, NEAR_M + 0.5 * (seen.loose - 0.02), regions)


def _moves(view: View, depth: np.ndarray, support: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How surely each pixel moves by itself, [T,h,w] float32 in [0, 1], and where the flow can tell, bool."""
    own = own_motion(depth, view.cameras, view.forward)
    own, flowing = np.concatenate([own, own[-1:]]), np.concatenate([view.forward_ok, view.forward_ok[-1:]])
    limit = max(OWN_PX, 4 * float(np.nanmedian(own[support]))) if support.any() else OWN_PX
    tells = np.isfinite(own) & ~support & flowing
    return np.where(tells, np.clip((np.nan_to_num(own) - limit) / limit, 0, 1), 0).astype(np.float32), flowing
