"""Measure perception on clips of public data sets, whose hands people or other sensors have labelled."""

from __future__ import annotations

import numpy as np

from hoigen.conventions import HAND, OBJECT, ROLE_CODE
from hoigen.geometry.alignment import align
from hoigen.metrics.perception import mask_iou, place_errors_mm
from hoigen.perception.hands.lift import lift_hands
from hoigen.perception.labelled.clips import Labelled
from hoigen.perception.perceive import Perceived

NEAR = 0.5
"""A hand was found if its keypoints are on average nearer to the true ones than this part of the true hand's size."""

LABELLED_MEASURES = {
    'IoU hand': '↑',
    'IoU object': '↑',
    'hands found': '↑',
    'side right': '↑',
    'keypoints, px': '↓',
    'keypoints in the mask': '↑',
    'keypoints in 3D, PA, mm': '↓',
    'frames per second': '↑',
}
"""Each measure and which way is better. Keypoints that are outside the image, or of hands that are, do not count."""


def measure_labelled(perceived: Perceived, truth: Labelled) -> dict[str, float]:
    """Each of LABELLED_MEASURES that the clip and what was perceived of it have."""
    mask, hands = perceived.segmentation.mask, perceived.hands
    row = {'frames per second': len(mask) / sum(perceived.seconds.values())}
    if truth.mask is not None:
        row |= {
            f'IoU {role}': mask_iou(mask == ROLE_CODE[role], truth.mask == ROLE_CODE[role]) for role in (HAND, OBJECT)
        }
    height, width = mask.shape[1:]
    inside = np.isfinite(truth.pixels).all(-1) & (
        (truth.pixels > -0.5) & (truth.pixels < (width - 0.5, height - 0.5))
    ).all(-1)
    there = inside.sum(2) > 10  # more than half of a hand
    inside &= there[..., None]
    if not inside.any():
        return row
    t, i, k = np.nonzero(inside)
    u, v = np.rint(truth.pixels[t, i, k]).astype(int).T
    row['keypoints in the mask'] = float((mask[t, v, u] == ROLE_CODE[HAND]).mean())
    places = None
    if perceived.geometry is not None:
        places, _ = lift_hands(hands, perceived.geometry, mask == ROLE_CODE[HAND])
    found, right, pixels, millimetres = [], [], [], []
    for t, i in zip(*np.nonzero(there), strict=True):
        true, known = truth.pixels[t, i], inside[t, i]
        size = np.ptp(true[known], axis=0).max()
        apart = [np.linalg.norm(own[known] - true[known], axis=1) for own in hands.keypoints_px[t]]
        near = [n for n, off in enumerate(apart) if np.nan_to_num(off, nan=np.inf).mean() < NEAR * size]
        found.append(bool(near))
        if not near:
            continue
        best = min(near, key=lambda n: apart[n].mean())
        right.append(hands.side[best] == truth.side[i])
        pixels.append(np.median(apart[best]))
        at = truth.places[t, i]
        if places is not None and np.isfinite(places[t, best]).all() and np.isfinite(at).all():
            own = places[t, best].astype(np.float64)
            millimetres.append(place_errors_mm(own, at, align(own, at)).mean())
    row['hands found'] = float(np.mean(found))
    for name, values in (('side right', right), ('keypoints, px', pixels), ('keypoints in 3D, PA, mm', millimetres)):
        if values:
            row[name] = float(np.mean(values))
    return row
