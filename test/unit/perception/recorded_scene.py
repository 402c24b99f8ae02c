"""One simulated lift as a depth camera records it, with its truth: for tests of the whole path."""

from __future__ import annotations

from functools import cache

import numpy as np

from hoigen.conditioning import build_clip
from hoigen.records import Clip, Footage
from hoigen.sources.mujoco import MujocoConfig, MujocoSource


@cache
def lift() -> tuple[Footage, Clip]:
    """17 frames of 320x180 at 8 Hz, seen by a head that sways."""
    source = MujocoSource(MujocoConfig(width=320, height=180, frames=17, task='lift', shape='carton', camera='ego'))
    episode = source.episode(5)
    frames = list(episode.frames())
    truth = build_clip(episode.assets, frames)
    depth = np.stack([frame.depth_m for frame in frames if frame.depth_m is not None])
    return Footage(truth.stamps_ns, truth.rgb, depth, frames[0].camera.K), truth
