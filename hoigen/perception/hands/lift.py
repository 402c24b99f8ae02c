"""Keypoints of hands in 3D: on their rays, at the measured depth of what is seen of them, with bones of one length."""

from __future__ import annotations

import numpy as np
import scipy.ndimage

from hoigen.geometry.transforms import apply
from hoigen.perception.records import Geometry, Hands
from hoigen.records import Camera

PARENTS = np.array([0, *(0 if k % 4 == 0 else k for k in range(20))])
"""The keypoint from which each one's bone comes; the wrist's own is itself."""
BONES = np.arange(1, 21)
UNDER_SKIN_M = 0.009
"""A joint lies about this far behind the skin that a camera sees."""
ON_SKIN_M = 0.025
"""A depth farther than this from where the shape has a joint is of something else: an object before it, or behind."""
LEAST_JOINTS = 6
"""A hand is placed by the depth of at least so many joints."""
GROWS = 0.12
"""A hand seems to be larger or smaller than usual by no more than this, for its shape is guessed."""
ROUNDS = 8
SURE_M, SHAPED_M, BONE_M = 0.006, 0.015, 0.002
"""How far a joint's measured depth, its depth by the hand's shape, and a bone's length are usually off."""
SMOOTH = 1.0
"""Deviation of the Gaussian that smooths depths over frames, both ways: nothing lags."""


def lift_hands(hands: Hands, geometry: Geometry) -> tuple[np.ndarray, np.ndarray]:
    """Keypoints [T,I,21,3] float32 in the world and wrist poses [T,I,4,4] float64, NaN where unknown.

    The hand's shape, as the network guesses it, is put where the depth map has most of its joints, in each frame; then
    joints move along their rays until bones have the median of their lengths over the clip.
    """
    places = np.full((*hands.score.shape, 21, 3), np.nan, np.float32)
    for i in range(len(hands.side)):
        frames = np.flatnonzero(hands.seen[:, i] & np.isfinite(hands.shape_m[:, i]).all((1, 2)))
        if len(frames):
            places[frames, i] = _lift(frames, hands.keypoints_px[frames, i], hands.shape_m[frames, i], geometry)
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


def _lift(frames: np.ndarray, pixels: np.ndarray, shape: np.ndarray, geometry: Geometry) -> np.ndarray:
    """Places [F,21,3] in the world of a hand seen in ``frames`` [F]; NaN where too little of it has depth."""
    cameras = [geometry.cameras[t] for t in frames]
    pixels, shape = pixels.astype(np.float64), shape.astype(np.float64)
    rays = np.stack([_rays(camera, p) for camera, p in zip(cameras, pixels, strict=True)])
    depth = np.stack([_depth_at(geometry.depth_m[t], p) for t, p in zip(frames, pixels, strict=True)])
    centre, per_z = _placed(rays, shape, depth)
    known = np.isfinite(centre)
    places = np.full((len(frames), 21, 3), np.nan)
    if known.any():
        scale = np.median((centre * per_z)[known])
        guess = centre[known, None] + scale * shape[known, :, 2]
        measured = depth[known] + UNDER_SKIN_M * scale
        on_hand = np.abs(measured - guess) < ON_SKIN_M * scale
        z = _settled(rays[known], guess, np.where(on_hand, measured, np.nan), scale)
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


def _placed(rays: np.ndarray, shape: np.ndarray, depth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The depth [F] of the hand's centre in each frame, NaN where unknown; its size [F] at depth 1, against the shape.

    The depth is the one that most joints agree on and at which the hand is as large as in most frames: an object that
    hides many joints would make it another size.
    """
    flat = shape[..., :2] - shape[..., :2].mean(1, keepdims=True)
    seen = rays[..., :2] - rays[..., :2].mean(1, keepdims=True)
    per_z = (flat * seen).sum((1, 2)) / (flat**2).sum((1, 2))
    # a joint's depth is z + s shape_z, less what it lies under the skin, with s = z per_z
    asked = depth / (1 + per_z[:, None] * (shape[..., 2] - UNDER_SKIN_M))
    centre = _agreed(asked, per_z)
    if np.isfinite(centre).any():
        usual = np.nanmedian(centre * per_z) / per_z[:, None]
        centre = _agreed(np.where(np.abs(asked / usual - 1) < GROWS, asked, np.nan), per_z)
    return centre, per_z


def _agreed(asked: np.ndarray, per_z: np.ndarray) -> np.ndarray:
    """[F]: the depth that most of the joints [F,21] ask for; NaN where too few agree."""
    reach = 0.5 * ON_SKIN_M * np.nanmedian(per_z[:, None] * asked) if np.isfinite(asked).any() else 0.0
    near = np.abs(asked[:, :, None] - asked[:, None]) < reach
    votes, rows = near.sum(2), np.arange(len(asked))
    best = votes.argmax(1)
    agreed = np.where(near[rows, best], asked, np.nan)
    enough = votes[rows, best] >= LEAST_JOINTS
    centre = np.full(len(asked), np.nan)
    centre[enough] = np.nanmedian(agreed[enough], axis=1)
    return centre


def _settled(rays: np.ndarray, guess: np.ndarray, measured: np.ndarray, scale: float) -> np.ndarray:
    """Depths [F,21] along rays [F,21,3], by Gauss-Newton: near the measured and the shape's, bones of one length.

    A measured depth counts less the farther it is from the shape's: one finger may hide another's joint.
    """
    gap = (measured - guess) / (SHAPED_M * scale)
    trust = np.where(np.isfinite(gap), 1 / (1 + gap**2), 0) / SURE_M**2
    weight = trust + 1 / SHAPED_M**2
    wanted = (trust * np.nan_to_num(measured) + guess / SHAPED_M**2) / weight
    z = wanted
    lengths = np.median(_bones(rays * guess[..., None])[1], axis=0)
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
