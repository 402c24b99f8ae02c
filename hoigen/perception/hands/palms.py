"""Where palms are in an image: anchors, their scores and boxes, and one of each hand (MediaPipe's palm_detection)."""

from __future__ import annotations

import cv2
import numpy as np
import torch

from hoigen.models.hands import PALM_SIZE, PalmNetwork
from hoigen.models.samurai import box_iou
from hoigen.perception.hands.regions import region_of_palms

LEAST_SCORE = 0.5
SAME_PALM = 0.3
"""Boxes that overlap by more than this (intersection over union) are of one palm."""


def _anchors() -> np.ndarray:
    """[2016,2] centres in [0, 1]: two in each cell of 24x24, six in each of 12x12."""

    def grid(cells: int, each: int) -> np.ndarray:
        v, u = np.mgrid[:cells, :cells]
        return np.repeat(np.stack([u, v], -1).reshape(-1, 2), each, 0) / cells + 0.5 / cells

    return np.concatenate([grid(24, 2), grid(12, 6)]).astype(np.float32)


ANCHORS = _anchors()


def find_palms(image: np.ndarray, network: PalmNetwork) -> tuple[np.ndarray, np.ndarray]:
    """Hand regions [N,4] (:mod:`hoigen.perception.hands.regions`) and their scores [N] in an image [H,W,3] uint8."""
    height, width = image.shape[:2]
    side = max(height, width)
    corner = np.array([width - side, height - side]) / 2
    square = np.array([[PALM_SIZE / side, 0, 0], [0, PALM_SIZE / side, 0]])
    square[:, 2] = -corner * PALM_SIZE / side
    small = cv2.warpAffine(image, square, (PALM_SIZE, PALM_SIZE), flags=cv2.INTER_LINEAR)
    with torch.inference_mode():
        scores, values = network(as_input(small[None]))
    score = scores[0].clamp(-100, 100).sigmoid().numpy()
    likely = score >= LEAST_SCORE
    points = values[0].numpy()[likely].reshape(-1, 9, 2) / PALM_SIZE
    points[:, [0, *range(2, 9)]] += ANCHORS[likely, None]
    points, score = _one_each(points, score[likely])
    pixels = points * side + corner
    boxes = np.concatenate([pixels[:, 0] - points[:, 1] * side / 2, pixels[:, 0] + points[:, 1] * side / 2], 1)
    return region_of_palms(boxes, pixels[:, 2:]), score


def as_input(images: np.ndarray) -> torch.Tensor:
    """Images [N,H,W,3] uint8 as a network reads them, [N,3,H,W] in [0, 1]."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).float().div_(255)


def _one_each(points: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of palms that overlap the mean by score; their centres, sizes and keypoints [N,9,2] (weighted suppression)."""
    kept, scores = [], []
    boxes = np.concatenate([points[:, 0] - points[:, 1] / 2, points[:, 0] + points[:, 1] / 2], 1)
    left = np.argsort(-score, kind='stable')
    while len(left):
        same = box_iou(boxes[left[0]], boxes[left]) > SAME_PALM
        same[0] = True  # a box without area overlaps nothing, itself included
        group = left[same]
        kept.append(np.average(points[group], axis=0, weights=score[group]))
        scores.append(score[group[0]])
        left = left[~same]
    return np.array(kept).reshape(-1, 9, 2), np.array(scores)
