"""Point maps of RGB footage: a model sees it in overlapping windows, which are carried into one world."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import cv2
import numpy as np
import torch

from hoigen.geometry.alignment import Similarity, align
from hoigen.geometry.camera import pixel_grid, resize_camera, unproject
from hoigen.geometry.transforms import invert, rigid
from hoigen.models.vggt.cameras import decode_pose
from hoigen.models.vggt.model import VGGT, to_tensor
from hoigen.perception.records import Geometry
from hoigen.records import Camera, Footage


@dataclass(frozen=True, eq=False)
class Views:
    """S frames in a world and a unit of their own, at the size at which a model saw them.

    depth: [S,h,w] float32 along the optical axis. confidence: [S,h,w] float32 in [0, 1].
    """

    cameras: tuple[Camera, ...]
    depth: np.ndarray
    confidence: np.ndarray


@torch.no_grad()
def views_of(model: VGGT, rgb: np.ndarray) -> Views:
    """Cameras and depth of pictures [S,H,W,3] uint8.

    The model's confidence c > 1 is inversely proportional to the error it expects (VGGT section 3.4); here it is
    1 - 1 / c, 0 where it expects the largest.
    """
    images = to_tensor(rgb, model.config, model.device)
    tokens = model.tokens(images)
    depth, confidence = (x[0].cpu().numpy() for x in model.depth(tokens))
    poses, lenses = decode_pose(model.poses(tokens)[-1][0].double().cpu(), *images.shape[-2:])
    cameras = tuple(_camera(T.numpy(), K.numpy(), *depth.shape[:0:-1]) for T, K in zip(poses, lenses, strict=True))
    return Views(cameras, depth, 1 - 1 / confidence)


def _camera(T_cam_world: np.ndarray, K: np.ndarray, width: int, height: int) -> Camera:
    K = K.copy()
    K[:2, 2] -= 0.5  # the model measures from the picture's border
    return Camera(K, width, height, invert(rigid(T_cam_world[:, :3], T_cam_world[:, 3])))


SAMPLES = 2000
"""Pixels of a frame, evenly spread, that windows and lenses are compared on."""

ROUNDS = 10
"""Of weighing points by how well they agree."""

CENTRES = 0.1
"""What the camera centres of an overlap weigh together, as a share of its points."""

SMOOTH = 0.02
"""Depths that differ by less than this share are of one surface, and interpolated."""


@dataclass(frozen=True)
class PointMapConfig:
    """window: frames that the model sees at once. overlap: frames that neighbouring windows share."""

    window: int = 50
    overlap: int = 10

    def __post_init__(self) -> None:
        if not 1 <= self.overlap < self.window:
            raise ValueError(f'point maps: expected 1 <= overlap < window, got {self.overlap} and {self.window}')


def reconstruct(footage: Footage, model: VGGT, config: PointMapConfig | None = None) -> Geometry:
    """Cameras and depth of footage whose depth was not measured; the unit of length is unknown.

    One lens serves all frames: the footage's own where it is calibrated, else the median of the model's.
    """
    config = config or PointMapConfig()
    places = spans(len(footage.rgb), config)
    views = join([views_of(model, footage.rgb[first:end]) for first, end in places], places)
    height, width = footage.rgb.shape[1:3]
    views = _with_one_lens(views, footage.K, width, height)
    T_first_world = invert(views.cameras[0].T_world_cam)
    cameras = tuple(
        replace(resize_camera(camera, width, height), T_world_cam=T_first_world @ camera.T_world_cam)
        for camera in views.cameras
    )
    depth = np.stack([_resize_depth(one, width, height) for one in views.depth])
    confidence = np.stack(
        [cv2.resize(one, (width, height), interpolation=cv2.INTER_LINEAR) for one in views.confidence]
    )
    return Geometry(cameras, depth, confidence, model.config.name, metric=False)


def spans(frames: int, config: PointMapConfig) -> list[tuple[int, int]]:
    """First frame and end of each window; the last one reaches back so that it is a full one too."""
    if frames <= config.window:
        return [(0, frames)]
    starts = [*range(0, frames - config.window, config.window - config.overlap), frames - config.window]
    return [(start, start + config.window) for start in starts]


def join(windows: Sequence[Views], places: Sequence[tuple[int, int]]) -> Views:
    """All frames in the first window's world and unit; windows take turns in the middle of what they share."""
    carried = [windows[0]]
    for views, (before, here) in zip(windows[1:], pairwise(places), strict=True):
        shared = before[1] - here[0]
        carried.append(_carry(views, _between(_cut(views, 0, shared), _cut(carried[-1], -shared, None))))
    turns = [0, *((here[0] + before[1]) // 2 for before, here in pairwise(places)), places[-1][1]]
    parts = [
        _cut(views, begin - first, end - first)
        for views, (first, _), (begin, end) in zip(carried, places, pairwise(turns), strict=True)
    ]
    return Views(
        tuple(camera for part in parts for camera in part.cameras),
        np.concatenate([part.depth for part in parts]),
        np.concatenate([part.confidence for part in parts]),
    )


def align_robustly(points: np.ndarray, onto: np.ndarray, weights: np.ndarray) -> Similarity:
    """The similarity of :func:`~hoigen.geometry.alignment.align` that outliers hardly move.

    Weights are divided by how far a point misses, in units of the median miss (Geman and McClure's estimator).
    """
    found = align(points, onto, weights)
    for _ in range(ROUNDS):
        miss = np.linalg.norm(found(points) - onto, axis=1)
        typical = max(float(np.median(miss)), 1e-9)
        found = align(points, onto, weights / (1 + (miss / (2 * typical)) ** 2) ** 2)
    return found


def _between(views: Views, onto: Views) -> Similarity:
    """The similarity that carries views of some frames onto other views of the same frames."""
    points, weights = _points(views)
    places, others = _points(onto)
    centres, goals = (np.array([c.T_world_cam[:3, 3] for c in v.cameras]) for v in (views, onto))
    weights = np.sqrt(weights * others)
    share = CENTRES * weights.sum() / len(centres)
    return align_robustly(
        np.concatenate([points, centres]),
        np.concatenate([places, goals]),
        np.append(weights, np.full(len(centres), share)),
    )


def _carry(views: Views, carry: Similarity) -> Views:
    cameras = tuple(
        replace(c, T_world_cam=rigid(carry.rotation @ c.T_world_cam[:3, :3], carry(c.T_world_cam[:3, 3])))
        for c in views.cameras
    )
    return Views(cameras, (views.depth * carry.scale).astype(np.float32), views.confidence)


def _cut(views: Views, first: int, end: int | None) -> Views:
    return Views(views.cameras[first:end], views.depth[first:end], views.confidence[first:end])


def _points(views: Views) -> tuple[np.ndarray, np.ndarray]:
    """World points [N,3] and their confidence [N] of evenly spread pixels, frame by frame."""
    grid = _some(pixel_grid(*views.depth.shape[:0:-1]))
    points = [unproject(camera, grid, _some(depth)) for camera, depth in zip(views.cameras, views.depth, strict=True)]
    return np.concatenate(points), np.concatenate([_some(one) for one in views.confidence])


def _some(rows: np.ndarray) -> np.ndarray:
    """About SAMPLES evenly spread pixels of [h,w,...], as [N,...]."""
    step = max(int(np.sqrt(rows.shape[0] * rows.shape[1] / SAMPLES)), 1)
    part = rows[step // 2 :: step, step // 2 :: step]
    return part.reshape(-1, *rows.shape[2:])


def _with_one_lens(views: Views, K: np.ndarray | None, width: int, height: int) -> Views:
    """The views through one lens; each camera moves to where its points stay nearest to what they were.

    K: [3,3] of pictures of this size; None: the median of the views' own. A known lens that is longer than the model
    thought stretches depth as much, so that what is seen keeps its size across the picture.
    """
    rows, columns = views.depth.shape[1:]
    own = np.median([camera.K for camera in views.cameras], axis=0)
    lens = own if K is None else resize_camera(Camera(K, width, height, np.eye(4)), columns, rows).K
    stretch = float(np.sqrt(lens[0, 0] * lens[1, 1] / (own[0, 0] * own[1, 1])))
    depth, grid, cameras = (views.depth * stretch).astype(np.float32), _some(pixel_grid(columns, rows)), []
    for old, seen, now, sure in zip(views.cameras, views.depth, depth, views.confidence, strict=True):
        new = Camera(lens, columns, rows, np.eye(4))
        moved = align(unproject(new, grid, _some(now)), unproject(old, grid, _some(seen)), _some(sure), scaled=False)
        cameras.append(replace(new, T_world_cam=rigid(moved.rotation, moved.translation)))
    return Views(tuple(cameras), depth, views.confidence)


def _resize_depth(depth: np.ndarray, width: int, height: int) -> np.ndarray:
    """Depth [h,w] at another size: interpolated on a surface, not across its edge."""
    between = cv2.resize(depth, (width, height), interpolation=cv2.INTER_LINEAR)
    nearest = cv2.resize(depth, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
    return np.where(np.abs(between - nearest) < SMOOTH * nearest, between, nearest)
