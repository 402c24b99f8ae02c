"""What a small model's picture and point map tell of each other: both are mended by it, at full resolution.

The picture shows where the asset is, and so where its point map ends; the point map says which place of the asset a
pixel shows, and so which colour it has in the asset's views.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor, nn

from hoigen.editing.asset_reference.conditions import AssetViews, is_asset
from hoigen.editing.conditions import as_signed, as_uint8
from hoigen.editing.synthesis import GREY
from hoigen.models.flux import Refiner

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


class AssetRefiner(nn.Module):
    """Two networks that begin as nothing: ``points`` mends the point map, ``picture`` then the picture."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.points, self.picture = Refiner(width), Refiner(width)

    def forward(self, rgb: Tensor, colours: Tensor, views: Sequence[AssetViews]) -> tuple[Tensor, Tensor]:
        """The pictures and coloured point maps [B,3,S,S] in [-1, 1], mended; views: of each one's asset."""
        rough = _shares([is_asset(one) for one in _bytes(colours)], rgb)
        colours = self.points(colours, rgb, torch.zeros_like(rough), rough)
        maps = _bytes(colours)
        found = [looked_up(one, of) for one, of in zip(maps, views, strict=True)]
        known = torch.from_numpy(np.stack([as_signed(picture) for picture, _ in found])).permute(0, 3, 1, 2)
        sure = _shares([share for _, share in found], rgb)
        mask = _shares([is_asset(one) for one in maps], rgb)
        return self.picture(rgb, known.to(rgb), sure, mask), colours


def _bytes(pictures: Tensor) -> np.ndarray:
    """[B,S,S,3] uint8 of pictures [B,3,S,S] in [-1, 1]."""
    return as_uint8(pictures.detach().permute(0, 2, 3, 1).float().cpu().numpy())


def _shares(maps: Sequence[np.ndarray], like: Tensor) -> Tensor:
    """[B,1,S,S] of maps [S,S]."""
    return torch.from_numpy(np.stack(maps).astype(np.float32))[:, None].to(like)
