"""A clip whose first frame has another appearance: a first image from elsewhere, held against the geometry of frame 0.

A first image is one of the same camera at the same instant: it may have any colours, textures and light, but hand and
object must be where the clip has them. That is judged by their outlines, as a source is (:mod:`.source_check`): the
image's edges must lie on them, and on the same outlines moved aside less.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hoigen.conditioning.background import same_view
from hoigen.conditioning.source_check import ENOUGH, WIDTH, edges_of, nearest_pixels, outlines
from hoigen.conditioning.window import recoloured
from hoigen.conventions import HAND, OBJECT, ROLE_CODE, SCENE
from hoigen.geometry.view import centre_of
from hoigen.records import Clip

MIN_RANK, MIN_LEAD, ASIDE = 0.7, 0.04, 4
"""An image shows hand and object in place if the mean rank of its edges is so high on the outlines of each, and on all
of them so much higher than on the same ones moved by ``ASIDE`` of ``WIDTH`` pixels in any direction. Of 24 held-out
episodes fit all own images and 71 of 72 in other looks, none of 1,104 of other episodes, none of 96 moved by 1.4 % of
the width and all moved by 0.6 %."""

SAME_ASPECT = 0.01
"""Aspects of two images are one when they differ by no larger part."""

SAME_COLOUR = 12
"""Grey levels by which a background may differ from the first image at a pixel that counts as alike."""

MIN_SCENE, MAX_ACTORS = 0.6, 0.7
"""Fraction of alike pixels of a background where the first image shows the scene, at least, and where it shows hand and
object, at most: all 72 empty scenes of those looks fit, none of 2,256 of another look or episode."""


class FirstImageError(ValueError):
    """An image does not fit the clip that it is to be the first image or the background of."""


def with_first_image(clip: Clip, image: np.ndarray) -> tuple[Clip, dict[str, float]]:
    """The clip with ``image`` [H,W,3] uint8, resized, as frame 0, and by role how well its edges fit the outlines.

    The points take its colours; geometry, labels and later frames stay. The fit is the mean rank, 0 to 1, of the edges
    on the outlines of frame 0's hand and object. Shifts below 1.4 % of the width cannot be seen.
    Raises :class:`FirstImageError` for an image of another aspect, or one that does not fit.
    """
    image, roles = _resized(image, clip), clip.mask[0][nearest_pixels(clip.mask.shape[1:])]
    on = {role: outlines(roles == ROLE_CODE[role]) for role in (HAND, OBJECT)}
    on = {role: found for role, found in on.items() if found.sum() >= ENOUGH}
    if not on:
        raise FirstImageError(
            f'expected outlines of hand or object in frame 0 to hold the image against, got less than {ENOUGH} pixels'
        )
    edges, every = edges_of(image), np.logical_or.reduce(list(on.values()))
    ranks, whole = {role: float(edges[found].mean()) for role, found in on.items()}, float(edges[every].mean())
    aside = max(_rank_aside(edges, every, angle) for angle in np.arange(8) * np.pi / 4)
    if min(ranks.values()) < MIN_RANK:
        found = ', '.join(f'{role} {rank:.2f}' for role, rank in ranks.items())
        raise FirstImageError(
            f"expected frame 0's hand and object where the clip has them, edges of mean rank {MIN_RANK} or more on "
            f'their outlines, got {found}'
        )
    if whole < aside + MIN_LEAD:
        raise FirstImageError(
            f"expected frame 0's hand and object where the clip has them, edges of a mean rank {MIN_LEAD} higher on "
            f'their outlines than {ASIDE / WIDTH:.1%} of the width aside, got {whole:.2f} and {aside:.2f} aside'
        )
    return recoloured(replace(clip, rgb=np.concatenate([image[None], clip.rgb[1:]]))), ranks


def checked_background(clip: Clip, image: np.ndarray) -> np.ndarray:
    """``image`` [H,W,3] uint8 at the clip's size, which shows what frame 0 does without hand and object.

    Raises :class:`FirstImageError` where the clip's camera moves, and for an image of another aspect, of another scene,
    in another light, or with hand and object.
    """
    moving = [t for t, camera in enumerate(clip.cameras) if not same_view(camera, clip.cameras[0])]
    if moving:
        raise FirstImageError(f'expected a camera that stands still, got one that moves in frame {moving[0]}')
    image, acting = _resized(image, clip), clip.mask[0] != ROLE_CODE[SCENE]
    alike = np.abs(image.astype(np.int16) - clip.rgb[0]).mean(-1) <= SAME_COLOUR
    if not acting.all() and (found := alike[~acting].mean()) < MIN_SCENE:
        raise FirstImageError(
            f'expected the scene of the first image, {MIN_SCENE:.0%} of its pixels within {SAME_COLOUR} grey levels, '
            f'got {found:.0%}'
        )
    if acting.any() and (found := alike[acting].mean()) > MAX_ACTORS:
        raise FirstImageError(
            f'expected an image without hand and object, at most {MAX_ACTORS:.0%} of their pixels as in the first '
            f'image, got {found:.0%}'
        )
    return image


def _resized(image: np.ndarray, clip: Clip) -> np.ndarray:
    (height, width), (down, across) = clip.mask.shape[1:], image.shape[:2]
    if abs(across * height / (down * width) - 1) > SAME_ASPECT:
        raise FirstImageError(f"expected the camera's aspect, {width}x{height}, got {across}x{down}")
    return centre_of(across, down, width, height).picture(image)


def _rank_aside(edges: np.ndarray, outline: np.ndarray, angle: float) -> float:
    """Mean rank on an outline moved by ``ASIDE`` pixels, as far as it is in the image; 0 where most of it is not."""
    pixels = np.argwhere(outline) + np.rint(ASIDE * np.array([np.sin(angle), np.cos(angle)])).astype(int)
    row, column = pixels[((pixels >= 0) & (pixels < edges.shape)).all(axis=1)].T
    return float(edges[row, column].mean()) if 2 * row.size >= len(pixels) else 0.0
