"""Every weight-free measure of a generated video against the truth, over the full frame and by region."""

from __future__ import annotations

import cv2
import numpy as np

from hoigen.conventions import OBJECT, ROLE_CODE
from hoigen.metrics.contact import ContactPoints, contact_errors
from hoigen.metrics.image import l1, psnr, region_mean, ssim_map
from hoigen.metrics.video import gmsd, gmsd_t, st_ssim_map
from hoigen.records import Clip, Conditions

FULL, HAND_OBJECT, BACKGROUND, SHADOW = 'full', 'hand-object', 'background', 'shadow'
REGIONS = (FULL, HAND_OBJECT, OBJECT, BACKGROUND, SHADOW)
"""Hand-object is the paper's HOI region; background is all outside it; shadow is where its light has changed."""

ON_REGIONS = ('PSNR', 'SSIM', 'L1', 'GMSD', 'ST-SSIM', 'GMSD-T')
CONTACT_PX, CONTACT_MM, CONTACT_FOUND = 'contact error px', 'contact error mm', 'contact patterns found'
MEASURES = (
    *(f'{measure} {region}' for measure in ON_REGIONS for region in REGIONS),
    CONTACT_PX,
    CONTACT_MM,
    CONTACT_FOUND,
)
HUE, OUTLINE_IOU = 'hue as asked', 'outline IoU'
"""Of a model that is told a look (:mod:`hoigen.video.evaluate_looks`)."""
HIGHER = ('PSNR', 'SSIM', 'ST-SSIM', 'CLIP', CONTACT_FOUND, HUE, OUTLINE_IOU)

LIGHT_CHANGE = 8.0
"""Grey levels by which the light of a place must differ from frame 0 for it to be in the shadow region."""


def higher_is_better(measure: str) -> bool:
    """Whether more is better, for MEASURES and the learned ones."""
    return measure in HIGHER or measure.split()[0] in HIGHER


def regions(truth: np.ndarray, conditions: Conditions) -> dict[str, np.ndarray | None]:
    """Region [T,H,W] bool by name, None for the full frame; truth [T,H,W,3] uint8, a row per row of the conditions.

    The shadow region is found in the truth: outside hand and object, where frame 0's scene was seen and its brightness
    there, smoothed over 2 pixels, has changed by more than LIGHT_CHANGE.
    """
    mask = conditions.mask
    now, before = (
        cv2.cvtColor(video.reshape(-1, *video.shape[2:]), cv2.COLOR_RGB2GRAY).reshape(mask.shape)
        for video in (truth, conditions.background)
    )
    change = np.stack([cv2.GaussianBlur(a - b, (0, 0), 2) for a, b in zip(now.astype(np.float32), before, strict=True)])
    return {
        FULL: None,
        HAND_OBJECT: mask > 0,
        OBJECT: mask == ROLE_CODE[OBJECT],
        BACKGROUND: mask == 0,
        SHADOW: (mask == 0) & conditions.background_known & (np.abs(change) > LIGHT_CHANGE),
    }


def contact_points(clip: Clip, conditions: Conditions) -> ContactPoints:
    """The clip's points in contact that the cameras see, at the conditions' size."""
    return ContactPoints(
        conditions.point_pixels,
        conditions.point_depth_m,
        conditions.point_visible & clip.point_contact,
        np.array([camera.K[0, 0] for camera in conditions.cameras]),
    )


def measure(frames: np.ndarray, truth: np.ndarray, clip: Clip, conditions: Conditions) -> dict[str, float]:
    """Each of MEASURES of [T,H,W,3] uint8 frames at the conditions' size, without frame 0, which a method is given.

    NaN where a clip does not have it: no pixel of a region, no contact point that can be judged.
    """
    places = {name: None if region is None else region[1:] for name, region in regions(truth, conditions).items()}
    points = contact_points(clip, conditions)
    points = ContactPoints(*(getattr(points, name)[1:] for name in ('pixels', 'depth_m', 'seen', 'focal_px')))
    made, true = frames[1:], truth[1:]
    similarity, in_time = ssim_map(made, true), st_ssim_map(made, true)
    row: dict[str, float] = {}
    for name, region in places.items():
        if region is not None and not region.any():
            continue
        row |= {
            f'L1 {name}': l1(made, true, region),
            f'PSNR {name}': psnr(made, true, region),
            f'SSIM {name}': region_mean(similarity, region),
            f'ST-SSIM {name}': region_mean(in_time, region),
            f'GMSD {name}': gmsd(made, true, region),
            f'GMSD-T {name}': gmsd_t(made, true, region),
        }
    errors = contact_errors(made, true, points)
    if len(errors.pixels):
        row |= {
            CONTACT_PX: float(errors.pixels.mean()),
            CONTACT_MM: float(errors.millimetres.mean()),
            CONTACT_FOUND: float(errors.found.mean()),
        }
    return {name: row.get(name, float('nan')) for name in MEASURES}
