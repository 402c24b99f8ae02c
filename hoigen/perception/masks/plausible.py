"""What of the masks can be believed: hands and objects have a size, an outline, a position and a pace.

What is not plausible is taken out of its frames and said, with the reason.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from hoigen.conventions import HAND, ROLE_CODE
from hoigen.perception.masks.hands import PALM
from hoigen.perception.records import Doubt, Hands, Segmentation

MAX_AREA = 0.4
"""Fraction of the image that a hand with its arm, or an object, fills at most."""

MAX_BORDER = 0.3
"""Fraction of the image's border along which one lies at most: floors, walls and tables lie along more."""

MAX_RECTANGLE, LONG = 0.88, 2.0
"""Fraction of the smallest rectangle around it that a hand found by motion fills at most, for boxes fill more; but arms
do too, which are longer than wide by this factor."""

MIN_KEYPOINTS = 0.5
"""Of the palm's keypoints in the image at least this fraction is on the hand's mask, or on that of an object before."""

MAX_PACE, MAX_STEP_S = 4.0, 0.2
"""Image widths a second: faster than this from both neighbouring frames, that are not farther apart, is an error."""

MIN_ENTERING, ENTRY = 0.3, 0.005
"""Without any keypoints a hand enters the image from its border, over this fraction of it, in so many of its frames."""

MIN_BELIEVED = 0.5
"""Of an instance that is not plausible in so many of its frames nothing is believed."""

TOUCH_PX = 9
"""An object has been at most so many pixels from a hand at some time."""

MOTION_ALONE = 'keypoints of a hand are seen in few frames or none: hands are found by motion alone, which is less sure'


def plausible(found: Segmentation, hands: Hands | None, stamps_ns: np.ndarray) -> Segmentation:
    """``found`` without what cannot be; its doubts say what that was, and why.

    hands: whose keypoints were looked for; None: not at all, for the hands are not human, or gloved.
    """
    doubts, instance = list(found.doubts), found.instance.copy()
    for number, role in enumerate(found.role.tolist(), 1):
        mask = found.instance == number
        seen = mask.any((1, 2))
        if not seen.any():
            continue
        keypoints = None
        if hands is not None and found.by_keypoints and number <= len(hands.side):
            keypoints = hands.keypoints_px[:, number - 1]
        shown = found.instance > 0
        why = [_odd(mask[t], shown[t], None if keypoints is None else keypoints[t], role) for t in range(len(mask))]
        for t in _leaps(mask, stamps_ns):
            why[t] = why[t] or 'it leaps'
        if role == ROLE_CODE[HAND] and keypoints is None and hands is not None:
            comes = np.array([_along_border(frame) > ENTRY for frame in mask])
            if comes[seen].mean() < MIN_ENTERING:
                why = ['it does not enter the image from its border'] * len(mask)
        if role != ROLE_CODE[HAND] and not _touched(mask, instance, found.role):
            why = ['no hand comes near it'] * len(mask)
        odd = seen & np.array([bool(reason) for reason in why])
        if odd.sum() > MIN_BELIEVED * seen.sum():
            usual = max({reason for reason in why if reason}, key=why.count)
            why, odd = [reason or usual for reason in why], seen
        for reason in dict.fromkeys(why[t] for t in np.flatnonzero(odd)):
            frames = tuple(int(t) for t in np.flatnonzero(odd) if why[t] == reason)
            doubts.append(Doubt(reason, number, frames))
            for t in frames:
                instance[t][mask[t]] = 0
    return Segmentation(found.role, instance, tuple(doubts), found.by_keypoints)


def _odd(mask: np.ndarray, shown: np.ndarray, keypoints: np.ndarray | None, role: int) -> str:
    """Why the mask [H,W] bool of one frame cannot be that of its role; '' if it may be.

    shown: [H,W] bool, all instances' masks. keypoints: [21,2] of a hand that was found by them, NaN where not seen.
    """
    if not mask.any():
        return ''
    if mask.mean() > MAX_AREA:
        return f'it fills more than {100 * MAX_AREA:.0f} % of the image'
    if _along_border(mask) > MAX_BORDER:
        return f"it lies along more than {100 * MAX_BORDER:.0f} % of the image's border"
    if keypoints is None and role == ROLE_CODE[HAND] and _of_rectangle(mask) > MAX_RECTANGLE:
        return 'it is a rectangle'
    if keypoints is not None and np.isfinite(keypoints).all():
        u, v = np.rint(keypoints[PALM]).astype(int).T
        inside = (u >= 0) & (v >= 0) & (u < mask.shape[1]) & (v < mask.shape[0])
        if inside.any() and shown[v[inside], u[inside]].mean() < MIN_KEYPOINTS:
            return 'its keypoints lie beside it'
    return ''


def _along_border(mask: np.ndarray) -> float:
    return float(np.concatenate([mask[0], mask[-1], mask[1:-1, 0], mask[1:-1, -1]]).mean())


def _of_rectangle(mask: np.ndarray) -> float:
    """How much of the smallest rectangle around it the largest part fills; 0 of a long one."""
    outlines = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
    largest = max(outlines, key=cv2.contourArea)
    width, height = cv2.minAreaRect(largest)[1]
    if max(width, height) > LONG * min(width, height):
        return 0.0
    return cv2.contourArea(largest) / max(width * height, 1.0)


def _leaps(mask: np.ndarray, stamps_ns: np.ndarray) -> Iterator[int]:
    """Frames in which ``mask`` [T,H,W] bool is elsewhere than in both neighbouring ones, faster than anything goes."""
    rows = np.flatnonzero(mask.any((1, 2)))
    centres = np.array([[axis.mean() for axis in np.nonzero(mask[t])] for t in rows]).reshape(-1, 2)
    seconds = np.diff(stamps_ns[rows]) / 1e9
    pace = np.linalg.norm(np.diff(centres, axis=0), axis=1) / np.maximum(seconds, 1e-9) / mask.shape[2]
    fast = (pace > MAX_PACE) & (seconds <= MAX_STEP_S)
    yield from (int(rows[k]) for k in range(1, len(rows) - 1) if fast[k - 1] and fast[k])


def _touched(mask: np.ndarray, instance: np.ndarray, role: np.ndarray) -> bool:
    """Whether any hand's mask, of those that are believed, comes near the object's, [T,H,W] bool."""
    of_hands = np.append(False, role == ROLE_CODE[HAND])[instance]
    near = np.ones((2 * TOUCH_PX + 1,) * 2, np.uint8)
    return any(
        (cv2.dilate(m.astype(np.uint8), near)[h] > 0).any() for m, h in zip(mask, of_hands, strict=True) if h.any()
    )


def believed(hands: Hands, found: Segmentation) -> Hands:
    """``hands`` without those of frames in which their masks are not believed."""
    if not found.by_keypoints:
        return hands
    keypoints, shape, score = hands.keypoints_px.copy(), hands.shape_m.copy(), hands.score.copy()
    for doubt in found.doubts:
        if 0 < doubt.number <= len(hands.side):
            rows = list(doubt.frames)
            keypoints[rows, doubt.number - 1], shape[rows, doubt.number - 1] = np.nan, np.nan
            score[rows, doubt.number - 1] = 0
    return Hands(hands.side, keypoints, shape, score)
