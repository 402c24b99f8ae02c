"""The motion of a hand, as that of many small pieces that each move rigidly; how they hang together is not assumed."""

from __future__ import annotations

import itertools
import os
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import cv2
import numpy as np
from scipy.spatial import cKDTree

from hoigen.compiling import numba
from hoigen.perception.records import Flow
from hoigen.perception.tracking.lift_depth import depth_at
from hoigen.perception.tracking.rigid import put
from hoigen.perception.tracking.rigid_direct import Look, align, look_of

APART_PX = 28
"""The picture of the hand is cut into squares of this size; the middle of each is the middle of a piece."""

REACH_PX = 32
"""A piece is what lies this near to its middle in the picture,"""

THICK = 0.06
"""and as deep to this part."""

PIXELS = 60
"""So many of a piece's pixels, evenly spread, are compared,"""

SMOOTH_FROM = 1
"""from this smoothness on: the flow's start is near."""

FEWEST = 30
"""A piece has at least so many pixels of known depth."""

KEY_EVERY = 4
"""Every so many frames pieces are chosen anew."""

TURN, SHIFT_PART = 0.1, 0.002
"""A piece may turn (rad) and shift (part of its depth) about so much otherwise than the flow says."""

SEEN, AGREE = 0.3, 0.5
"""A piece's motion is believed if this part of its pixels is seen in the frame and this part of these agrees."""

SAME_PART = 0.01
"""A carried place is put onto the measured surface if it is this near to it, as a part of its depth."""


class _Pieces(NamedTuple):
    """P pieces of a key frame, in its camera's frame: middles [P,3]; places [P,n,3] and shades [P,n,3] of pixels."""

    middles: np.ndarray
    places: np.ndarray
    shades: np.ndarray


class _Span(NamedTuple):
    """From a key frame to the next: moves [frames,P,4,4] of its pieces between the cameras' frames, and believed
    [frames,P] bool; None where the key frame shows no piece."""

    first: int
    last: int
    pieces: _Pieces | None
    moves: np.ndarray
    believed: np.ndarray


def follow_pieces(
    K: np.ndarray,
    rgb: np.ndarray,
    depth_m: np.ndarray,
    own: np.ndarray,
    flow: Flow,
    starts: np.ndarray,
    query: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Places [T,N,3] float64 of points that are at starts [N,3] in frames query [N], in each frame's own camera frame.

    rgb: [T,H,W,3]. depth_m: [T,H,W], NaN where it is not trusted. own: [T,H,W] bool, the hand's pixels. A piece
    starts each frame as the flow says and is then made fit with brightness and depth; where it is not believed, it
    keeps to the flow as far as that is confirmed. Points move with the piece whose middle is nearest to them, hidden
    ones too. Also [T,N] bool: a point came there with believed pieces only.
    """
    looks = [
        look_of(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), depth, mine)
        for picture, depth, mine in zip(rgb, depth_m, own, strict=True)
    ]
    keys = [*range(0, len(rgb) - 1, KEY_EVERY), len(rgb) - 1]
    with ThreadPoolExecutor(os.cpu_count()) as workers:  # a span does not need the one before
        spans = list(workers.map(lambda span: _span(K, looks, depth_m, own, flow, *span), itertools.pairwise(keys)))
    places, sure = np.full((len(rgb), len(query), 3), np.nan), np.zeros((len(rgb), len(query)), bool)
    places[query, np.arange(len(query))], sure[query, np.arange(len(query))] = starts, True
    for span in spans:
        for t in range(span.first + 1, span.last + 1):
            _carry(span, t - 1, t, places, sure)
        _onto_surface(K, depth_m[span.last], own[span.last], places[span.last], query != span.last)
    for span in spans[::-1]:
        for t in range(span.last - 1, span.first - 1, -1):
            _carry(span, t + 1, t, places, sure)
        _onto_surface(K, depth_m[span.first], own[span.first], places[span.first], query > span.first)
    return places, sure


def _carry(span: _Span, start: int, end: int, places: np.ndarray, sure: np.ndarray) -> None:
    """Carry what has a place in frame ``start`` and none in frame ``end`` from the one to the other."""
    here = np.isfinite(places[start, :, 0]) & ~np.isfinite(places[end, :, 0])
    if span.pieces is None or not here.any():
        places[end, here] = places[start, here]
        return
    before, after = span.moves[start - span.first], span.moves[end - span.first]
    middles = np.einsum('pxy,py->px', before[:, :3, :3], span.pieces.middles) + before[:, :3, 3]
    piece = cKDTree(middles).query(places[start, here])[1]
    turn = after[:, :3, :3] @ before[:, :3, :3].transpose(0, 2, 1)
    shift = after[:, :3, 3] - np.einsum('pxy,py->px', turn, before[:, :3, 3])
    places[end, here] = np.einsum('nxy,ny->nx', turn[piece], places[start, here]) + shift[piece]
    sure[end, here] = sure[start, here] & span.believed[end - span.first, piece]


def _onto_surface(K: np.ndarray, depth_m: np.ndarray, own: np.ndarray, places: np.ndarray, which: np.ndarray) -> None:
    """Move places [N,3], of those ``which`` [N], along their rays to the measured surface if it is near."""
    rows = np.flatnonzero(which & np.isfinite(places[:, 0]) & (places[:, 2] > 0))
    seen = places[rows] @ K.T
    depth = depth_at(depth_m, own.view(np.uint8), np.ones(len(rows), np.uint8), seen[:, :2] / seen[:, 2:])
    part = depth / places[rows, 2]
    near = np.abs(part - 1) <= SAME_PART
    places[rows[near]] *= part[near, None]


def _span(
    K: np.ndarray, looks: list[Look | None], depth_m: np.ndarray, own: np.ndarray, flow: Flow, first: int, last: int
) -> _Span:
    """Choose pieces in frame ``first`` and follow them to frame ``last``."""
    look = looks[first]
    pieces = None if look is None else _pieces(K, look)
    if pieces is None:
        return _Span(first, last, None, np.zeros(0), np.zeros(0, bool))
    moves = np.tile(np.eye(4), (last - first + 1, len(pieces.middles), 1, 1))
    believed = np.ones(moves.shape[:2], bool)
    for t in range(first + 1, last + 1):
        now = moves[t - first]
        now[:] = moves[t - first - 1]
        _by_flow(K, pieces.places, flow.forward[t - 1], flow.forward_ok[t - 1], depth_m[t], own[t], now)
        after = looks[t]
        believed[t - first] = False
        if after is not None:
            _make_fit(
                K,
                pieces.places,
                pieces.shades,
                after.shade,
                after.depth_m,
                (after.left, after.top),
                now,
                believed[t - first],
            )
    return _Span(first, last, pieces, moves, believed)


def _pieces(K: np.ndarray, look: Look) -> _Pieces | None:
    """The pieces of a hand in a frame; None if it shows none."""
    row, column = np.nonzero(np.isfinite(look.depth_m))
    if len(row) < FEWEST:
        return None
    _, square = np.unique(row // APART_PX * look.depth_m.shape[1] + column // APART_PX, return_inverse=True)
    share, at = 1 / np.bincount(square), np.column_stack([row, column])
    middles = at[cKDTree(at).query(np.column_stack([np.bincount(square, at[:, k]) * share for k in range(2)]))[1]]
    chosen = [(middle, near) for middle in middles if (near := _around(look.depth_m, middle)) is not None]
    if not chosen:
        return None
    pixels = np.stack([near for _, near in chosen])
    places = _places(K, look, pixels)
    return _Pieces(
        _places(K, look, np.stack([middle for middle, _ in chosen])),
        places,
        np.moveaxis(look.shade[:, pixels[..., 0], pixels[..., 1]], 0, -1).astype(float),
    )


def _around(depth_m: np.ndarray, middle: np.ndarray) -> np.ndarray | None:
    """[n,2] rows and columns of the piece about ``middle``; None where too little of it is known."""
    low = np.maximum(middle - REACH_PX, 0)
    part = depth_m[low[0] : middle[0] + REACH_PX + 1, low[1] : middle[1] + REACH_PX + 1]
    near = np.argwhere(np.abs(part / depth_m[tuple(middle)] - 1) < THICK)
    return near[np.linspace(0, len(near) - 1, PIXELS).astype(int)] + low if len(near) >= FEWEST else None


def _places(K: np.ndarray, look: Look, pixels: np.ndarray) -> np.ndarray:
    """[...,3] in the camera's frame of rows and columns [...,2] of the look."""
    row, column = pixels[..., 0], pixels[..., 1]
    rays = np.stack([column + look.left, row + look.top, np.ones(row.shape)], axis=-1) @ np.linalg.inv(K).T
    return rays * look.depth_m[row, column, None]


@numba.njit(cache=True, nogil=True)
def _by_flow(
    K: np.ndarray,
    places: np.ndarray,
    flow: np.ndarray,
    ok: np.ndarray,
    depth_m: np.ndarray,
    own: np.ndarray,
    moves: np.ndarray,
) -> None:
    """Shift each piece's move [P,4,4] as the flow, and the depth where it leads, say; by the median of its pixels."""
    height, width = own.shape
    for piece in range(len(places)):
        move, count, shifts = moves[piece], 0, np.empty((3, places.shape[1]))
        for n in range(0, places.shape[1], 4):
            place = places[piece, n]
            x = move[0, 0] * place[0] + move[0, 1] * place[1] + move[0, 2] * place[2] + move[0, 3]
            y = move[1, 0] * place[0] + move[1, 1] * place[1] + move[1, 2] * place[2] + move[1, 3]
            z = move[2, 0] * place[0] + move[2, 1] * place[1] + move[2, 2] * place[2] + move[2, 3]
            if z <= 0:
                continue
            u, v = (K[0, 0] * x + K[0, 1] * y) / z + K[0, 2], K[1, 1] * y / z + K[1, 2]
            row, column = round(v), round(u)
            if not (0 <= row < height and 0 <= column < width and ok[row, column]):
                continue
            u, v = u + flow[row, column, 0], v + flow[row, column, 1]
            row, column = round(v), round(u)
            deep = z
            if 0 <= row < height and 0 <= column < width and own[row, column] and depth_m[row, column] > 0:
                deep = depth_m[row, column]
            there = (v - K[1, 2]) / K[1, 1] * deep
            shifts[0, count] = ((u - K[0, 2]) * deep - K[0, 1] * there) / K[0, 0] - x
            shifts[1, count], shifts[2, count] = there - y, deep - z
            count += 1
        if count:
            for axis in range(3):
                move[axis, 3] += np.median(shifts[axis, :count])


@numba.njit(cache=True, nogil=True)
def _make_fit(
    K: np.ndarray,
    places: np.ndarray,
    shades: np.ndarray,
    shade: np.ndarray,
    depth_m: np.ndarray,
    corner: tuple[int, int],
    moves: np.ndarray,
    believed: np.ndarray,
) -> None:
    """Refine each piece's move [P,4,4] with what the frame shows, if it is then ``believed`` [P]."""
    for piece in range(len(places)):
        hold = np.array([1 / TURN**2, 1 / (SHIFT_PART * places[piece, :, 2].mean()) ** 2])
        pose, seen, agree = moves[piece].copy(), 0, 0
        for level in range(SMOOTH_FROM, len(shade)):
            seen, agree = align(K, places[piece], shades[piece, :, level], shade[level], depth_m, corner, hold, pose)
        if seen >= SEEN * places.shape[1] and agree >= AGREE * seen:
            put(pose, moves[piece])
            believed[piece] = True
