"""What a generated point map says of the picture: each pixel's place on the asset has a colour in the asset's views."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from scipy.spatial import cKDTree

from hoigen.editing.asset_reference.conditions import AssetViews, is_asset
from hoigen.editing.flux_insertion.conditions import as_signed, as_uint8
from hoigen.editing.flux_insertion.refiner import Refiner
from hoigen.editing.flux_insertion.synthesis import GREY

__all__ = ['looked_up', 'refined']

FAR = 0.2
"""A place so far from all that the views show, as a share of the asset's box, has no known colour."""


def looked_up(colours: np.ndarray, views: AssetViews) -> tuple[np.ndarray, np.ndarray]:
    """The asset's own colours [S,S,3] uint8 where a point map [S,S,3] uint8 shows it, grey elsewhere; and how sure they
    are, [S,S] float32 from 0 to 1.

    A colour is that of the nearest place in any view; pixels at an outline, which are mixed with white, are not asked.
    """
    shown = is_asset(views.points)
    inner = np.stack([cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0 for mask in shown])
    where = is_asset(colours)
    picture, sure = np.full_like(colours, GREY), np.zeros(where.shape, np.float32)
    if inner.any() and where.any():
        apart, nearest = cKDTree(views.points[inner] / 255).query(colours[where] / 255)
        picture[where] = views.rgb[inner][nearest]
        sure[where] = np.clip(1 - apart / FAR, 0, 1)
    return picture, sure


@torch.no_grad()
def refined(refiner: Refiner, rgb: np.ndarray, colours: np.ndarray, views: AssetViews) -> np.ndarray:
    """A small model's picture [S,S,3] uint8 mended by what its point map looks up on the asset."""
    device = next(refiner.parameters()).device
    known, sure = looked_up(colours, views)
    pictures = [torch.from_numpy(as_signed(picture)).permute(2, 0, 1)[None].to(device) for picture in (rgb, known)]
    shares = [torch.from_numpy(share.astype(np.float32))[None, None].to(device) for share in (sure, is_asset(colours))]
    return as_uint8(refiner(*pictures, *shares)[0].permute(1, 2, 0).float().cpu().numpy())
