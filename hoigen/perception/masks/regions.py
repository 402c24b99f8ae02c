"""Regions of a frame that hang together in depth, and the things that rest somewhere while others move."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import cv2
import numpy as np

JUMP = 0.03
"""Neighbours whose depths differ by more than this part belong to different surfaces."""

STILL = 0.6
"""A region rests when this share of it does."""

OTHERS_MOVE = 0.004
"""A thing is resting while others move when those fill this share of the picture."""


@dataclass(frozen=True, eq=False)
class Region:
    """One region of frame t. pixels: [n] flat indices; middle: [D], its place; radius: around it.

    edge: pixels on the picture's border. still, changed: shares of it that rest, and that move at any time of the
    stretch. moving: how many of its pixels move now.
    """

    t: int
    pixels: np.ndarray
    middle: np.ndarray
    radius: float
    edge: int
    still: float
    changed: float
    moving: int


@dataclass(frozen=True, eq=False)
class Front:
    """What stands out from the scene.

    score: [T,h,w] float32 log odds of hand or object over scene, apart from colour; trust: [T,h,w] float32, what colour
    adds to it. places: [T,h,w,D] float32, where every pixel's surface is in a frame that stands with the scene, NaN
    unknown; near: how far a resting thing seems to wander there. regions: of each frame.
    """

    score: np.ndarray
    trust: np.ndarray
    places: np.ndarray
    near: float
    regions: list[list[Region]]


@dataclass(frozen=True, eq=False)
class Resting:
    """A thing that rests for a while: its regions in rising order of time, several in one frame if it looks broken."""

    regions: list[Region]
    score: float

    def places(self) -> tuple[dict[int, np.ndarray], float]:
        """Where it rests by frame, [D], and how far it reaches around that."""
        middles, reaches = {}, []
        for t in {region.t for region in self.regions}:
            parts = [region for region in self.regions if region.t == t]
            middles[t] = np.average([part.middle for part in parts], 0, [len(part.pixels) for part in parts])
            reaches.append(max(part.radius + np.linalg.norm(part.middle - middles[t]) for part in parts))
        return middles, float(np.median(reaches))


def depth_regions(depth_m: np.ndarray, where: np.ndarray) -> np.ndarray:
    """[h,w] int32: 0 outside ``where`` [h,w] bool, else the number of the surface that hangs together in depth."""
    known = np.isfinite(depth_m)
    nearest = cv2.erode(np.where(known, depth_m, np.inf).astype(np.float32), np.ones((3, 3)))
    farthest = cv2.dilate(np.where(known, depth_m, 0).astype(np.float32), np.ones((3, 3)))
    inside = where & ~(farthest - nearest > JUMP * nearest)
    opened = cv2.morphologyEx(inside.astype(np.uint8), cv2.MORPH_OPEN, np.ones((2, 2)))
    return cv2.connectedComponents(opened, connectivity=4)[1]


def regions_of(
    t: int,
    labels: np.ndarray,
    places: np.ndarray,
    still: np.ndarray,
    changed: np.ndarray,
    moving: np.ndarray,
    least: int,
) -> list[Region]:
    """The regions of frame t numbered in ``labels`` [h,w], with what the maps [h,w] say of each, but those of
    less than ``least`` pixels.

    places: [h,w,D], where every pixel's surface is, NaN unknown.
    """
    height, width = labels.shape
    flat = labels.ravel()
    order = np.argsort(flat, kind='stable')
    starts = np.searchsorted(flat[order], np.arange(1, flat.max() + 2))
    spots = places.reshape(-1, places.shape[-1])
    found = []
    for begin, end in itertools.pairwise(starts):
        pixels = order[begin:end]
        known = pixels[np.isfinite(spots[pixels, 0])]
        if len(pixels) < least or not len(known):
            continue
        middle = np.median(spots[known], 0)
        radius = float(np.percentile(np.linalg.norm(spots[known] - middle, axis=1), 95))
        v, u = np.divmod(pixels, width)
        edge = int(((v < 2) | (v >= height - 2) | (u < 2) | (u >= width - 2)).sum())
        found.append(
            Region(
                t,
                pixels,
                middle,
                radius,
                edge,
                float(still.ravel()[known].mean()),
                float(changed.ravel()[known].mean()),
                int(moving.ravel()[known].sum()),
            )
        )
    return found


def resting_things(frames: list[list[Region]], pixels: int, near: float) -> list[Resting]:
    """Things that rest somewhere while others move and that move themselves at another time, the likeliest first.

    frames: the regions of each frame. pixels: of a frame. near: how far a resting thing seems to wander.
    """
    chains: list[list[Region]] = []
    for row in frames:
        for region in row:
            if region.edge >= 4 or region.still < STILL:
                continue
            same = [
                chain
                for chain in chains
                if 0 < region.t - chain[-1].t <= 2
                and np.linalg.norm(chain[-1].middle - region.middle) < near
                and 0.5 < len(region.pixels) / len(chain[-1].pixels) < 2
            ]
            if same:
                max(same, key=len).append(region)
            else:
                chains.append([region])
    things = [Resting(chain, _score(chain, frames, pixels)) for chain in chains]
    return _joined(sorted((thing for thing in things if thing.score > 0), key=lambda thing: -thing.score))


def _score(chain: list[Region], frames: list[list[Region]], pixels: int) -> float:
    """Frames in which the chain rests while others move, weighted by its size; 0 for what never moves itself."""
    if np.median([region.changed for region in chain]) < 0.1:
        return 0.0
    others = [sum(other.moving for other in frames[region.t] if other is not region) for region in chain]
    whole = chain[0].t <= 2 or chain[-1].t >= len(frames) - 3
    size = np.sqrt(np.median([len(region.pixels) for region in chain]))
    gone = min(float(np.mean([region.changed for region in chain])), 0.4)
    return float(sum(moving > OTHERS_MOVE * pixels for moving in others) * size) * gone * (1.0 if whole else 0.1)


def _joined(things: list[Resting]) -> list[Resting]:
    """Parts of one thing, side by side at the same time, as one; sorted by score again."""
    done: list[Resting] = []
    for thing in things:
        times = {region.t for region in thing.regions}
        for n, other in enumerate(done):
            shared = times & {region.t for region in other.regions}
            one, two = (next(r for r in x.regions if r.t in shared) if shared else x.regions[0] for x in (thing, other))
            gap = np.linalg.norm(one.middle - two.middle)
            ends = 0 if other.regions[0].t <= 2 else -1  # what comes to a thing that rests already is no part of it
            together = abs(thing.regions[ends].t - other.regions[ends].t) <= 2
            if together and len(shared) > 0.5 * len(times) and gap < one.radius + two.radius:
                regions = sorted(thing.regions + other.regions, key=lambda region: region.t)
                done[n] = Resting(regions, max(thing.score, other.score))
                break
        else:
            done.append(thing)
    return sorted(done, key=lambda thing: -thing.score)
