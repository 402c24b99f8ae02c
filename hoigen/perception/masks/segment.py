"""Masks of hand and object without learned weights."""

from __future__ import annotations

import cv2
import numpy as np
import scipy.ndimage

from hoigen.conventions import HAND, OBJECT, ROLE_CODE
from hoigen.geometry.camera import pixel_grid, unproject
from hoigen.perception.masks.background import Witnesses, heights, own_motion
from hoigen.perception.masks.hands import Skeletons, label_hands, skeletons_of
from hoigen.perception.masks.held import add_held
from hoigen.perception.masks.instances import numbered_parts
from hoigen.perception.masks.motion import Steadied, front_by_motion
from hoigen.perception.masks.plausible import MOTION_ALONE, plausible
from hoigen.perception.masks.regions import Front, depth_regions, regions_of
from hoigen.perception.masks.roles import label_roles
from hoigen.perception.masks.skin import bare_hands, label_bare_hands
from hoigen.perception.masks.view import View, carried, enlarge, resized, view_of
from hoigen.perception.records import Boxes, Doubt, Flow, Geometry, Hands, PerceptionError, Segmentation, boxes_of
from hoigen.records import Footage

OWN_PX = 0.8
"""Flow that misses the camera's motion by this much is a thing's own."""

MIN_REGION_PIXELS = 40
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
        found = regions_of(t, surfaces, places[t], still[t], changed[t], moving[t], MIN_REGION_PIXELS)
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


def find_boxes(found: Segmentation) -> Boxes:
    """Boxes of hand and object that :func:`hoigen.perception.masks.segment.segment` has found.

    The score of a box is the share of it that the mask fills.
    """
    boxes, (frames, count) = boxes_of(found), (len(found.instance), len(found.role))
    area = np.nan_to_num((boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1]), nan=1.0)
    filled = np.stack([np.bincount(codes.ravel(), minlength=count + 1)[1 : count + 1] for codes in found.instance])
    return Boxes(found.role, boxes, (filled.reshape(frames, count) / area).astype(np.float32))


STRAY = 0.25
"""What has less than this part of the hand that the largest part has is not a hand."""

MIN_FRACTION = 0.0005
"""A role that fills less than this fraction of the segment is not there."""

SUPPORTED = 0.5
"""Hands are where their keypoints are if these are seen in this fraction of the frames in which motion finds a hand;
below it, motion is believed, as of robot hands and gloves, if it finds the seen keypoints too:"""

COVERED = 0.8
"""so much of them."""


def segment(footage: Footage, flow: Flow, geometry: Geometry | None, hands: Hands | None, seed: int) -> Segmentation:
    """Masks of T >= 2 frames, from measured or estimated depth, or from the images alone where ``geometry`` is None.

    Hands whose keypoints are seen come first, numbered as in ``hands``; None, and where none are seen: hands are found
    by motion alone. Without a hand there is no instance at all; a hand or an object that is not in view for a while, or
    is not plausible there, has an empty mask and keeps its number. Raises :class:`PerceptionError` for fewer frames.
    """
    if len(footage.rgb) < 2:
        raise PerceptionError(f'masks: expected at least 2 frames, to see what moves, got {len(footage.rgb)}')
    view = view_of(footage, flow, geometry)
    full = footage.rgb.shape[1:3]
    moving, skeletons = None, None if hands is None else skeletons_of(resized(hands.keypoints_px, full, view), view)
    if geometry is not None or skeletons is None or skeletons.known.any(1).mean() < SUPPORTED:
        moving = _by_motion(view, seed)
    if hands is None or skeletons is None or (moving is not None and not _believed(skeletons, *moving)):
        assert moving is not None
        (belief, roles), by_keypoints = moving, False
        doubts = [] if hands is None else [MOTION_ALONE]
    else:
        (belief, doubts), by_keypoints = _by_keypoints(view, skeletons, moving), True
        count = len(hands.side), belief.shape[-1] - 1 - len(hands.side)
        roles = np.repeat([ROLE_CODE[HAND], ROLE_CODE[OBJECT]], count).astype(np.uint8)
    if not belief[..., 1:][..., roles == ROLE_CODE[HAND]].any():
        return Segmentation(np.zeros(0, np.uint8), np.zeros(footage.rgb.shape[:3], np.uint8))
    found = Segmentation(roles, enlarge(belief, *full), tuple(map(Doubt, doubts)), by_keypoints)
    return plausible(found, hands, footage.stamps_ns)


def _by_keypoints(
    view: View, skeletons: Skeletons, moving: tuple[np.ndarray, np.ndarray] | None
) -> tuple[np.ndarray, list[str]]:
    """Beliefs [T,h,w,1+I+K] in scene, I hands and K objects, and why there are not more of these; with depth objects
    are those that are ``moving`` (beliefs and roles)."""
    belief = label_hands(view, skeletons)
    if view.depth_m is None or moving is None:
        return add_held(view, skeletons, belief)
    objects = moving[0][..., 1:][..., moving[1] == ROLE_CODE[OBJECT]]
    rest = belief[..., :1] * (1 - objects.sum(-1, keepdims=True))
    return np.concatenate([rest, belief[..., 1:], objects * belief[..., :1]], -1), []


def _believed(skeletons: Skeletons, belief: np.ndarray, roles: np.ndarray) -> bool:
    """Whether the hands are where their keypoints are, not where motion finds them."""
    seen = skeletons.known.any(1)
    if not seen.any():
        return False
    moving = belief[..., 1:][..., roles == ROLE_CODE[HAND]].max(-1, initial=0) > 0.5
    if (seen & moving.any((1, 2))).sum() >= SUPPORTED * moving.any((1, 2)).sum():
        return True
    height, width = moving.shape[1:]
    inside = total = 0
    for t, i in zip(*np.nonzero(skeletons.known), strict=True):
        u, v = np.rint(skeletons.keypoints[t, i]).astype(int).T
        shown = (u >= 0) & (v >= 0) & (u < width) & (v < height)
        inside, total = inside + int(moving[t, v[shown], u[shown]].sum()), total + int(shown.sum())
    return inside < COVERED * total


def _by_motion(view: View, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """[T,h,w,1+I] float32 beliefs in scene and I instances, and their roles [I] uint8, from what moves."""
    belief = _labelled(view, seed)
    _drop_strays(belief)
    hands = numbered_parts(belief[..., ROLE_CODE[HAND]] > 0.5, view)
    channels, roles = [belief[..., 0]], list[int]()
    for role, numbers in ((HAND, hands), (OBJECT, (belief[..., ROLE_CODE[OBJECT]] > 0.5).astype(np.uint8))):
        for n in range(1, int(numbers.max()) + 1):
            if (numbers == n).mean() >= MIN_FRACTION:
                channels.append(np.where(numbers == n, belief[..., ROLE_CODE[role]], 0))
                roles.append(ROLE_CODE[role])
    return np.stack(channels, -1), np.array(roles, np.uint8)


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
