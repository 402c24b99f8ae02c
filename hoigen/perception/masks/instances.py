"""Which hand is which: parts of one role followed through the frames, so that each keeps its number."""

from __future__ import annotations

import cv2
import numpy as np

from hoigen.geometry.camera import pixel_grid
from hoigen.perception.masks.view import View, sampled

SIZEABLE = 0.3
"""A part may be a hand of its own when it has this share of the largest part's pixels in the frame."""

OFTEN = 0.35
"""Two parts are two hands when they are apart in this share of the frames: one may hide its own middle for a while."""

GAP_PX = 7
"""Parts that are nearer to each other than this are not apart."""

ENTRY_PX, APART_PX = 8, 20
"""An arm enters the picture over at least so many pixels of its border, two arms at least so far from each other."""

MOST = 4
"""No more hands than this are told apart."""


def numbered_parts(mask: np.ndarray, view: View) -> np.ndarray:
    """[T,h,w] uint8: 0 outside ``mask`` [T,h,w] bool, else the number from 1 of the instance that a pixel shows."""
    parts = [_sizeable_parts(frame) for frame in mask]
    counts = np.array([int(labels.max()) for labels in parts])
    arms = np.maximum(counts, [_entries(frame) for frame in mask])
    number = next((n for n in range(int(counts.max()), 1, -1) if (arms >= n).mean() >= OFTEN), 1)
    if number == 1:
        return mask.astype(np.uint8)
    areas = np.array([(labels > 0).sum() if labels.max() >= number else 0 for labels in parts])
    parts = [np.where(labels <= number, labels, 0).astype(np.uint8) for labels in parts]
    first = int(areas.argmax())
    found = np.zeros(mask.shape, np.uint8)
    found[first] = _spread(parts[first], mask[first])
    grid = pixel_grid(mask.shape[2], mask.shape[1]).astype(np.float32)
    for t in range(first + 1, len(mask)):
        expected = sampled(found[t - 1], grid + view.backward[t - 1], cv2.INTER_NEAREST)
        found[t] = _follow(expected, mask[t], parts[t], number)
    for t in range(first - 1, -1, -1):
        expected = sampled(found[t + 1], grid + view.forward[t], cv2.INTER_NEAREST)
        found[t] = _follow(expected, mask[t], parts[t], number)
    return found


def _entries(frame: np.ndarray) -> int:
    """At how many places of its border something of ``frame`` [h,w] bool enters the picture: merged arms stay two."""
    around = np.concatenate([frame[0], frame[1:, -1], frame[-1, -2::-1], frame[-2:0:-1, 0]])
    inside = np.flatnonzero(around)
    if not len(inside):
        return 0
    gaps = np.diff(inside, append=inside[0] + len(around))
    gaps = np.roll(gaps, -1 - int(gaps.argmax()))  # begin behind the widest gap
    breaks = np.flatnonzero(gaps[:-1] > APART_PX)
    return int((np.diff(np.concatenate([[-1], breaks, [len(gaps) - 1]])) >= ENTRY_PX).sum())


def _sizeable_parts(frame: np.ndarray) -> np.ndarray:
    """[h,w] uint8: the parts of ``frame`` [h,w] bool that are large enough for a hand, from 1 on, left to right."""
    joined = cv2.morphologyEx(frame.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((GAP_PX, GAP_PX)))
    _, labels, _, middles = cv2.connectedComponentsWithStats(joined, connectivity=8)
    labels = np.where(frame, labels, 0)
    area = np.bincount(labels.ravel(), minlength=len(middles)).astype(float)
    area[0] = 0
    large = [n for n in np.argsort(middles[:, 0]) if area[n] >= max(SIZEABLE * area.max(), 1)]
    numbers = np.zeros(len(area), np.uint8)
    numbers[large[:MOST]] = np.arange(1, len(large[:MOST]) + 1)
    return numbers[labels]


def _follow(expected: np.ndarray, mask: np.ndarray, parts: np.ndarray, number: int) -> np.ndarray:
    """The numbers of the pixels of ``mask`` [h,w] bool where [h,w] ``expected`` numbers came from the frame beside it.

    A part that nothing leads to takes the number of a hand that is nowhere now, if there is one.
    """
    seeds = np.where(mask, expected, 0).astype(np.uint8)
    missing = sorted(set(range(1, number + 1)) - set(np.unique(seeds).tolist()))
    for n in range(1, int(parts.max()) + 1):
        part = parts == n
        if missing and not seeds[part].any():
            seeds[part] = missing.pop(0)
    return _spread(seeds, mask)


def _spread(seeds: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """[h,w] uint8: every pixel of ``mask`` takes the number of the nearest of ``seeds`` [h,w]."""
    if not seeds.any():
        return mask.astype(np.uint8)  # a speck: whose it is cannot be told
    _, nearest = cv2.distanceTransformWithLabels(
        (seeds == 0).astype(np.uint8), cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL
    )
    numbers = np.zeros(int(nearest.max()) + 1, np.uint8)
    numbers[nearest[seeds > 0]] = seeds[seeds > 0]
    return np.where(mask, numbers[nearest], 0).astype(np.uint8)
