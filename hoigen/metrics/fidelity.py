"""How truly generated frames follow the scene that drove them: outlines and motion, found in the frames alone again.

Both compare the frames with geometry only, so that tone, light, texture and background are the video's own affair.
"""

from __future__ import annotations

import cv2
import numpy as np

from hoigen.conventions import HAND, OBJECT, ROLE_CODE
from hoigen.metrics.expected import Expected, judged_video
from hoigen.metrics.motion import motion_fidelity
from hoigen.records import Conditions, Fidelity

SEARCHED, STRIP, ALONG = 8, 3, 5
"""How far from an outline a clearer edge is searched for, how deep the strips on both sides of an edge are, and how far
along the outline their colours are averaged to both sides; in pixels."""

CLEAR = 1.0
"""Least difference between the strips of an edge, in the standard deviations of their pixels."""

NOISE = 6.0
"""Standard deviation that every strip has at least (of 255)."""

AS_CLEAR = 0.8
"""The outline lies on an edge when the one within a pixel of it is this fraction as clear as the clearest one near."""

FOLLOWED = 0.25
"""At least this fraction of an outline must show an edge: a blank image does not follow the scene."""

FEWEST, BORDER = 24, 3
"""Pixels of a role's outline below which it is not judged; those so near to the image's border do not count."""


def fidelity(frames: np.ndarray, conditions: Conditions) -> Fidelity:
    """Outline and motion of frames [T,H,W,3] uint8 compared with the conditions of their size, and the lesser of both.

    Where only one of them can be measured it is the value; where neither can, the value is NaN.
    """
    frames, expected = judged_video(frames, conditions)
    outline, motion = outline_fidelity(frames, expected), motion_fidelity(frames, expected)
    return Fidelity(np.fmin(outline, motion), outline, motion)


def outline_fidelity(frames: np.ndarray, expected: Expected) -> np.ndarray:
    """[T] float32 in [0, 1]: the fraction of the outline that lies on an edge of the frame; of hand or object, which is
    less.

    At each pixel of a role's outline the colours of two strips, inside and outside of an edge, are compared along the
    normal. The outline is found when no edge within ``SEARCHED`` pixels is much clearer than the one at its place. A
    place without any clear edge is not judged. NaN for a frame without an outline of ``FEWEST`` pixels.
    """
    return np.array([_found(*both) for both in zip(frames, expected.mask, strict=True)], np.float32)


def _found(frame: np.ndarray, mask: np.ndarray) -> float:
    smooth = cv2.GaussianBlur(frame, (0, 0), 0.7).astype(np.float32)
    scores = [np.nan]
    for role in (HAND, OBJECT):
        clearness = _clearness(smooth, (mask == ROLE_CODE[role]).astype(np.uint8))
        if len(clearness) >= FEWEST:
            own, best = clearness[:, SEARCHED - 1 : SEARCHED + 2].max(1), clearness.max(1)
            judged = best > CLEAR
            found = judged & (own >= AS_CLEAR * best)
            scores.append(found.sum() / max(judged.sum(), FOLLOWED * len(judged)))
    return float(np.fmin.reduce(scores))


def _clearness(smooth: np.ndarray, region: np.ndarray) -> np.ndarray:
    """[N, 2 SEARCHED + 1] for N pixels of a region's outline: how clear an edge there is, from inside to outside."""
    height, width = region.shape
    down, right = np.gradient(cv2.GaussianBlur(region.astype(np.float32), (0, 0), 1.5))
    reach = SEARCHED + STRIP
    offsets = np.arange(-reach, reach + 1, dtype=np.float32)
    found = [np.empty((0, 2 * SEARCHED + 1), np.float32)]
    for contour in cv2.findContours(region, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)[0]:
        pixels = contour[:, 0]
        if len(pixels) <= 2 * ALONG:
            continue
        u, v = pixels.T
        inward = np.stack([right[v, u], down[v, u]], -1)
        length = np.linalg.norm(inward, axis=1, keepdims=True)
        outward = -inward / np.maximum(length, 1e-6)
        places = (pixels + outward / 2)[:, None] + offsets[:, None] * outward[:, None]  # the outline is between pixels
        profile = cv2.remap(smooth, places.astype(np.float32), None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        judged = (length[:, 0] > 1e-3) & (np.minimum(pixels, (width - 1, height - 1) - pixels).min(1) >= BORDER)
        found.append(_edges(profile)[judged])
    return np.concatenate(found)


def _edges(profile: np.ndarray) -> np.ndarray:
    """Clearness [N, 2 SEARCHED + 1] of the edges in the colours [N, 2 (SEARCHED + STRIP) + 1, 3] across an outline."""
    mean, square = _along(profile), _along(profile**2)
    inside, outside = _strips(mean)
    deviations = [s - m**2 for s, m in zip(_strips(square), (inside, outside), strict=True)]
    variance = NOISE**2 + np.maximum(deviations, 0).sum(0)
    return np.sqrt(((inside - outside) ** 2 / variance).sum(-1))


def _along(values: np.ndarray) -> np.ndarray:
    """Means of ``ALONG`` pixels to both sides along a closed outline."""
    around = np.concatenate([values[-ALONG:], values, values[:ALONG]])
    return np.lib.stride_tricks.sliding_window_view(around, 2 * ALONG + 1, axis=0).mean(-1)


def _strips(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means over the strip before, and the strip behind, each place across the outline."""
    strips = np.lib.stride_tricks.sliding_window_view(values, STRIP, axis=1).mean(-1)
    return strips[:, : 2 * SEARCHED + 1], strips[:, STRIP + 1 :]
