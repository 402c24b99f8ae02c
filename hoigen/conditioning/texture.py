"""The first picture's colours carried along by the surface, at every pixel that shows hand or object."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from hoigen.compiling import numba
from hoigen.conditioning.lookup import Picture, colour_at, picture_of
from hoigen.conventions import ROLE_CODE, SCENE
from hoigen.geometry.transforms import apply, invert
from hoigen.geometry.view import View
from hoigen.records import Clip

NEIGHBOURS = 12
"""Samples around each sample among which two are looked for that move rigidly with it."""

STRETCH = 0.05
"""Samples whose distance changes by a larger part than this in a clip do not belong to one rigid piece."""

GUESS_FROM = 32
"""A sample that frame 0 does not show is taken to look like so many shown ones around it on the same hand or object."""

MOST_PARTS = 2
"""A pixel's colour is the mean over at most so many places across and down."""


def carry_colours(clip: Clip, view: View, nearest: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Colours [T,H,W,3] uint8 and state [T,H,W] uint8 of hand and object at the size of ``view``.

    nearest: [T,H,W] int32, the sample that each pixel takes, -1 for none. A pixel's place on the surface is moved
    back to frame 0 with the motion of the samples around it, and has the colour there if frame 0 shows it.
    State: 0 no sample of hand or object, 1 not shown in frame 0, 2 shown. What is not shown has its sample's guess.
    """
    points = clip.points.astype(float)
    axes = local_axes(points, rigid_partners(points, clip.point_role))
    picture = picture_of(clip.rgb[0], clip.mask[0], clip.depth_m[0], clip.cameras[0])
    T_first_world = invert(clip.cameras[0].T_world_cam)
    grid = (view.left, view.top, view.columns / view.width, view.rows / view.height)
    colour, state = np.zeros((*nearest.shape, 3), np.uint8), np.zeros(nearest.shape, np.uint8)
    for t, camera in enumerate(clip.cameras):
        turn = axes[0] @ axes[t].transpose(0, 2, 1)
        back = np.empty((len(turn), 3, 4))  # this camera's frame -> world now -> world in frame 0 -> first camera
        back[:, :, :3] = T_first_world[:3, :3] @ turn @ camera.T_world_cam[:3, :3]
        now = camera.T_world_cam[:3, 3] - points[t]
        back[:, :, 3] = apply(T_first_world, points[0] + np.einsum('nxy,ny->nx', turn, now))
        _carry(
            picture,
            nearest[t],
            clip.point_role,
            clip.mask[t],
            clip.depth_m[t],
            np.linalg.inv(camera.K),
            back,
            grid,
            colour[t],
            state[t],
        )
    return np.where((state == 1)[..., None], guessed_colours(clip)[nearest], colour), state


def guessed_colours(clip: Clip) -> np.ndarray:
    """[N,3] uint8: a sample's colour where frame 0 shows it, else the mean of shown ones near it, the nearer the more.

    Near is in space, in frame 0: more of a sleeve looks like the sleeve, not like the finger beside it in the picture.
    """
    colours = clip.point_rgb.copy()
    for code in np.unique(clip.point_role):
        shown = np.flatnonzero((clip.point_role == code) & clip.point_rgb_known)
        hidden = np.flatnonzero((clip.point_role == code) & ~clip.point_rgb_known)
        if len(shown) and len(hidden):
            apart, found = cKDTree(clip.points[0, shown]).query(clip.points[0, hidden], k=range(1, GUESS_FROM + 1))
            weight = 1 / np.square(apart + 1e-4)  # a neighbour that is not there is infinitely far
            near = clip.point_rgb[shown[np.minimum(found, len(shown) - 1)]]
            colours[hidden] = np.rint((near * weight[..., None]).sum(1) / weight.sum(1)[:, None])
    return colours


def rigid_partners(points: np.ndarray, role: np.ndarray) -> np.ndarray:
    """[N,2] int64: two samples near each of hand and object that move rigidly with it in points [T,N,3]; else -1."""
    partners = np.full((points.shape[1], 2), -1)
    for code in np.unique(role[role != ROLE_CODE[SCENE]]):
        rows = np.flatnonzero(role == code)
        near = min(NEIGHBOURS, len(rows) - 1)
        if near >= 2:
            _, found = cKDTree(points[0, rows]).query(points[0, rows], k=near + 1)
            _choose_partners(points, rows, rows[found[:, 1:]], partners)
    return partners


@numba.njit(cache=True, nogil=True)
def _choose_partners(points: np.ndarray, rows: np.ndarray, near: np.ndarray, partners: np.ndarray) -> None:
    """The neighbour whose distance changes least, then the one of least change well beside the line to the first."""
    change = np.empty(near.shape[1])
    for place in range(len(rows)):
        n = rows[place]
        for k in range(near.shape[1]):
            first, change[k] = _distance(points[0], near[place, k], n), 0.0
            for t in range(1, len(points)):
                change[k] = max(change[k], abs(_distance(points[t], near[place, k], n) - first) / max(first, 1e-9))
        order = np.argsort(change)
        if change[order[0]] > STRETCH:
            continue
        a = points[0, near[place, order[0]]] - points[0, n]
        for k in order[1:]:
            b = points[0, near[place, k]] - points[0, n]
            if change[k] <= STRETCH and (a * b).sum() ** 2 < 0.75 * (a * a).sum() * (b * b).sum():
                partners[n, 0], partners[n, 1] = near[place, order[0]], near[place, k]
                break


@numba.njit(cache=True, nogil=True, inline='always')
def _distance(points: np.ndarray, a: int, b: int) -> float:
    return np.sqrt(
        (points[a, 0] - points[b, 0]) ** 2 + (points[a, 1] - points[b, 1]) ** 2 + (points[a, 2] - points[b, 2]) ** 2
    )


def local_axes(points: np.ndarray, partners: np.ndarray) -> np.ndarray:
    """[T,N,3,3] float64: axes (columns, world) that turn with a sample and its partners; fixed without any."""
    has = partners[:, 0] >= 0
    axes = np.broadcast_to(np.eye(3), (*points.shape[:2], 3, 3)).copy()
    a, b = (points[:, partners[has, k]] - points[:, has] for k in range(2))
    x = a / np.linalg.norm(a, axis=-1, keepdims=True)
    z = np.cross(x, b)
    z /= np.linalg.norm(z, axis=-1, keepdims=True)
    axes[:, has] = np.stack([x, np.cross(z, x), z], axis=-1)
    return axes


@numba.njit(cache=True, nogil=True)
def _carry(
    picture: Picture,
    nearest: np.ndarray,
    role: np.ndarray,
    mask: np.ndarray,
    depth_m: np.ndarray,
    K_inverse: np.ndarray,
    back: np.ndarray,
    grid: tuple[int, int, float, float],
    colour: np.ndarray,
    state: np.ndarray,
) -> None:
    """Mean colour, per pixel of ``nearest``, of up to ``MOST_PARTS`` squared places of mask and depth within it."""
    left, top, across, down = grid
    parts = max(1, min(MOST_PARTS, round(across)))
    there, found, total = np.empty(3), np.empty(3), np.empty(3)
    for row in range(nearest.shape[0]):
        for column in range(nearest.shape[1]):
            n = nearest[row, column]
            if n < 0 or role[n] == 0:
                continue
            count = 0
            total[:] = 0
            for part in range(parts * parts):
                v = top + int((row + (part // parts + 0.5) / parts) * down)
                u = left + int((column + (part % parts + 0.5) / parts) * across)
                if mask[v, u] != role[n]:
                    continue
                z = depth_m[v, u]
                x = (K_inverse[0, 0] * u + K_inverse[0, 1] * v + K_inverse[0, 2]) * z
                y = (K_inverse[1, 1] * v + K_inverse[1, 2]) * z
                for axis in range(3):
                    row_of = back[n, axis]
                    there[axis] = row_of[0] * x + row_of[1] * y + row_of[2] * z + row_of[3]
                if colour_at(picture, there[0], there[1], there[2], role[n], found):
                    count += 1
                    total += found
            state[row, column] = 2 if count else 1
            for channel in range(3):
                colour[row, column, channel] = np.uint8(round(total[channel] / max(count, 1)))
