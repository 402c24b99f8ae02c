"""Conditions as small images for the eye, which are recorded with what is made of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np

from hoigen.look.colours import ROLE_COLOURS
from hoigen.look.images import webp
from hoigen.models.cogvideox import rough_picture
from hoigen.records import ConditionImages, Conditions
from hoigen.video.configuration import ModelConfig
from hoigen.video.inputs import Appearance, reference_video, to_uint8, tracking_video

HEIGHT = 128
"""No image is higher, pixels."""
HIDDEN = 0.3
"""Brightness of a point that is hidden."""


def condition_images(conditions: Conditions, names: Sequence[str], config: ModelConfig) -> ConditionImages:
    """Of each of the conditions ``names`` (points, tracking, coloured) one image for each frame."""
    videos: dict[str, Callable[[], np.ndarray]] = {
        'points': lambda: _drawn_points(conditions, config.cloud),
        'tracking': lambda: tracking_video(conditions, config.tracking_colours),
        'coloured': lambda: to_uint8(rough_picture(reference_video(Appearance.of(conditions)))),
    }
    stamps = conditions.stamps_ns.tolist()
    return {name: {at: webp(_small(image)) for at, image in zip(stamps, videos[name](), strict=True)} for name in names}


def _small(image: np.ndarray) -> np.ndarray:
    high, wide = image.shape[:2]
    if high <= HEIGHT:
        return image
    return cv2.resize(image, (max(1, round(wide * HEIGHT / high)), HEIGHT), interpolation=cv2.INTER_AREA)


def _drawn_points(conditions: Conditions, cloud: int) -> np.ndarray:
    """[T,H,W,3] uint8: the points as dots of their role's colour, near ones and those that are seen before others."""
    c = conditions
    count = c.points.shape[1]
    rows = np.linspace(0, count - 1, min(cloud, count)).round().astype(int)
    colours = ROLE_COLOURS[c.point_role[rows]]
    radius = max(1, round(c.image.shape[0] / HEIGHT))
    drawn = np.zeros_like(c.tracking)
    for canvas, pixels, depth_m, visible in zip(
        drawn, c.point_pixels[:, rows], c.point_depth_m[:, rows], c.point_visible[:, rows], strict=True
    ):
        shades = (colours * np.where(visible, 1, HIDDEN)[:, None]).astype(int)
        for n in np.lexsort((-depth_m, visible)):
            if depth_m[n] > 0 and np.abs(pixels[n]).max() < 1e5:
                cv2.circle(canvas, np.rint(pixels[n]).astype(int).tolist(), radius, shades[n].tolist(), cv2.FILLED)
    return drawn
