"""Whether a painted object is the one in the reference pictures, by networks whose weights the user gives."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import torch

from hoigen.editing.evaluation.options import IdentityConfig
from hoigen.metrics.learned import clip_features
from hoigen.models.hub import ModelError, weights_of
from hoigen.provenance import sha256_of

MARGIN = 0.08
"""White around an object that is cut out, in parts of its longer side."""


class Identity:
    """Similarity of an object in a picture to a reference picture of it, for each network that is given; ``weights``
    maps its name to the SHA-256 of its weights."""

    def __init__(self, config: IdentityConfig) -> None:
        self._networks: dict[str, Callable[[list[np.ndarray]], torch.Tensor]] = {}
        self.weights: dict[str, str] = {}
        if config.dino is not None:
            from hoigen.models.labelling import load_likeness  # here: who gives no weights need not wait for it

            likeness = load_likeness(config.dino)
            self._networks['DINO'] = lambda pictures: torch.from_numpy(likeness(pictures))
            self.weights['DINO'] = sha256_of(weights_of(config.dino) / 'model.safetensors')
        if config.clip is not None:
            if not config.clip.is_dir():
                raise ModelError(f'clip: expected a folder of weights, found none at {config.clip}')
            self._networks['CLIP'] = clip_features(config.clip)
            self.weights['CLIP'] = sha256_of(config.clip / 'model.safetensors')

    @torch.no_grad()
    def compare(self, picture: np.ndarray, mask: np.ndarray, reference: np.ndarray) -> dict[str, float]:
        """Cosine similarity by network's name; picture [H,W,3] uint8, the object where mask [H,W] bool says, reference
        [S,S,3] uint8 the object alone on white."""
        alone = cut_out(picture, mask)
        return {
            name: float(torch.cosine_similarity(network([alone]), network([reference])))
            for name, network in self._networks.items()
        }


def cut_out(picture: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The masked part of a picture alone on white, as reference pictures are: square, uint8."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        raise ValueError('mask: expected at least one pixel of the object, got none')
    part = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    piece = np.where(mask[part][..., None], picture[part], np.uint8(255))
    high, wide = piece.shape[:2]
    side = int(np.ceil(max(high, wide) * (1 + 2 * MARGIN)))
    top, left = (side - high) // 2, (side - wide) // 2
    return cv2.copyMakeBorder(
        piece, top, side - high - top, left, side - wide - left, cv2.BORDER_CONSTANT, value=(255, 255, 255)
    )
