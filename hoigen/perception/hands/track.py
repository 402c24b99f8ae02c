"""Hands through a stretch of frames: followed from frame to frame, both ways, with a side and a number each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import combinations, product

import numpy as np

from hoigen.models.hands import hand_networks
from hoigen.perception.hands.palms import find_palms
from hoigen.perception.hands.sightings import Look, Sighting, apart, look_at
from hoigen.perception.records import Hands
from hoigen.records.labels import SIDES

MOST = 2
"""Hands that are followed before palms are looked for but now and then."""
AGAIN = 6
"""Frames from one search for palms to the next while that many are followed."""
LEAST_FRAMES = 3
"""What is seen in fewer frames of a longer stretch is taken for a mistake."""
TOGETHER = 12
"""Tracks whose sides are chosen together, the longest; those of the others follow one by one."""
TWICE = 1.5
"""What it costs, for each frame, to give one side to two hands; being wholly wrong about a side costs 2."""
LEFT, RIGHT = SIDES


@dataclass(eq=False)
class _Track:
    """One hand that was followed without a gap, by frame."""

    seen: dict[int, Sighting] = field(default_factory=dict)

    @property
    def leaning(self) -> float:
        """How surely it is a right hand, summed over frames; negative: a left one."""
        return sum(s.score * (2 * s.right - 1) for s in self.seen.values())


def find_hands(rgb: np.ndarray) -> Hands:
    """Hands in frames [T,H,W,3] uint8; by the networks of :mod:`hoigen.models.hands`, on one core."""
    palm_network, landmark_network = hand_networks()
    return follow_hands(
        len(rgb),
        lambda t: list(find_palms(rgb[t], palm_network)[0]),
        lambda t, regions: look_at(rgb[t], regions, landmark_network),
    )


def follow_hands(frames: int, palms: Callable[[int], list[np.ndarray]], look: Look) -> Hands:
    """Hands in ``frames`` frames.

    palms: the regions [4] of the palms in a frame. look: what is seen in regions of a frame.
    """
    tracks: list[_Track] = []
    now: list[_Track] = []
    since = AGAIN
    for t in range(frames):
        known, since = len(now), since + 1
        regions = [track.seen[t - 1].region for track in now]
        if known < MOST or since >= AGAIN:
            regions, since = regions + palms(t), 0
        kept = apart(regions)
        found = look(t, [regions[i] for i in kept])
        ahead: list[_Track] = []
        for i, sighting in zip(kept, found, strict=True):
            if sighting is None or any(sighting.is_of(track.seen[t]) for track in ahead):
                continue
            if i < known:
                now[i].seen[t] = sighting
                ahead.append(now[i])
            else:
                ahead.append(_Track({t: sighting}))
                tracks.append(ahead[-1])
                _follow_back(ahead[-1], t, tracks, look)
        now = ahead
    return _numbered([t for t in tracks if len(t.seen) >= min(LEAST_FRAMES, frames)], frames)


def _follow_back(track: _Track, first: int, tracks: list[_Track], look: Look) -> None:
    """Follow a hand that was found in frame ``first`` into the frames before, as far as no other has them."""
    for t in range(first - 1, -1, -1):
        [sighting] = look(t, [track.seen[t + 1].region])
        others = [other.seen[t] for other in tracks if t in other.seen]
        if sighting is None or any(sighting.is_of(other) for other in others):
            return
        track.seen[t] = sighting


def _numbered(tracks: list[_Track], frames: int) -> Hands:
    """Tracks as hands: those of one side that are never seen at once are one hand."""
    tracks = sorted(tracks, key=lambda t: -len(t.seen))
    sided = zip(_sides(tracks), tracks, strict=True)
    hands: list[tuple[str, dict[int, Sighting]]] = []
    for side, track in sorted(sided, key=lambda it: (SIDES.index(it[0]), -len(it[1].seen))):
        free = (seen for s, seen in hands if s == side and not seen.keys() & track.seen.keys())
        seen = next(free, None)
        if seen is None:
            hands.append((side, dict(track.seen)))
        else:
            seen.update(track.seen)
    return _as_record(hands, frames)


def _sides(tracks: list[_Track]) -> list[str]:
    """The sides that all sightings together make most likely. Of two hands that are seen at once one is the other's
    opposite, unless both are plainly of one side: those of two persons."""
    leaning = np.array([track.leaning for track in tracks])
    at_once = np.zeros((len(tracks), len(tracks)))
    for i, j in combinations(range(len(tracks)), 2):
        at_once[i, j] = at_once[j, i] = len(tracks[i].seen.keys() & tracks[j].seen.keys())
    n = min(len(tracks), TOGETHER)
    ways = np.array(list(product((1, -1), repeat=n)))  # of the longest tracks, 1 for right
    twice = (ways @ at_once[:n, :n] * ways).sum(1) / 4  # and what does not depend on the way
    right = list(ways[np.argmax(ways @ leaning[:n] - TWICE * twice)])
    for k in range(n, len(tracks)):
        right.append(1 if leaning[k] >= TWICE / 2 * (at_once[k, :k] @ right) else -1)
    return [RIGHT if r > 0 else LEFT for r in right]


def _as_record(hands: list[tuple[str, dict[int, Sighting]]], frames: int) -> Hands:
    size = (frames, len(hands), 21)
    keypoints, shape = np.full((*size, 2), np.nan, np.float32), np.full((*size, 3), np.nan, np.float32)
    score = np.zeros(size[:2], np.float32)
    for i, (_, seen) in enumerate(hands):
        for t, sighting in seen.items():
            keypoints[t, i], shape[t, i], score[t, i] = sighting.keypoints, sighting.shape, sighting.score
    return Hands(tuple(side for side, _ in hands), keypoints, shape, score)
