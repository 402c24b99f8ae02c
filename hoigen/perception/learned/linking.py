"""Detections of single frames, linked over time into instances that keep their numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from hoigen.models.samurai import BoxFilter, box_iou

SAME = 0.3
"""A detection may be the instance whose predicted box it overlaps by more than this (IoU)."""
PATIENCE = 8
"""Frames for which an instance that was missed is looked for only where it should be."""
DOUBLE = 0.7
"""Of two boxes of one frame that overlap by more than this, the better one stays."""


@dataclass(frozen=True, eq=False)
class Detections:
    """What a detector saw in one frame. boxes: [N,4] as in :class:`~hoigen.perception.records.Boxes`; scores: [N] in
    [0, 1]; labels: N words."""

    boxes: np.ndarray
    scores: np.ndarray
    labels: tuple[str, ...]

    def only(self, wanted: np.ndarray) -> Detections:
        """Those of bool or index array ``wanted``."""
        kept = np.arange(len(self.scores))[wanted]
        return Detections(self.boxes[kept], self.scores[kept], tuple(self.labels[i] for i in kept))


class Track:
    """One instance while it is linked. boxes, scores: by frame, where it was detected."""

    def __init__(self, label: str) -> None:
        self.label, self.boxes, self.scores = label, dict[int, np.ndarray](), dict[int, float]()
        self._filter: BoxFilter | None = None

    @property
    def last(self) -> int:
        """The frame in which it was seen last."""
        return max(self.boxes)

    def overlap(self, boxes: np.ndarray) -> np.ndarray:
        """[N] IoU of boxes [N,4] with where it should be now; moves on by a frame."""
        assert self._filter is not None, 'a track begins with a detection'
        self._filter.predict()
        return box_iou(self._filter.box, boxes)

    def take(self, t: int, box: np.ndarray, score: float, anew: bool) -> None:
        """Detected here; ``anew``: what was known of its motion counts no more."""
        self.boxes[t], self.scores[t] = box, score
        if anew or self._filter is None:
            self._filter = BoxFilter(box)
        else:
            self._filter.update(box)


def link(frames: list[Detections]) -> list[Track]:
    """Instances in the order in which they were first seen.

    A detection is the instance of its label whose predicted box it overlaps best. What overlaps none is the instance of
    its label that has been out of view for some frames, the nearest to where it was seen last, and only else a new one:
    what comes back keeps its number.
    """
    tracks = list[Track]()
    for t, found in enumerate(map(without_doubles, frames)):
        overlaps = {track: track.overlap(found.boxes) for track in tracks}
        for label in dict.fromkeys(found.labels):
            here = [j for j, name in enumerate(found.labels) if name == label]
            tracks += _extended(
                {track: o[here] for track, o in overlaps.items() if track.label == label}, found.only(np.array(here)), t
            )
    return tracks


def _extended(mine: dict[Track, np.ndarray], here: Detections, t: int) -> list[Track]:
    """Give the detections of one label in frame ``t`` to its tracks, by their overlaps [N]; the tracks that begin."""
    tracks, count = list(mine), len(here.scores)
    taken = _pairs(1 - np.array(list(mine.values())), 1 - SAME)
    lost = [i for i, track in enumerate(tracks) if i not in taken and t - track.last > PATIENCE]
    free = [j for j in range(count) if j not in taken.values()]
    apart = np.array([[_apart(tracks[i], here.boxes[j]) for j in free] for i in lost])
    back = {lost[i]: free[j] for i, j in _pairs(apart, np.inf).items()}
    new = {len(tracks) + k: j for k, j in enumerate(j for j in free if j not in back.values())}
    tracks += [Track(here.labels[j]) for j in new.values()]
    for i, j in (taken | back | new).items():
        tracks[i].take(t, here.boxes[j], float(here.scores[j]), anew=i not in taken)
    return tracks[len(mine) :]


def without_doubles(found: Detections) -> Detections:
    """The best of boxes that mean the same thing, whatever their labels."""
    kept = list[int]()
    for i in np.argsort(-found.scores, kind='stable'):
        if not kept or box_iou(found.boxes[i], found.boxes[kept]).max() <= DOUBLE:
            kept.append(int(i))
    return found.only(np.array(sorted(kept), int))


def _pairs(cost: np.ndarray, below: float) -> dict[int, int]:
    """Row -> column of the cheapest matching of ``cost`` [I,J], of pairs that cost less than ``below``."""
    if not cost.size:
        return {}
    rows, columns = linear_sum_assignment(cost)
    return {int(i): int(j) for i, j in zip(rows, columns, strict=True) if cost[i, j] < below}


def _apart(track: Track, box: np.ndarray) -> float:
    """Pixels from the middle of where a track was seen last to that of a box."""
    before = track.boxes[track.last]
    return float(np.linalg.norm((before[:2] + before[2:]) - (box[:2] + box[2:])) / 2)
