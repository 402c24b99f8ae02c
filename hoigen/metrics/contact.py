"""Contact-point error: how far from its true place a generated frame shows what is around each contact point.

Around each visible point in contact the true frame is a template, searched for in the generated frame: normalised
cross-correlation over whole pixels, then ECC (Evangelidis and Psarakis, "Parametric image alignment using enhanced
correlation coefficient maximization", IEEE TPAMI 2008) below the pixel, both OpenCV's. Points in contact lie close
together: one per window counts. A point whose surroundings have too little texture to be placed is left out; this
depends on the true frame only, so that every method is judged at the same points. A pattern that is not found counts
as an error of the search radius: a picture does not gain by showing nothing that can be compared.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

TEXTURE = 4.0
"""Least texture: root mean square gradient in its weakest direction, grey levels per pixel."""

FOUND = 0.5
"""Least correlation coefficient of a pattern that was found."""

REFINE = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 100, 1e-6)


@dataclass(frozen=True, eq=False)
class ContactPoints:
    """Where points are in contact and seen, in the frame's pixels.

    pixels: [T,N,2] (u, v). depth_m: [T,N] along the optical axis. seen: [T,N] bool, in contact and visible.
    focal_px: [T] focal lengths.
    """

    pixels: np.ndarray
    depth_m: np.ndarray
    seen: np.ndarray
    focal_px: np.ndarray


@dataclass(frozen=True, eq=False)
class ContactErrors:
    """Per judged point: pixels [M], millimetres [M] at its depth, found [M] bool. textureless: points left out."""

    pixels: np.ndarray
    millimetres: np.ndarray
    found: np.ndarray
    textureless: int


def contact_errors(frames: np.ndarray, truth: np.ndarray, contacts: ContactPoints) -> ContactErrors:
    """Errors at the contact points of all frames; frames, truth: [T,H,W,3] uint8.

    The window's half size and the search radius are 1/24 of the picture's width: 8 pixels of 192.
    """
    radius = max(4, truth.shape[2] // 24)
    rows, textureless = [], 0
    for t in range(len(truth)):
        true_grey, grey = (cv2.cvtColor(video[t], cv2.COLOR_RGB2GRAY).astype(np.float32) for video in (truth, frames))
        for n in _apart(contacts.pixels[t], np.flatnonzero(contacts.seen[t]), radius, truth.shape[1:3]):
            centre = np.rint(contacts.pixels[t, n]).astype(int)
            template = _window(true_grey, centre, radius)
            if _texture(template) < TEXTURE:
                textureless += 1
                continue
            offset = _displacement(template, grey, centre, radius)
            error = float(radius) if offset is None else min(float(np.hypot(*offset)), float(radius))
            rows.append((error, 1000 * error * contacts.depth_m[t, n] / contacts.focal_px[t], offset is not None))
    table = np.array(rows, float).reshape(-1, 3)
    return ContactErrors(table[:, 0], table[:, 1], table[:, 2] > 0, textureless)


def _apart(pixels: np.ndarray, points: np.ndarray, radius: int, size: tuple[int, int]) -> list[int]:
    """Of these points, in order, those whose window lies in the picture, no two within a radius of each other."""
    chosen: list[int] = []
    low, high = radius, np.array(size[::-1]) - 1 - radius
    for n in points:
        inside = bool((pixels[n] >= low).all() and (pixels[n] <= high).all())
        if inside and all(np.hypot(*(pixels[n] - pixels[other])) > radius for other in chosen):
            chosen.append(int(n))
    return chosen


def _window(grey: np.ndarray, centre: np.ndarray, radius: int) -> np.ndarray:
    u, v = centre
    return grey[v - radius : v + radius + 1, u - radius : u + radius + 1]


def _texture(window: np.ndarray) -> float:
    """Root mean square gradient in the weakest direction: an edge alone has none along itself."""
    v, u = np.gradient(window)
    covariance = np.array([[np.mean(u * u), np.mean(u * v)], [np.mean(u * v), np.mean(v * v)]])
    return float(np.sqrt(max(np.linalg.eigvalsh(covariance)[0], 0)))


def _displacement(template: np.ndarray, grey: np.ndarray, centre: np.ndarray, radius: int) -> np.ndarray | None:
    """(du, dv) of the template's pattern in a picture against ``centre``, None where it is not found."""
    border = cv2.copyMakeBorder(grey, radius, radius, radius, radius, cv2.BORDER_REPLICATE)
    area = _window(border, centre + radius, 2 * radius)
    scores = cv2.matchTemplate(area, template, cv2.TM_CCOEFF_NORMED)
    row, column = np.unravel_index(scores.argmax(), scores.shape)
    if not scores[row, column] >= FOUND:
        return None
    return _refined(template, area, np.array([column, row], np.float32)) - radius


def _refined(template: np.ndarray, area: np.ndarray, corner: np.ndarray) -> np.ndarray:
    """The template's corner (u, v) in the area below the pixel; the whole-pixel one where ECC does not hold to it."""
    shift = np.array([[1, 0, corner[0]], [0, 1, corner[1]]], np.float32)
    try:
        _, shift = cv2.findTransformECC(template, area, shift, cv2.MOTION_TRANSLATION, REFINE, None, 1)
    except cv2.error:  # it did not converge
        return corner
    return shift[:, 2] if np.abs(shift[:, 2] - corner).max() <= 1 else corner
