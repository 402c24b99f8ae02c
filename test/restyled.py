"""Frame 0 of a clip in another look, as a first image from elsewhere."""

from __future__ import annotations

import cv2
import numpy as np

from hoigen.conventions import HAND, OBJECT, ROLE_CODE, SCENE
from hoigen.records import Clip

COLOURS = {SCENE: (60, 150, 70), HAND: (230, 120, 150), OBJECT: (240, 220, 40)}


def restyled(clip: Clip, seed: int = 0) -> np.ndarray:
    """Frame 0 in other colours, on textured scenery, blurred and noisy; light and shadows stay."""
    rng = np.random.default_rng(seed)
    grey, height, width = clip.rgb[0].mean(-1), *clip.mask.shape[1:]
    texture = cv2.resize(rng.uniform(0.8, 1.2, (height // 8, width // 8)), (width, height))
    image = np.zeros(clip.rgb[0].shape)
    for role, colour in COLOURS.items():
        at = clip.mask[0] == ROLE_CODE[role]
        shade = np.clip(grey[at] / np.median(grey[at]), 0.4, 1.6) * (texture[at] if role == SCENE else 1)
        image[at] = np.array(colour) * shade[:, None]
    image = cv2.GaussianBlur(image, (0, 0), 0.5) + rng.normal(0, 3, image.shape)
    return np.clip(image, 0, 255).astype(np.uint8)
