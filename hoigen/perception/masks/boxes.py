"""Boxes around hand and object without learned weights: where the masks from background and motion lie."""

from __future__ import annotations

import numpy as np

from hoigen.perception.records import Boxes, Segmentation, boxes_of

__all__ = ['find_boxes']


def find_boxes(found: Segmentation) -> Boxes:
    """Boxes of hand and object that :func:`hoigen.perception.masks.segment.segment` has found.

    The score of a box is the share of it that the mask fills.
    """
    boxes, (frames, count) = boxes_of(found), (len(found.instance), len(found.role))
    area = np.nan_to_num((boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1]), nan=1.0)
    filled = np.stack([np.bincount(codes.ravel(), minlength=count + 1)[1 : count + 1] for codes in found.instance])
    return Boxes(found.role, boxes, (filled.reshape(frames, count) / area).astype(np.float32))
