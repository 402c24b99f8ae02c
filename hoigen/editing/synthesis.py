"""Geometry-aware synthesis: occlusion is computed from depth, not guessed (SpatialHand, key design 2)."""

from __future__ import annotations

import cv2
import numpy as np

from hoigen.editing.placement import PlacementError
from hoigen.editing.records import Placement, Synthesis

GREY = 127
"""The value of pixels that are to be painted."""
TOLERANCE = 0.005
"""Relative difference of depth below which scene and object count as equally deep: then the object is in front."""

FILL_RADIUS = 5
"""Pixels about a removed pixel from which it is filled."""


def make_room(
    rgb: np.ndarray,
    depth_m: np.ndarray,
    placement: Placement,
    *,
    guide: np.ndarray | None = None,
    geometry_aware: bool = True,
) -> Synthesis:
    """Grey out where the object is to be painted, or show its guide there, and put its depth there.

    rgb: [H,W,3] uint8 of the scene without the object; depth_m: [H,W] float32 of the same, infinite where nothing is,
    NaN unknown. What is nearer than the object stays in both, as does what is not behind its outline. Where the
    scene's depth is not known, the object is in front. guide: [H,W,3] uint8, the object as its mesh is drawn there
    (ours; the paper has none). geometry_aware: False greys out the whole outline, as inpainting without depth does
    (the paper's ablation). PlacementError for a depth map of another size.
    """
    size = (placement.camera.height, placement.camera.width)
    if rgb.shape[:2] != size or depth_m.shape != size:
        raise PlacementError(
            f"depth: expected a map of the picture's size {size[1]}x{size[0]}, got picture "
            f'{rgb.shape[1]}x{rgb.shape[0]} and depth {depth_m.shape[1]}x{depth_m.shape[0]}'
        )
    nearer = np.nan_to_num(depth_m, nan=np.inf) < placement.depth_m * (1 - TOLERANCE)
    paint = placement.mask & ~nearer if geometry_aware else placement.mask
    hidden = float((placement.mask & nearer).sum()) / float(placement.mask.sum())
    return Synthesis(
        paint,
        np.where(paint[..., None], np.uint8(GREY) if guide is None else guide, rgb),
        np.where(paint, placement.depth_m, depth_m).astype(np.float32),
        hidden,
    )


def filled(rgb: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """A picture [H,W,3] uint8 whose masked part continues what is around it (Telea's method): what a removal begins
    from."""
    return cv2.inpaint(rgb, mask.astype(np.uint8), FILL_RADIUS, cv2.INPAINT_TELEA)
