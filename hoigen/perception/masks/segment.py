"""Masks of hand and object without learned weights."""

from __future__ import annotations

import cv2
import numpy as np
import scipy.ndimage

from hoigen.conventions import HAND, OBJECT, ROLE_CODE
from hoigen.perception.masks.depth import front_by_depth
from hoigen.perception.masks.instances import numbered_parts
from hoigen.perception.masks.motion import Steadied, front_by_motion
from hoigen.perception.masks.roles import label_roles
from hoigen.perception.masks.skin import bare_hands, label_bare_hands
from hoigen.perception.masks.view import View, enlarge, view_of
from hoigen.perception.records import Flow, Geometry, PerceptionError, Segmentation
from hoigen.records import Footage

__all__ = ['segment']

STRAY = 0.25
"""What has less than this part of the hand that the largest part has is not a hand."""

LEAST = 0.0005
"""A role that fills less than this part of the stretch is not there."""


def segment(footage: Footage, flow: Flow, geometry: Geometry | None, seed: int) -> Segmentation:
    """Masks of T >= 2 frames, from measured or estimated depth, or from the pictures alone where ``geometry`` is None.

    Without a hand that moves there is no instance at all; a hand or an object that is not in view for a while has an
    empty mask there and keeps its number. Raises :class:`PerceptionError` for fewer frames.
    """
    if len(footage.rgb) < 2:
        raise PerceptionError(f'masks from motion: expected at least 2 frames, got {len(footage.rgb)}')
    view = view_of(footage, flow, geometry)
    belief = _labelled(view, seed)
    _drop_strays(belief)
    hands = numbered_parts(belief[..., ROLE_CODE[HAND]] > 0.5, view)
    channels, roles = [belief[..., 0]], []
    for role, numbers in ((HAND, hands), (OBJECT, (belief[..., ROLE_CODE[OBJECT]] > 0.5).astype(np.uint8))):
        for n in range(1, int(numbers.max()) + 1):
            if (numbers == n).mean() >= LEAST:
                channels.append(np.where(numbers == n, belief[..., ROLE_CODE[role]], 0))
                roles.append(ROLE_CODE[role])
    if ROLE_CODE[HAND] not in roles:
        return Segmentation(np.zeros(0, np.uint8), np.zeros(footage.rgb.shape[:3], np.uint8))
    return Segmentation(np.array(roles, np.uint8), enlarge(np.stack(channels, -1), *footage.rgb.shape[1:3]))


def _labelled(view: View, seed: int) -> np.ndarray:
    """[T,h,w,3] float32 beliefs in scene, hand and object (role codes)."""
    if view.depth_m is not None:
        return label_roles(view, front_by_depth(view, view.depth_m, seed))
    steadied = Steadied(view)
    if bare_hands(view, steadied):
        return label_bare_hands(view, steadied)
    belief = label_roles(view, front_by_motion(view, steadied))
    return label_roles(view, front_by_motion(view, steadied, belief))


def _drop_strays(belief: np.ndarray) -> None:
    """Leaves only what hangs together over space and time and has its share of hand."""
    label = belief.argmax(-1)[:, ::2, ::2]
    parts, count = scipy.ndimage.label(label > 0, np.ones((3, 3, 3)))
    size = np.bincount(parts.ravel(), label.ravel() == ROLE_CODE[HAND], minlength=count + 1)
    size[0] = 0
    keep = (size >= STRAY * size.max()) & (size > 0)
    kept = np.stack([cv2.dilate(k.astype(np.uint8), np.ones((3, 3))) for k in keep[parts]]) > 0
    kept = kept.repeat(2, 1).repeat(2, 2)[:, : belief.shape[1], : belief.shape[2]]
    belief[~kept] = [1, 0, 0]
