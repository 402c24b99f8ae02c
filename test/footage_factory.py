"""A clip as perception gives it of a recording: the moving scene, of which less is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from synthetic_scene import moving_scene

from hoigen.conditioning import ConditioningConfig, build_clip
from hoigen.geometry.transforms import apply, invert
from hoigen.records import Camera, Clip, Contacts, Labels, Provenance

FRAMES = 5
MADE = Provenance(3, {'masks': 'motion'}, 'kitchen.mp4', {}, {'hoigen': '0'}, {'video': 'unknown'})


def footage_clip(points: int = 300, tracks: int = 20) -> Clip:
    """The moving scene as perception gives it: the world is the first camera, labels are few, depth has holes."""
    assets, frames = moving_scene(FRAMES, 0.03, 90, 60)
    clip = build_clip(assets, frames, ConditioningConfig(points=300, tracks=20)).subset(slice(points), slice(tracks))
    T = invert(clip.cameras[0].T_world_cam)
    depth = clip.depth_m.copy()
    depth[2, 10:20, 5:9] = np.nan
    return replace(
        clip,
        depth_m=depth,
        points=apply(T, clip.points).astype(np.float32),
        tracks=apply(T, clip.tracks).astype(np.float32),
        cameras=tuple(
            Camera(c.K + np.diag([1 / 3, 1 / 7, 0]), c.width, c.height, T @ c.T_world_cam) for c in clip.cameras
        ),
        labels=tuple(
            Labels(
                (),
                np.zeros(0, np.float32),
                np.zeros(0, np.float32),
                None if row < 2 else T @ labels.T_world_object,
                Contacts(),
                'lift the ball',
                6,
                row,
                row == FRAMES - 1,
            )
            for row, labels in enumerate(clip.labels)
        ),
    )
