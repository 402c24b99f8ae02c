"""What perception would say of the synthetic scene if it were right: for tests of what is made from it."""

from __future__ import annotations

from typing import Any

import numpy as np
from synthetic_scene import moving_scene

from hoigen.conditioning import build_clip
from hoigen.conventions import ROLE_CODE
from hoigen.geometry.camera import project, unproject
from hoigen.geometry.transforms import apply, invert
from hoigen.perception.hands.meshes import HandMeshes
from hoigen.perception.perceive import Perceived
from hoigen.perception.records import Boxes, Geometry, Hands, Segmentation, Tracks, boxes_of
from hoigen.records import Camera, Clip, Footage, Provenance

REASON = 'no point map, for the recording has no depth and VGGT is not there: hoigen models fetch vggt'
GRID_PX = 9


def perceived(
    frames: int = 5, width: int = 180, height: int = 120, *, geometry: bool = True, **changes: Any
) -> Perceived:
    """The ball is object 2, palm and finger are hand 1; ``changes`` replaces fields."""
    truth = build_clip(*moving_scene(frames, 0.1, width, height))
    T_new_old = invert(truth.cameras[0].T_world_cam)
    cameras = tuple(Camera(camera.K, width, height, T_new_old @ camera.T_world_cam) for camera in truth.cameras)
    segmentation = Segmentation(np.array([ROLE_CODE['hand'], ROLE_CODE['object']], np.uint8), truth.mask)
    boxes = boxes_of(segmentation)
    depth = np.where(np.isfinite(truth.depth_m), truth.depth_m, np.float32(np.nan))  # of the sky nothing is measured
    found = Geometry(cameras, depth, np.isfinite(depth).astype(np.float32), 'measured depth', True)
    made: dict[str, Any] = {
        'footage': Footage(truth.stamps_ns, truth.rgb, depth if geometry else None, cameras[0].K),
        'hands': hands_in(frames),
        'boxes': Boxes(segmentation.role, boxes, np.isfinite(boxes[..., 0]).astype(np.float32)),
        'segmentation': segmentation,
        'geometry': found if geometry else None,
        'tracks': _tracks(truth, cameras, T_new_old, with_places=geometry),
        'clip': truth if geometry else None,
        'meshes': HandMeshes(),
        'reason': '' if geometry else REASON,
        'notes': (),
        'seconds': {'flow': 0.2, 'masks': 0.1},
        'provenance': Provenance(0, {'masks': 'motion'}, 'clip.mp4', {}, {'numpy': '2'}, {}),
    }
    return Perceived(**made | changes)


def hands_in(frames: int, *sides: str) -> Hands:
    """Hands that are never seen."""
    size = (frames, len(sides), 21)
    nowhere = [np.full((*size, d), np.nan, np.float32) for d in (2, 3)]
    return Hands(sides, *nowhere, np.zeros(size[:2], np.float32))


def _tracks(truth: Clip, cameras: tuple[Camera, ...], T_new_old: np.ndarray, *, with_places: bool) -> Tracks:
    """The clip's tracks of hand and object, and a grid of points of the scene, which stays."""
    height, width = truth.mask.shape[1:]
    acting = apply(T_new_old, truth.tracks)
    u, v = (axis.ravel() for axis in np.meshgrid(np.arange(4, width, GRID_PX), np.arange(4, height, GRID_PX)))
    still = (truth.mask[0, v, u] == 0) & np.isfinite(truth.depth_m[0, v, u])
    u, v = u[still], v[still]
    scene = unproject(cameras[0], np.stack([u, v], -1), truth.depth_m[0, v, u])
    places = np.concatenate([acting, np.repeat(scene[None], len(cameras), 0)], 1)
    pixels = np.stack([project(camera, rows)[0] for camera, rows in zip(cameras, places, strict=True)])
    inside = ((pixels > -0.5) & (pixels < (width - 0.5, height - 0.5))).all(-1)
    column, row = np.clip(np.rint(pixels).astype(int), 0, (width - 1, height - 1)).transpose(2, 0, 1)
    times = np.arange(len(cameras))[:, None]
    bare = truth.mask[times, row, column] == 0
    visible = inside & np.concatenate([truth.track_visible, bare[:, acting.shape[1] :]], 1)
    role = np.zeros(places.shape[1], np.uint8)
    role[: acting.shape[1]] = truth.mask[0, row[0, : acting.shape[1]], column[0, : acting.shape[1]]]
    return Tracks(
        pixels.astype(np.float32),
        visible,
        role,
        np.zeros(len(role), np.int32),
        places.astype(np.float32) if with_places else None,
    )
