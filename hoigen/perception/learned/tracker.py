"""VGGT's track head as a tracker of footage."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from hoigen.models.vggt.model import VGGT, to_tensor
from hoigen.perception.records import PerceptionError
from hoigen.records import Footage

AT_ONCE = 50
"""Frames that are tracked through at once, beside the frame of the query."""

SURE = 0.5
"""A point counts as visible where both its visibility and its confidence are likelier than this."""


def vggt_tracker(model: VGGT) -> Callable[[Footage, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """A tracker: (footage, pixels [M,2] float32 (u, v), query [M] int32) -> (pixels [T,M,2] float32, visible [T,M]).

    The points at ``pixels`` of frames ``query`` are looked for in all frames, before and behind. A pixel is said of
    every frame, and may lie outside the picture; it is a guess where the point is not visible.
    """
    if model.config.track is None:
        raise PerceptionError(f'{model.config.name}: expected a model with a track head, this one has none')

    def follow(footage: Footage, pixels: np.ndarray, query: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        frames = len(footage.rgb)
        places = np.empty((frames, len(pixels), 2), np.float32)
        visible = np.empty((frames, len(pixels)), bool)
        for first in np.unique(query):
            chosen = np.flatnonzero(query == first)
            for others in _parts(frames, int(first)):
                order = np.concatenate([[first], others])  # the model looks from its first picture
                found = _track(model, footage.rgb[order], pixels[chosen])
                places[order[:, None], chosen], visible[order[:, None], chosen] = found
            places[first, chosen], visible[first, chosen] = pixels[chosen], True
        return places, visible

    return follow


def _parts(frames: int, first: int) -> list[np.ndarray]:
    """The frames but the first one of the query, in parts of at most AT_ONCE."""
    others = np.delete(np.arange(frames), first)
    return [others[i : i + AT_ONCE] for i in range(0, max(len(others), 1), AT_ONCE)]


@torch.no_grad()
def _track(model: VGGT, rgb: np.ndarray, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pixels [S,N,2] and visible [S,N] of points at pixels [N,2] of the first of pictures [S,H,W,3]."""
    images = to_tensor(rgb, model.config, model.device)
    height, width = rgb.shape[1:3]
    scale = np.array([images.shape[-1] / width, images.shape[-2] / height], np.float32)
    queries = torch.from_numpy((pixels + 0.5) * scale - 0.5).float().to(model.device)
    found = model.tracks(model.tokens(images), queries[None])
    places = (found.pixels[-1][0].cpu().numpy() + 0.5) / scale - 0.5
    inside = ((places > -0.5) & (places < np.array([width, height]) - 0.5)).all(-1)
    sure = ((found.visible > SURE) & (found.confidence > SURE))[0].cpu().numpy()
    return places, sure & inside
