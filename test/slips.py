"""An integrator's slips, made on purpose: each takes assets and frames of a true scene and publishes them wrongly."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from hoigen.geometry.transforms import apply, invert, rigid
from hoigen.records import MeshAsset, SceneFrame

Scene = tuple[Sequence[MeshAsset], Sequence[SceneFrame]]


def opengl_camera(assets: Sequence[MeshAsset], frames: Sequence[SceneFrame]) -> Scene:
    return assets, [_posed(f, f.camera.T_world_cam @ np.diag([1.0, -1, -1, 1])) for f in frames]


def inverse_camera(assets: Sequence[MeshAsset], frames: Sequence[SceneFrame]) -> Scene:
    return assets, [_posed(f, invert(f.camera.T_world_cam)) for f in frames]


def body_camera(assets: Sequence[MeshAsset], frames: Sequence[SceneFrame]) -> Scene:
    optical_from_body = np.array([[0.0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0], [0, 0, 0, 1]])
    return assets, [_posed(f, f.camera.T_world_cam @ optical_from_body) for f in frames]


def quaternions_wxyz(assets: Sequence[MeshAsset], frames: Sequence[SceneFrame]) -> Scene:
    """Of the meshes."""
    return assets, [replace(f, poses={name: _wxyz(T) for name, T in f.poses.items()}) for f in frames]


def all_quaternions_wxyz(assets: Sequence[MeshAsset], frames: Sequence[SceneFrame]) -> Scene:
    frames = quaternions_wxyz(assets, frames)[1]
    return assets, [_posed(f, _wxyz(f.camera.T_world_cam)) for f in frames]


def millimetres(assets: Sequence[MeshAsset], frames: Sequence[SceneFrame]) -> Scene:
    """Of the vertices."""
    return [replace(asset, vertices=1000 * asset.vertices) for asset in assets], frames


def vertices_in_world(assets: Sequence[MeshAsset], frames: Sequence[SceneFrame]) -> Scene:
    """Of the object, as it lies in the first frame, which then has no pose of its own."""
    where = frames[0].poses
    return [
        replace(a, vertices=apply(where[a.id], a.vertices).astype(np.float32)) if a.role == 'object' else a
        for a in assets
    ], frames


def principal_point(assets: Sequence[MeshAsset], frames: Sequence[SceneFrame]) -> Scene:
    """Wrong by 40 and 30 of 640 x 480 pixels."""
    return assets, [
        _through(f, np.array([[0, 0, f.camera.width / 16], [0, 0, f.camera.height / 16], [0, 0, 0]])) for f in frames
    ]


def focal_length(assets: Sequence[MeshAsset], frames: Sequence[SceneFrame]) -> Scene:
    """A tenth too long."""
    return assets, [_through(f, 0.1 * f.camera.K * np.diag([1.0, 1, 0])) for f in frames]


def image_upside_down(assets: Sequence[MeshAsset], frames: Sequence[SceneFrame]) -> Scene:
    return assets, [replace(f, rgb=f.rgb[::-1].copy()) for f in frames]


def camera_upside_down(assets: Sequence[MeshAsset], frames: Sequence[SceneFrame]) -> Scene:
    """Image and depth, as read from OpenGL."""
    return assets, [replace(f, rgb=f.rgb[::-1].copy(), depth_m=f.depth_m[::-1].copy()) for f in frames]


def image_late(assets: Sequence[MeshAsset], frames: Sequence[SceneFrame]) -> Scene:
    """By one frame; the first one comes twice."""
    return assets, [replace(f, rgb=before.rgb) for f, before in zip(frames, [frames[0], *frames], strict=False)]


def camera_late(assets: Sequence[MeshAsset], frames: Sequence[SceneFrame]) -> Scene:
    """Image and depth, by one frame."""
    return assets, [
        replace(f, rgb=before.rgb, depth_m=before.depth_m)
        for f, before in zip(frames, [frames[0], *frames], strict=False)
    ]


def depth_in_millimetres(assets: Sequence[MeshAsset], frames: Sequence[SceneFrame]) -> Scene:
    return assets, [replace(f, depth_m=1000 * f.depth_m) for f in frames]


def no_hand(assets: Sequence[MeshAsset], frames: Sequence[SceneFrame]) -> Scene:
    kept = {asset.id for asset in assets if asset.role != 'hand'}
    return [asset for asset in assets if asset.id in kept], [
        replace(f, poses={name: T for name, T in f.poses.items() if name in kept}) for f in frames
    ]


NAMED: dict[Callable[..., Scene], str] = {
    opengl_camera: "camera/pose is in OpenGL's frame",
    inverse_camera: 'camera/pose is the inverse',
    body_camera: 'camera/pose is the body frame',
    quaternions_wxyz: 'the quaternions of mesh_frame are in the order w, x, y, z',
    all_quaternions_wxyz: 'in the order w, x, y, z',
    millimetres: 'the vertices in mesh_assets are in millimetres',
    vertices_in_world: 'the vertices of object in mesh_assets are in world already',
    principal_point: 'camera/camera_info: k',
    focal_length: 'camera/camera_info: k',
    image_upside_down: 'camera/image: upside down',
    camera_upside_down: 'camera/depth and camera/image: upside down',
    image_late: 'camera/image: one frame late',
    camera_late: 'camera/depth',
    depth_in_millimetres: 'camera/depth: in millimetres',
}
"""Slips that are refused, and what the refusal says of each."""


def _posed(frame: SceneFrame, T_world_cam: np.ndarray) -> SceneFrame:
    return replace(frame, camera=replace(frame.camera, T_world_cam=T_world_cam))


def _through(frame: SceneFrame, change: Any) -> SceneFrame:
    return replace(frame, camera=replace(frame.camera, K=frame.camera.K + change))


def _wxyz(T: np.ndarray) -> np.ndarray:
    """What is read of a pose whose quaternion is sent as w, x, y, z."""
    x, y, z, w = Rotation.from_matrix(T[:3, :3]).as_quat()
    return rigid(Rotation.from_quat([w, x, y, z]).as_matrix(), T[:3, 3])
