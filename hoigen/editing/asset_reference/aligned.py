"""Which pictures are good examples: those that show the asset at its estimated pose (RefAny3D, 3.3)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from hoigen.geometry.shading import draw
from hoigen.models.hub.published import read_tensors
from hoigen.models.lpips import Lpips
from hoigen.models.tensors import load_network
from hoigen.records import Camera, MeshAsset

Distance = Callable[[np.ndarray, np.ndarray], float]
"""Perceptual distance of two pictures [H,W,3] uint8 (:func:`perceptual`)."""
MARGIN = 0.1
"""Room about the object in the pieces that are compared, as a share of its extent."""
COMPARED = 224
"""Side of the pieces that are compared, pixels."""


@dataclass(frozen=True)
class AlignmentLimits:
    """An example is kept if the masks overlap by more than ``iou`` (intersection over union) and, where a perceptual
    distance is at hand, the asset's rendering is nearer to the picture than ``lpips``."""

    iou: float = 0.8
    lpips: float = 0.3


@dataclass(frozen=True)
class Alignment:
    """How well an asset at a pose fits a picture. lpips: NaN where no weights for it were given."""

    iou: float
    lpips: float

    def faults(self, limits: AlignmentLimits) -> tuple[str, ...]:
        """Why the example is left out, nothing if it is kept. What was not measured leaves nothing out."""
        found = []
        if not self.iou > limits.iou:
            found.append(f'mask: expected an IoU above {limits.iou}, got {self.iou:.3f}')
        if self.lpips >= limits.lpips:
            found.append(f'look: expected an LPIPS below {limits.lpips}, got {self.lpips:.3f}')
        return tuple(found)


def alignment(
    rgb: np.ndarray,
    mask: np.ndarray,
    mesh: MeshAsset,
    T_world_object: np.ndarray,
    camera: Camera,
    distance: Distance | None = None,
) -> Alignment:
    """Compare a picture [H,W,3] uint8 and the object's mask [H,W] bool in it with the asset drawn at its pose.

    IoU is 0 where either mask is empty. The perceptual distance is of the object alone, on white, cut out and enlarged.
    ValueError where picture, mask and camera have different sizes.
    """
    size = (camera.height, camera.width)
    if rgb.shape != (*size, 3) or mask.shape != size:
        raise ValueError(
            f"alignment: expected picture and mask of the camera's size {camera.width}x{camera.height}, "
            f'got {rgb.shape[1]}x{rgb.shape[0]} and {mask.shape[1]}x{mask.shape[0]}'
        )
    view = draw(mesh, T_world_object, camera)
    union = mask | view.mask
    if not (mask.any() and view.mask.any()):
        return Alignment(0.0, float('nan'))
    iou = float((mask & view.mask).sum() / union.sum())
    apart = float('nan')
    if distance is not None:
        white = np.uint8(255)
        apart = distance(
            _piece(np.where(mask[..., None], rgb, white), union),
            _piece(np.where(view.mask[..., None], view.rgb, white), union),
        )
    return Alignment(iou, apart)


def _piece(picture: np.ndarray, where: np.ndarray) -> np.ndarray:
    """The part of a picture about ``where``, white beyond the picture, [COMPARED,COMPARED,3]."""
    rows, columns = np.flatnonzero(where.any(1)), np.flatnonzero(where.any(0))
    extent = max(rows[-1] - rows[0], columns[-1] - columns[0]) + 1
    half = round((0.5 + MARGIN) * extent) + 1
    padded = np.pad(picture, ((half, half), (half, half), (0, 0)), constant_values=255)
    v, u = (rows[0] + rows[-1]) // 2 + half, (columns[0] + columns[-1]) // 2 + half
    piece = padded[v - half : v + half, u - half : u + half]
    return cv2.resize(piece, (COMPARED, COMPARED), interpolation=cv2.INTER_LINEAR)


def perceptual(weights: Path) -> Distance:
    """LPIPS with AlexNet's published weights (alexnet-owt-7be5be79.pth); ModelError where they are not those."""
    network = load_network(Lpips(), read_tensors(weights), weights)
    return lambda a, b: float(network(a[None], b[None])[0])
