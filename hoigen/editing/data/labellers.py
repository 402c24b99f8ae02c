"""The models behind the labels of real pictures, each loaded when a picture first needs it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

from hoigen.conventions import OBJECT, ROLE_CODE
from hoigen.editing.data.filters import FilterOptions
from hoigen.editing.data.labels import Labellers, LabelOptions
from hoigen.perception.records import Boxes, Detector
from hoigen.records import Footage

__all__ = ['load_labellers']


@cache
def load_labellers(options: LabelOptions, filters: FilterOptions) -> Labellers:
    """Labellers of these weights; MissingWeights, when one is needed and not there, says how to fetch it."""
    orientation = likeness = None
    if options.orientation or filters.dino:
        from hoigen.models.labelling import load_likeness, load_orienter

        orientation = load_orienter(options.orientation).tell if options.orientation else None
        likeness = load_likeness(filters.dino) if filters.dino else None
    sam = cache(lambda: _sam(options.sam))
    depth = cache(lambda: _depth(options.depth))
    return Labellers(
        lambda rgb, caption: _box(options.detector, rgb, caption),
        lambda rgb, box: sam()(rgb, box),
        lambda rgb: depth()(rgb),
        orientation,
        likeness,
    )


def _box(name: str, rgb: np.ndarray, caption: str) -> tuple[np.ndarray, float] | None:
    """The surest box of what a caption names, and its score."""
    boxes, scores, _ = _detector(name, caption.lower().rstrip('.')).find(rgb)
    return None if not len(scores) else (boxes[np.argmax(scores)], float(np.max(scores)))


@cache
def _detector(name: str, phrase: str) -> Detector:
    from hoigen.models.detectors import load

    return Detector(*load(name, phrases={phrase: OBJECT}))


def _sam(name: str) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    from hoigen.models.sam2 import load_sam
    from hoigen.perception.learned.sam import segment_with_sam

    model = load_sam(name)

    def mask(rgb: np.ndarray, box: np.ndarray) -> np.ndarray:
        one = Boxes(
            np.array([ROLE_CODE[OBJECT]], np.uint8), box[None, None].astype(np.float32), np.ones((1, 1), np.float32)
        )
        return segment_with_sam(Footage(np.zeros(1, np.int64), rgb[None], None, None), one, model).instance[0] > 0

    return mask


def _depth(name: str) -> Callable[[np.ndarray], np.ndarray]:
    from hoigen.models.labelling import load_depth

    return load_depth(name)
