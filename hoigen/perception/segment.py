"""Masks of hand and object without learned weights."""

from __future__ import annotations

import cv2
import numpy as np
import scipy.ndimage

from hoigen.conventions import HAND, OBJECT, ROLE_CODE
from hoigen.perception.records import Flow, Geometry, PerceptionError, Segmentation
from hoigen.perception.segment_depth import front_by_depth
from hoigen.perception.segment_motion import Steadied, front_by_motion
from hoigen.perception.segment_roles import label_roles
from hoigen.perception.segment_view import enlarge, view_of
from hoigen.records import Footage

__all__ = ['segment']


def segment(footage: Footage, flow: Flow, geometry: Geometry | None, seed: int) -> Segmentation:
    """Masks of T >= 2 frames, from measured or estimated depth, or from the pictures alone where ``geometry`` is None.

    Raises :class:`PerceptionError` for fewer frames.
    """
    if len(footage.rgb) < 2:
        raise PerceptionError('masks from motion: expected at least 2 frames, got 1')
    view = view_of(footage, flow, geometry)
    if view.depth_m is None:
        steadied = Steadied(view)
        belief = label_roles(view, front_by_motion(view, steadied))
        belief = label_roles(view, front_by_motion(view, steadied, belief))
    else:
        belief = label_roles(view, front_by_depth(view, view.depth_m, seed))
    _drop_strays(belief)
    return Segmentation(np.array([ROLE_CODE[HAND], ROLE_CODE[OBJECT]], np.uint8),
                        enlarge(belief, *footage.rgb.shape[1:3]))


def _drop_strays(belief: np.ndarray) -> None:
    """Leaves only what hangs together over space and time with a quarter as much hand as the largest such part."""
    label = belief.argmax(-1)[:, ::2, ::2]
    parts, count = scipy.ndimage.label(label > 0, np.ones((3, 3, 3)))
    size = np.bincount(parts.ravel(), label.ravel() == 1, minlength=count + 1)
    size[0] = 0
    keep = size >= 0.25 * size.max()
    kept = np.stack([cv2.dilate(k.astype(np.uint8), np.ones((3, 3))) for k in keep[parts]]) > 0
    kept = kept.repeat(2, 1).repeat(2, 2)[:, :belief.shape[1], :belief.shape[2]]
    belief[~kept] = [1, 0, 0]
