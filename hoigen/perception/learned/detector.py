"""Boxes of hands and objects by a learned detector, linked over time; without one there are the boxes of what moves."""

from __future__ import annotations

import numpy as np

from hoigen.conventions import HAND, OBJECT, ROLE_CODE
from hoigen.models.samurai import box_iou
from hoigen.perception.learned.linking import Detections, Track, link
from hoigen.perception.records import Boxes, Detector, PerceptionError
from hoigen.records import Footage

LEAST_SHARE = 0.1
"""An instance seen in a smaller share of the frames than this, or only once, is taken for a mistake."""
TOUCHED = 0.2
"""An object is handled if a hand's box touches its box in at least this share of the frames that show it."""
COVERED = 0.3
"""What moves is what was detected, if their boxes overlap by more than this (IoU) in the middle one of the frames."""


def load_detector(name: str, device: str = 'auto') -> Detector:
    """RT-DETR v2, D-FINE or Grounding DINO: a name of the catalogue, or a folder with the weights of one of them."""
    from hoigen.models.detectors import load  # transformers takes seconds to import

    return Detector(*load(name, device))


def detect(footage: Footage, detector: Detector, motion: Boxes | None = None) -> Boxes:
    """Hands and the objects that they handle, each with a number for the whole footage and NaN where not detected.

    motion: what moves (:func:`~hoigen.perception.masks.segment.find_boxes`); what of it the detector did not find
    comes after what it found, for a detector knows neither every object nor, if trained on COCO, a hand as such.
    """
    tracks = [
        track
        for track in link([_seen(detector, frame) for frame in footage.rgb])
        if len(track.boxes) >= max(2, LEAST_SHARE * len(footage.rgb))
    ]
    hands = [track for track in tracks if detector.roles[track.label] == HAND]
    objects = [track for track in tracks if detector.roles[track.label] == OBJECT and _handled(track, hands)]
    found = _table(hands, objects, len(footage.rgb))
    return found if motion is None else _joined(found, motion)


def _seen(detector: Detector, frame: np.ndarray) -> Detections:
    """What the detector says of a frame, checked, cut to the picture, and of known labels only."""
    boxes, scores, labels = detector.find(frame)
    boxes, scores = np.asarray(boxes, np.float64).reshape(-1, 4), np.asarray(scores, np.float64).reshape(-1)
    if (
        not len(boxes) == len(scores) == len(labels)
        or not np.isfinite(boxes).all()
        or not ((scores >= 0) & (scores <= 1)).all()
    ):
        raise PerceptionError(
            'detector: expected as many finite boxes as scores in [0, 1] and labels, got '
            f'{len(boxes)} boxes, {len(scores)} scores {scores[:3]}, {len(labels)} labels'
        )
    height, width = frame.shape[:2]
    boxes = np.clip(boxes, -0.5, [width - 0.5, height - 0.5] * 2)
    known = np.array([label in detector.roles for label in labels], bool)
    return Detections(boxes, scores, tuple(labels)).only(known & (boxes[:, :2] < boxes[:, 2:]).all(1))


def _handled(track: Track, hands: list[Track]) -> bool:
    """Whether hands touch it often enough, judged in the frames that show it and any hand; without hands it counts."""
    judged = [t for t in track.boxes if any(t in hand.boxes for hand in hands)]
    touched = [t for t in judged if any(t in hand.boxes and _touch(hand.boxes[t], track.boxes[t]) for hand in hands)]
    return not judged or len(touched) >= TOUCHED * len(judged)


def _touch(a: np.ndarray, b: np.ndarray) -> bool:
    return bool((np.maximum(a[:2], b[:2]) <= np.minimum(a[2:], b[2:])).all())


def _table(hands: list[Track], objects: list[Track], frames: int) -> Boxes:
    tracks = [*hands, *objects]
    boxes = np.full((frames, len(tracks), 4), np.nan, np.float32)
    score = np.zeros((frames, len(tracks)), np.float32)
    for i, track in enumerate(tracks):
        for t, box in track.boxes.items():
            boxes[t, i], score[t, i] = box, track.scores[t]
    roles = [HAND] * len(hands) + [OBJECT] * len(objects)
    return Boxes(np.array([ROLE_CODE[role] for role in roles], np.uint8), boxes, score)


def _joined(found: Boxes, motion: Boxes) -> Boxes:
    """What was detected, then what moves and was not."""
    new = [
        i
        for i in range(len(motion.role))
        if not any(
            found.role[j] == motion.role[i] and _same(found.boxes[:, j], motion.boxes[:, i])
            for j in range(len(found.role))
        )
    ]
    return Boxes(
        np.append(found.role, motion.role[new]),
        np.concatenate([found.boxes, motion.boxes[:, new]], 1),
        np.concatenate([found.score, motion.score[:, new]], 1),
    )


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether boxes [T,4] are of one instance, judged in the frames that have both."""
    both = ~np.isnan(a + b).any(1)
    return (
        bool(both.any())
        and float(np.median([box_iou(x, y[None])[0] for x, y in zip(a[both], b[both], strict=True)])) > COVERED
    )
