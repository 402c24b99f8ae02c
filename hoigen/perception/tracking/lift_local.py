"""Places of points while they are hidden: carried by the rigid motion of what is seen around them."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

PIECES = 64
"""So many points at most, spread over an instance, stand for the pieces that it moves in."""

AROUND = 32
"""A piece's motion between two frames is that of so many points around it that are seen in both."""

FEWEST = 8
"""With fewer points in all nothing is known of the motion, and places stay."""


def carry_hidden(places: np.ndarray) -> np.ndarray:
    """[T,N,3] float64: ``places`` with every NaN row replaced; each point needs a place in one frame at least.

    From the frame that saw a point last it is carried onwards, from the next that does backwards, step by step; in
    between the two are blended by time, so that no place jumps where a point appears again.
    """
    seen = np.isfinite(places[..., 0])
    onwards, backwards = _carry(places, seen), _carry(places[::-1], seen[::-1])[::-1]
    frames = np.arange(len(places))[:, None]
    last = np.maximum.accumulate(np.where(seen, frames, -1), axis=0)
    after = np.minimum.accumulate(np.where(seen, frames, len(places))[::-1], axis=0)[::-1]
    share = (frames - last) / np.maximum(after - last, 1)
    share = np.where(last < 0, 1.0, np.where(after == len(places), 0.0, share))[..., None]
    return np.where(
        seen[..., None],
        places,
        np.where(share < 1, onwards, 0) * (1 - share) + np.where(share > 0, backwards, 0) * share,
    )


def _carry(places: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Every place after a point was first seen, carried on from frame to frame; NaN before."""
    filled = places.copy()
    for t in range(1, len(places)):
        hidden = ~seen[t] & np.isfinite(filled[t - 1, :, 0])
        if hidden.any():
            both = seen[t - 1] & seen[t]
            filled[t, hidden] = _moved(filled[t - 1, hidden], places[t - 1, both], places[t, both])
    return filled


def _moved(points: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Points [N,3] moved as the pieces around them, which are told by places before and after [K,3]."""
    if len(before) < FEWEST:
        return points
    centres = before[np.linspace(0, len(before) - 1, min(PIECES, len(before))).astype(int)]
    tree = cKDTree(before)
    around = tree.query(centres, k=min(AROUND, len(before)))[1]
    turn, start, end = _rigid(before[around], after[around])
    piece = cKDTree(centres).query(points)[1]
    return np.einsum('nxy,ny->nx', turn[piece], points - start[piece]) + end[piece]


def _rigid(before: np.ndarray, after: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Turn [P,3,3] about start [P,3] and end [P,3] of P pieces of K points [P,K,3]; the worst quarter has no say."""
    weight = np.ones(before.shape[:2])
    for _ in range(2):
        share = (weight / weight.sum(1, keepdims=True))[..., None]
        start, end = (share * before).sum(1), (share * after).sum(1)
        spread = np.einsum('pkx,pky->pxy', share * (after - end[:, None]), before - start[:, None])
        u, _, vt = np.linalg.svd(spread)
        u[..., -1] *= np.sign(np.linalg.det(u) * np.linalg.det(vt))[:, None]
        turn = u @ vt
        miss = np.linalg.norm(after - end[:, None] - np.einsum('pxy,pky->pkx', turn, before - start[:, None]), axis=-1)
        weight = (miss <= np.quantile(miss, 0.75, axis=1, keepdims=True)).astype(float)
    return turn, start, end
