"""Labels of all pixels of a stretch together: a field over space and time, solved by mean-field sweeps."""

from __future__ import annotations

import numpy as np

from hoigen.compiling import numba

SPACE, TIME = 1.6, 1.6
"""How strongly a pixel takes the label of one like it: of each of four neighbours, of each of two along the flow."""

COLOUR_STEP = 9.0
"""Lab difference at which a link has lost 40 % of its strength."""


class Links:
    """Strength of the links of every pixel: right and down [T,h,w] float32, and along the flow.

    after, before: [T,h,w] int32, the flat pixel of the next and the previous frame, -1 where the flow does not say;
    after_w, before_w: [T,h,w] float32 strengths.
    """

    def __init__(
        self,
        lab: np.ndarray,
        depth_m: np.ndarray | None,
        forward: np.ndarray,
        backward: np.ndarray,
        forward_ok: np.ndarray,
        backward_ok: np.ndarray,
    ) -> None:
        t, h, w = lab.shape[:3]
        self.right, self.down = np.zeros((t, h, w), np.float32), np.zeros((t, h, w), np.float32)
        self.after, self.before = np.full((t, h, w), -1, np.int32), np.full((t, h, w), -1, np.int32)
        self.after_w, self.before_w = np.zeros((t, h, w), np.float32), np.zeros((t, h, w), np.float32)
        depth = np.zeros((t, 1, 1), np.float32) if depth_m is None else depth_m
        _space(lab, depth, depth_m is not None, self.right, self.down)
        _time(lab[:-1], lab[1:], forward, forward_ok, self.after[:-1], self.after_w[:-1])
        _time(lab[1:], lab[:-1], backward, backward_ok, self.before[1:], self.before_w[1:])


def settle(score: np.ndarray, links: Links, active: np.ndarray, sweeps: int) -> np.ndarray:
    """Beliefs [T,h,w,L] float32 that sum to one, from scores [T,h,w,L] float32 (log evidence of each label).

    Pixels outside ``active`` [T,h,w] bool keep label 0. Sweeps go forwards and backwards in time by turns.
    """
    belief = np.empty_like(score)
    _start(score, active, belief)
    for k in range(sweeps):
        _sweep(
            score,
            links.right,
            links.down,
            links.after,
            links.after_w,
            links.before,
            links.before_w,
            active,
            belief,
            k % 2 == 1,
        )
    return belief


@numba.njit(cache=True, nogil=True, fastmath=True, parallel=True)
def _space(lab: np.ndarray, depth: np.ndarray, has_depth: bool, right: np.ndarray, down: np.ndarray) -> None:
    frames, height, width = lab.shape[:3]
    for t in numba.prange(frames):
        for v in range(height):
            for u in range(width):
                for way in range(2):
                    y, x = v + way, u + 1 - way
                    if y >= height or x >= width:
                        continue
                    square = 0.0
                    for c in range(3):
                        square += (float(lab[t, v, u, c]) - float(lab[t, y, x, c])) ** 2
                    strength = SPACE * np.exp(-square / (2 * COLOUR_STEP**2))
                    if has_depth:
                        a, b = depth[t, v, u], depth[t, y, x]
                        if a > 0 and b > 0:
                            gap = abs(a - b) / (0.02 * min(a, b))
                            strength *= 0.2 + 0.8 * np.exp(-gap * gap)
                    strength = strength + 0.15
                    if way == 0:
                        right[t, v, u] = strength
                    else:
                        down[t, v, u] = strength


@numba.njit(cache=True, nogil=True, fastmath=True, parallel=True)
def _time(
    here: np.ndarray, there: np.ndarray, flow: np.ndarray, ok: np.ndarray, index: np.ndarray, weight: np.ndarray
) -> None:
    frames, height, width = here.shape[:3]
    for t in numba.prange(frames):
        for v in range(height):
            for u in range(width):
                if not ok[t, v, u]:
                    continue
                x, y = round(u + flow[t, v, u, 0]), round(v + flow[t, v, u, 1])
                if x < 0 or y < 0 or x >= width or y >= height:
                    continue
                square = 0.0
                for c in range(3):
                    square += (float(here[t, v, u, c]) - float(there[t, y, x, c])) ** 2
                index[t, v, u] = y * width + x
                weight[t, v, u] = TIME * np.exp(-square / (2 * (1.5 * COLOUR_STEP) ** 2))


@numba.njit(cache=True, nogil=True, fastmath=True, parallel=True)
def _start(score: np.ndarray, active: np.ndarray, belief: np.ndarray) -> None:
    frames, height, width, labels = score.shape
    for t in numba.prange(frames):
        for v in range(height):
            for u in range(width):
                if active[t, v, u]:
                    top = score[t, v, u].max()
                    total = np.float32(0)
                    for n in range(labels):
                        belief[t, v, u, n] = np.exp(score[t, v, u, n] - top)
                        total += belief[t, v, u, n]
                    for n in range(labels):
                        belief[t, v, u, n] /= total
                else:
                    for n in range(labels):
                        belief[t, v, u, n] = 1 if n == 0 else 0


@numba.njit(cache=True, nogil=True, fastmath=True)
def _sweep(
    score: np.ndarray,
    right: np.ndarray,
    down: np.ndarray,
    after: np.ndarray,
    after_w: np.ndarray,
    before: np.ndarray,
    before_w: np.ndarray,
    active: np.ndarray,
    belief: np.ndarray,
    reverse: bool,
) -> None:
    frames, height, width, labels = score.shape
    value = np.empty(labels, np.float32)
    for i in range(frames):
        t = frames - 1 - i if reverse else i
        for j in range(height):
            v = height - 1 - j if reverse else j
            for k in range(width):
                u = width - 1 - k if reverse else k
                if not active[t, v, u]:
                    continue
                top = np.float32(-1e9)
                for n in range(labels):
                    s = score[t, v, u, n]
                    if u + 1 < width:
                        s += right[t, v, u] * belief[t, v, u + 1, n]
                    if u > 0:
                        s += right[t, v, u - 1] * belief[t, v, u - 1, n]
                    if v + 1 < height:
                        s += down[t, v, u] * belief[t, v + 1, u, n]
                    if v > 0:
                        s += down[t, v - 1, u] * belief[t, v - 1, u, n]
                    q = after[t, v, u]
                    if q >= 0:
                        s += after_w[t, v, u] * belief[t + 1, q // width, q % width, n]
                    q = before[t, v, u]
                    if q >= 0:
                        s += before_w[t, v, u] * belief[t - 1, q // width, q % width, n]
                    value[n] = s
                    top = max(top, s)
                total = np.float32(0)
                for n in range(labels):
                    value[n] = np.exp(value[n] - top)
                    total += value[n]
                for n in range(labels):
                    belief[t, v, u, n] = value[n] / total
