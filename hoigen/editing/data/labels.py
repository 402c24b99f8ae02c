"""Labels of a real picture: what lies beside it, else what models tell (SpatialHand, data pipeline, step 3)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from hoigen.editing.data.filters import Likeness
from hoigen.editing.data.records import DataError
from hoigen.geometry.orientation import Orientation
from hoigen.sources.recording.depth import DepthUnit
from hoigen.sources.recording.stills import PICTURES, read_depth, read_picture
from hoigen.untrusted.limits import Limits

FILL = 0.86
"""The share of a cut-out's side that the object takes, as in the pictures of meshes."""
WHITE, BLACK = 255, 0
CUTOUT = 256
"""Side of a cut-out that models look at, pixels."""
LEAST = 24
"""An object smaller than this in both directions is not learned from, pixels."""
MASK, DEPTH, WITHOUT = '.mask.png', '.depth', '.without'


class PictureFault(ValueError):
    """A picture is not learned from; the text is the reason."""


@dataclass(frozen=True)
class LabelOptions:
    """Models that label real pictures; one is needed only where no file beside the picture tells it."""

    detector: str = 'grounding-dino'
    """Grounding DINO: folder or catalogue name."""
    sam: str = 'sam2'
    """SAM 2.1: folder or catalogue name."""
    depth: str = 'depth-anything'
    """Depth Anything, relative or metric: folder or catalogue name."""
    orientation: str = ''
    """Orient Anything: folder or catalogue name; none: how objects are turned is not known."""
    score: float = 0.35
    """Least score of a detection, [0, 1]."""
    sureness: float = 0.5
    """Orientations of less confidence are left out, [0, 1]."""

    def __post_init__(self) -> None:
        if not (0 <= self.score <= 1 and 0 <= self.sureness <= 1):
            raise DataError(f'labels: expected score and sureness in [0, 1], got {self.score}, {self.sureness}')


@dataclass(frozen=True)
class Labellers:
    """What finds labels. box: rgb, caption -> box [4] and score, None where it is not found. mask: rgb, box ->
    [H,W] bool. depth: rgb -> [H,W] float32. orientation: object on black -> how turned, how sure; None unknown."""

    box: Callable[[np.ndarray, str], tuple[np.ndarray, float] | None]
    mask: Callable[[np.ndarray, np.ndarray], np.ndarray]
    depth: Callable[[np.ndarray], np.ndarray]
    orientation: Callable[[np.ndarray], tuple[Orientation, float]] | None
    likeness: Likeness | None


@dataclass(frozen=True, eq=False)
class Labelled:
    """A picture [H,W,3] uint8 of an object, its mask [H,W] bool as far as it is seen, depth [H,W] float32 (NaN
    unknown), how the object is turned (None unknown), and the picture without it (None unknown)."""

    rgb: np.ndarray
    mask: np.ndarray
    depth_m: np.ndarray
    orientation: Orientation | None
    without: np.ndarray | None


def label(path: Path, caption: str, labellers: Labellers, options: LabelOptions) -> Labelled:
    """The labels of a picture; PictureFault tells why it is not to be learned from, DataError of a wrong file."""
    limit = Limits().pixels
    rgb = read_picture(path, path.name, limit)
    mask = _mask(path, rgb, caption, labellers, options)
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows) or max(np.ptp(rows), np.ptp(columns)) < LEAST:
        raise PictureFault('too small')
    if rows[0] == 0 or columns[0] == 0 or rows[-1] == mask.shape[0] - 1 or columns[-1] == mask.shape[1] - 1:
        raise PictureFault('cut off by the border')
    beside = [path.with_suffix(DEPTH + ending) for ending in ('.png', '.tif', '.tiff', '.npy')]
    measured = next((file for file in beside if file.is_file()), None)
    depth = labellers.depth(rgb) if measured is None else read_depth(measured, measured.name, limit, DepthUnit())
    _same_size(depth, rgb, path if measured is None else measured)
    if not np.isfinite(depth[mask]).any():
        raise PictureFault('no depth')
    return Labelled(rgb, mask, depth, _orientation(rgb, mask, labellers, options), _without(path, rgb))


def cutout(rgb: np.ndarray, mask: np.ndarray, size: int, ground: int = WHITE) -> np.ndarray:
    """[size,size,3] uint8: the masked object alone, in the middle and filling the picture as meshes' pictures do."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    extent = max(rows[-1] - rows[0], columns[-1] - columns[0]) + 1
    side = extent / FILL
    middle = (columns[0] + columns[-1]) / 2, (rows[0] + rows[-1]) / 2
    scale = size / side
    move = np.array([[scale, 0, size / 2 - 0.5 - scale * middle[0]], [0, scale, size / 2 - 0.5 - scale * middle[1]]])
    alone = np.where(mask[..., None], rgb, np.uint8(ground))
    if scale < 1:  # averaged beforehand, or single pixels would stand for many
        blur = 0.45 / scale
        alone = cv2.GaussianBlur(alone, (0, 0), blur)
    return cv2.warpAffine(alone, move, (size, size), flags=cv2.INTER_LINEAR, borderValue=(ground,) * 3)


def _mask(path: Path, rgb: np.ndarray, caption: str, labellers: Labellers, options: LabelOptions) -> np.ndarray:
    beside = path.with_suffix(MASK)
    if beside.is_file():
        mask = read_picture(beside, beside.name, Limits().pixels).max(2) > 127
        _same_size(mask, rgb, beside)
        return mask
    found = labellers.box(rgb, caption)
    if found is None or found[1] < options.score:
        raise PictureFault('not found')
    return labellers.mask(rgb, found[0])


def _orientation(rgb: np.ndarray, mask: np.ndarray, labellers: Labellers, options: LabelOptions) -> Orientation | None:
    if labellers.orientation is None:
        return None
    orientation, sure = labellers.orientation(cutout(rgb, mask, CUTOUT, BLACK))
    if sure < options.sureness:
        raise PictureFault('orientation not sure')
    return orientation


def _without(path: Path, rgb: np.ndarray) -> np.ndarray | None:
    beside = next((file for ending in PICTURES if (file := path.with_suffix(WITHOUT + ending)).is_file()), None)
    if beside is None:
        return None
    picture = read_picture(beside, beside.name, Limits().pixels)
    _same_size(picture, rgb, beside)
    return picture


def _same_size(found: np.ndarray, rgb: np.ndarray, path: Path) -> None:
    if found.shape[:2] != rgb.shape[:2]:
        raise DataError(
            f"{path.name}: expected the picture's size {rgb.shape[1]}x{rgb.shape[0]}, got "
            f'{found.shape[1]}x{found.shape[0]}'
        )
