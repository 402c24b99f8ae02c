"""Whether a painted object is the one in the reference pictures, by networks whose weights the user gives."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch

from hoigen.episodes import sha256_of
from hoigen.metrics.learned import Features, clip_features
from hoigen.metrics.weights import WeightsError, pretrained

__all__ = ['Identity', 'IdentityConfig', 'cut_out', 'dino_features']

MARGIN = 0.08
"""White around an object that is cut out, in parts of its longer side."""


@dataclass(frozen=True)
class IdentityConfig:
    """Where networks lie that tell objects apart; a measure without weights is left out.

    dino: folder of a DINO or DINOv2 model (config.json, model.safetensors, preprocessor_config.json). clip: the same
    of a CLIP model. Mind their licences.
    """

    dino: Path | None = None
    clip: Path | None = None


class Identity:
    """Similarity of an object in a picture to a reference picture of it, for each network that is given; ``weights``
    maps its name to the SHA-256 of its weights."""

    def __init__(self, config: IdentityConfig) -> None:
        given = {name: path for name, path in (('DINO', config.dino), ('CLIP', config.clip)) if path is not None}
        missing = [f'{name.lower()}: expected a folder of weights, found none at {path}' for name, path in given.items()
                   if not path.is_dir()]
        if missing:
            raise WeightsError('; '.join(missing))
        readers = {'DINO': dino_features, 'CLIP': clip_features}
        self._networks: dict[str, Features] = {name: readers[name](path) for name, path in given.items()}
        self.weights = {name: sha256_of(path / 'model.safetensors') for name, path in given.items()}

    @torch.no_grad()
    def compare(self, picture: np.ndarray, mask: np.ndarray, reference: np.ndarray) -> dict[str, float]:
        """Cosine similarity by network's name; picture [H,W,3] uint8, the object where mask [H,W] bool says, reference
        [S,S,3] uint8 the object alone on white."""
        pair = (cut_out(picture, mask)[None], reference[None])
        return {name: float(torch.cosine_similarity(*(network(one) for one in pair)))
                for name, network in self._networks.items()}


def dino_features(folder: Path) -> Features:
    """Pictures through DINO or DINOv2: the class token of the last layer."""
    from transformers import AutoImageProcessor, AutoModel

    network, prepare = pretrained(folder, AutoModel, AutoImageProcessor)
    return lambda frames: network(**prepare(list(frames), return_tensors='pt')).last_hidden_state[:, 0]


def cut_out(picture: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The masked part of a picture alone on white, as reference pictures are: square, uint8."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        raise ValueError('mask: expected at least one pixel of the object, got none')
    part = np.s_[rows[0]:rows[-1] + 1, columns[0]:columns[-1] + 1]
    piece = np.where(mask[part][..., None], picture[part], np.uint8(255))
    high, wide = piece.shape[:2]
    side = int(np.ceil(max(high, wide) * (1 + 2 * MARGIN)))
    top, left = (side - high) // 2, (side - wide) // 2
    return cv2.copyMakeBorder(piece, top, side - high - top, left, side - wide - left, cv2.BORDER_CONSTANT,
                              value=(255, 255, 255))
