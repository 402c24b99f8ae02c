"""What VGGT says of some frames, in this project's records."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from hoigen.geometry.transforms import invert, rigid
from hoigen.perception.vggt.cameras import decode_pose
from hoigen.perception.vggt.model import VGGT
from hoigen.perception.vggt.pictures import to_tensor
from hoigen.records import Camera


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
