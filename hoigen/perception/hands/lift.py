"""Keypoints of hands in 3D: on their rays, at the measured depth of what is seen of them, with bones of one length."""

from __future__ import annotations

import numpy as np
import scipy.ndimage

from hoigen.geometry.alignment import align
from hoigen.geometry.transforms import apply
from hoigen.perception.records import Geometry, Hands
from hoigen.records import Camera

PARENTS = np.array([0, *(0 if k % 4 == 0 else k for k in range(20))])
"""The keypoint from which each one's bone comes; the wrist's own is itself."""
BONES = np.arange(1, 21)
UNDER_SKIN_M = 0.009
"""A joint lies about this far behind the skin that a camera sees."""
LEANS_M = 0.06
"""A depth farther than this from where the shape has a joint is of something else: an object before it, or behind."""
LEAST_JOINTS = 6
"""A hand is placed by the depth of at least so many joints."""
LEAN = 0.05
"""How much a joint counts where the guessed shape has it, against one that is measured."""
GROWS = 0.25
"""A hand seems to be larger or smaller than usual by no more than this, for its shape is guessed."""
ROUNDS = 8
SURE_M, SHAPED_M, BONE_M = 0.006, 0.015, 0.002
"""How far a joint's measured depth, its depth by the hand's shape, and a bone's length are usually off."""
SMOOTH = 1.0
"""Deviation of the Gaussian that smooths depths over frames, both ways: nothing lags."""


def lift_hands(hands: Hands, geometry: Geometry, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Keypoints [T,I,21,3] float32 in the world and wrist poses [T,I,4,4] float64, NaN where unknown.

    mask: [T,H,W] bool, where a hand is seen: only there the depth map tells where a joint is. In each frame the hand's
    shape, as the network guesses it, is turned, sized and put where most joints are measured; then joints move along
    their rays until bones have the median of their lengths over the clip.
    """
    places = np.full((*hands.score.shape, 21, 3), np.nan, np.float32)
    depth_m = np.where(mask, geometry.depth_m, np.float32(np.nan))
    for i in range(len(hands.side)):
        frames = np.flatnonzero(hands.seen[:, i] & (np.ptp(hands.shape_m[:, i], axis=1).max(1) > 0))
        if len(frames):
            cameras = [geometry.cameras[t] for t in frames]
            places[frames, i] = _lift(
                frames, hands.keypoints_px[frames, i], hands.shape_m[frames, i], cameras, depth_m[frames]
            )
    return places, wrist_poses(places)


def wrist_poses(places: np.ndarray) -> np.ndarray:
    """[...,4,4] float64 of keypoints [...,21,3]; NaN where these are.

    The origin is the wrist, y points to the middle knuckle, and z is normal to the palm: the way to the index knuckle
    cross that to the little one.
    """
    p = places.astype(np.float64)
    y = _unit(p[..., 9, :] - p[..., 0, :])
    z = _unit(np.cross(p[..., 5, :] - p[..., 0, :], p[..., 17, :] - p[..., 0, :]))
    x = _unit(np.cross(y, z))
    poses = np.full((*p.shape[:-2], 4, 4), np.nan)
    known = np.isfinite(x).all(-1)
    poses[known] = np.eye(4)
    poses[known, :3, :3] = np.stack([x, y, np.cross(x, y)], -1)[known]
    poses[known, :3, 3] = p[known][:, 0]
    return poses


def _unit(v: np.ndarray) -> np.ndarray:
    with np.errstate(invalid='ignore', divide='ignore'):
        return v / np.linalg.norm(v, axis=-1, keepdims=True)


def _lift(
    frames: np.ndarray, pixels: np.ndarray, shape: np.ndarray, cameras: list[Camera], depth_m: np.ndarray
) -> np.ndarray:
    """Places [F,21,3] in the world of a hand seen in ``frames`` [F]; NaN where too little of it has depth."""
    pixels, shape = pixels.astype(np.float64), shape.astype(np.float64)
    rays = np.stack([_rays(camera, p) for camera, p in zip(cameras, pixels, strict=True)])
    depth = np.stack([_depth_at(d, p) for d, p in zip(depth_m, pixels, strict=True)])
    centre, scale = _placed(rays, shape, depth)
    places = np.full((len(frames), 21, 3), np.nan)
    measured = depth + UNDER_SKIN_M * scale
    guess = _turned(rays, shape, measured, centre, scale)
    known = np.isfinite(guess).all(1)
    if known.any():
        z = _settled(rays[known], guess[known], measured[known], scale)
        z = z + _smoothed(frames[known], z.mean(1))[:, None] - z.mean(1, keepdims=True)
        seen = rays[known] * z[..., None]
        posed = [cameras[k].T_world_cam for k in np.flatnonzero(known)]
        places[known] = np.stack([apply(T, p) for T, p in zip(posed, seen, strict=True)])
    return places


def _rays(camera: Camera, pixels: np.ndarray) -> np.ndarray:
    """[N,3]: the points at depth 1 that pixels [N,2] show."""
    K = camera.K
    return np.column_stack([(pixels - K[:2, 2]) / K[[0, 1], [0, 1]], np.ones(len(pixels))])


def _depth_at(depth_m: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """[N] the median depth of the 3x3 pixels there, NaN where unknown or outside the image."""
    height, width = depth_m.shape
    offsets = np.stack(np.meshgrid([-1, 0, 1], [-1, 0, 1]), -1).reshape(-1, 2)
    u, v = np.moveaxis(np.rint(pixels).astype(int)[:, None] + offsets, -1, 0)
    inside = (u >= 0) & (v >= 0) & (u < width) & (v < height)
    values = np.where(inside, depth_m[np.clip(v, 0, height - 1), np.clip(u, 0, width - 1)], np.nan)
    middle = np.full(len(pixels), np.nan)
    some = np.isfinite(values).any(1)
    middle[some] = np.nanmedian(values[some], axis=1)
    return middle


def _placed(rays: np.ndarray, shape: np.ndarray, depth: np.ndarray) -> tuple[np.ndarray, float]:
    """The depth [F] of the hand's centre in each frame, NaN where unknown; its size against the shape's, of the clip.

    Where the hand would be of another size than it mostly is, its size tells the depth.
    """
    flat = shape[..., :2] - shape[..., :2].mean(1, keepdims=True)
    seen = rays[..., :2] - rays[..., :2].mean(1, keepdims=True)
    per_z = (flat * seen).sum((1, 2)) / (flat**2).sum((1, 2))
    # a joint's depth is z + s shape_z, less what it lies under the skin, with s = z per_z
    asked = depth / (1 + per_z[:, None] * (shape[..., 2] - UNDER_SKIN_M))
    centre = np.full(len(asked), np.nan)
    enough = np.isfinite(asked).sum(1) >= LEAST_JOINTS
    if not enough.any():
        return centre, 1.0
    centre[enough] = np.nanmedian(asked[enough], axis=1)
    scale = float(np.nanmedian(centre * per_z))
    usual = scale / per_z
    return np.where(np.abs(centre / usual - 1) < GROWS, centre, np.where(enough, usual, np.nan)), scale


def _turned(rays: np.ndarray, shape: np.ndarray, measured: np.ndarray, centre: np.ndarray, scale: float) -> np.ndarray:
    """Depths [F,21] of the shape turned and sized to what is measured, for how it leans is poorly guessed; NaN where
    too few joints are where it has them."""
    guess = np.full(measured.shape, np.nan)
    for f, (ray, own, depth) in enumerate(zip(rays, shape, measured, strict=True)):
        there = np.flatnonzero(np.abs(depth - centre[f] - scale * own[:, 2]) < LEANS_M * scale)
        if len(there) < LEAST_JOINTS:
            continue
        guessed = ray[:, :2].mean(0) * centre[f]
        guessed = scale * own + [*guessed, centre[f]]
        places, weight = np.concatenate([ray[there] * depth[there, None], guessed]), np.full(len(there) + 21, LEAN)
        weight[: len(there)] = 1
        for _ in range(ROUNDS):
            carry = align(np.concatenate([own[there], own]), places, weight)
            miss = np.linalg.norm(carry(own[there]) - places[: len(there)], axis=1) / (SHAPED_M * scale)
            weight[: len(there)] = 1 / (1 + miss**2)
        if (miss < 1).sum() >= LEAST_JOINTS:
            guess[f] = carry(own)[:, 2]
    return guess


def _settled(rays: np.ndarray, guess: np.ndarray, measured: np.ndarray, scale: float) -> np.ndarray:
    """Depths [F,21] along rays [F,21,3], by Gauss-Newton: near the measured and the shape's, bones of one length.

    A measured depth counts less the farther it is from the shape's: one finger may hide another's joint.
    """
    gap = (measured - guess) / (SHAPED_M * scale)
    trust = np.where(np.isfinite(gap), 1 / (1 + gap**2), 0) / SURE_M**2
    weight = trust + 1 / SHAPED_M**2
    wanted = (trust * np.nan_to_num(measured) + guess / SHAPED_M**2) / weight
    z = wanted
    lengths = np.median(_bones(rays * wanted[..., None])[1], axis=0)
    for _ in range(ROUNDS):
        vector, length = _bones(rays * z[..., None])
        off = (length - lengths) / BONE_M**2
        ahead = (vector * rays[:, BONES]).sum(-1) / length
        back = -(vector * rays[:, PARENTS[BONES]]).sum(-1) / length
        normal = np.zeros((len(z), 21, 21))
        normal[:, range(21), range(21)] = weight
        right = weight * (wanted - z)
        for b, (child, parent) in enumerate(zip(BONES, PARENTS[BONES], strict=True)):
            a, p = ahead[:, b], back[:, b]
            normal[:, child, child] += a * a / BONE_M**2
            normal[:, parent, parent] += p * p / BONE_M**2
            normal[:, child, parent] += a * p / BONE_M**2
            normal[:, parent, child] += a * p / BONE_M**2
            right[:, child] -= a * off[:, b]
            right[:, parent] -= p * off[:, b]
        z = z + np.clip(np.linalg.solve(normal, right[..., None])[..., 0], -0.02 * scale, 0.02 * scale)
    return z


def _bones(places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """From each keypoint's parent to it, [F,20,3], and how long, [F,20]."""
    vector = places[:, BONES] - places[:, PARENTS[BONES]]
    return vector, np.linalg.norm(vector, axis=-1)


def _smoothed(frames: np.ndarray, value: np.ndarray) -> np.ndarray:
    """[F] smoothed over frames, each stretch without a gap for itself."""
    found = value.copy()
    for run in np.split(np.arange(len(frames)), np.flatnonzero(np.diff(frames) > 1) + 1):
        found[run] = scipy.ndimage.gaussian_filter1d(value[run], SMOOTH, mode='nearest')
    return found
