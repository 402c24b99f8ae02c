"""Kernels compiled before the first frame comes, which would wait for them."""

from __future__ import annotations

import numpy as np

from hoigen.conditioning.builder import ClipBuilder
from hoigen.conditioning.config import ConditioningConfig
from hoigen.conventions import HAND, OBJECT
from hoigen.records import Camera, Labels, MeshAsset, SceneFrame

__all__ = ['compile_kernels']

_CUBE = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], np.float32)
_SIDES = np.array([[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]], np.int32)


def compile_kernels() -> None:
    """Condition once on a hand and an object, both cubes, before a camera: the same arrays as of any scene."""
    triangles = np.concatenate([_SIDES[:, [0, 1, 2]], _SIDES[:, [0, 2, 3]]])
    assets = [MeshAsset(role, role, _CUBE * np.float32(0.1), triangles) for role in (HAND, OBJECT)]
    width, height = 48, 32
    camera = Camera(np.array([[width, 0, width / 2], [0, width, height / 2], [0, 0, 1.0]]), width, height, np.eye(4))
    poses = {asset.id: np.eye(4) for asset in assets}
    for side, pose in zip((-0.12, 0.12), poses.values(), strict=True):
        pose[:3, 3] = side, 0, 1
    grey = np.full((height, width, 3), 127, np.uint8)
    depth = np.full((height, width), 0.9, np.float32)  # of their front
    builder = ClipBuilder(assets, ConditioningConfig(points=64, tracks=16))
    builder.add(SceneFrame(0, camera, grey, depth, poses, {}, Labels(episode=0, frame=0, last=True)))
