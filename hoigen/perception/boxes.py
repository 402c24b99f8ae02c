"""Boxes around hand and object without learned weights: where the masks from background and motion lie."""

from __future__ import annotations

import numpy as np

from hoigen.perception.records import Boxes, Flow, Geometry, boxes_of
from hoigen.perception.segment import segment
from hoigen.records import Footage

__all__ = ['find_boxes']


def find_boxes(footage: Footage, flow: Flow, geometry: Geometry | None) -> Boxes:
    """Boxes of hand and object in T >= 2 frames; as :func:`hoigen.perception.segment.segment` finds them.

    The score of a box is the share of it that the mask fills.
    """
    found = segment(footage, flow, geometry, seed=0)
    boxes = boxes_of(found)
    area = np.nan_to_num((boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1]), nan=1.0)
    filled = np.stack([(found.instance == i + 1).sum((1, 2)) for i in range(len(found.role))], 1) if len(
        found.role) else np.zeros(boxes.shape[:2])
    return Boxes(found.role, boxes, (filled / area).astype(np.float32))
