"""A source's messages -> records: camera, mesh table, one instant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hoigen.conventions import ROLES
from hoigen.messages.decode.fields import MessageError, columns, once, pose, poses, stamp_ns
from hoigen.messages.decode.images import depth, rgb
from hoigen.records import Camera, Contacts, Labels, MeshAsset, SceneFrame

__all__ = ['assets', 'camera', 'intrinsics', 'labels', 'mesh_frame', 'scene_frame']


_FRAMES = {
    'world': ('mesh_frame', 'camera/pose', 'labels'),
    'optical': ('camera/image', 'camera/camera_info', 'camera/depth'),
}
"""The topics of a source that are told in the same frame."""


def camera(info: Any, stamped_pose: Any) -> Camera:
    """Camera of a sensor_msgs/CameraInfo and the geometry_msgs/PoseStamped of its optical frame in world."""
    return Camera(intrinsics(info), info.width, info.height, pose(stamped_pose.pose, 'camera/pose'))


def intrinsics(info: Any) -> np.ndarray:
    """K [3,3] float64 of a sensor_msgs/CameraInfo of a rectified, whole picture."""
    if info.k[0] == 0:
        raise MessageError('camera_info.k[0]', 'a focal length', '0, which means uncalibrated')
    if np.any(np.asarray(info.d)):
        raise MessageError('camera_info.d', 'no distortion (rectify the image first)', list(info.d))
    if info.binning_x > 1 or info.binning_y > 1:
        raise MessageError('camera_info.binning_x, binning_y', 'none', (info.binning_x, info.binning_y))
    return np.asarray(info.k, np.float64).reshape(3, 3)


def assets(message: Any) -> tuple[MeshAsset, ...]:
    """Every mesh of a hoigen/MeshAssets, each id once, at least one."""
    if not len(message.assets):
        raise MessageError('assets', 'at least one mesh', 'none')
    once([asset.id for asset in message.assets], 'assets.id')
    return tuple(_asset(asset) for asset in message.assets)


def _asset(message: Any) -> MeshAsset:
    name = f'mesh {message.id!r}'
    if message.role >= len(ROLES):
        raise MessageError(f'{name}: role', f'0 to {len(ROLES) - 1}', message.role)
    triangles = columns(message.triangles, 3, np.uint32, f'{name}: triangles')
    if triangles.size and triangles.max() > np.iinfo(np.int32).max:
        raise MessageError(f'{name}: triangles', 'vertex indices', int(triangles.max()))
    vertices = columns(message.vertices, 3, np.float32, f'{name}: vertices')
    texture = message.texture
    return MeshAsset(
        message.id,
        ROLES[message.role],
        vertices,
        triangles.astype(np.int32),
        columns(message.uv, 2, np.float32, f'{name}: uv') if len(message.uv) else None,
        rgb(texture, f'{name}: texture') if texture.width or texture.height or len(texture.data) else None,
    )


def mesh_frame(message: Any) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Poses ``T_world_asset`` [4,4] float64 and world vertices [V,3] float32, by asset id, of a hoigen/MeshFrame."""
    if len(message.ids) != len(message.poses):
        raise MessageError('mesh_frame.poses', f'{len(message.ids)}, one for each id', len(message.poses))
    once([*message.ids, *(mesh.id for mesh in message.deformed)], 'mesh_frame.ids, deformed')
    found = poses({f'pose of {name!r}': value for name, value in zip(message.ids, message.poses, strict=True)})
    return dict(zip(message.ids, found.values(), strict=True)), {
        mesh.id: columns(mesh.vertices, 3, np.float32, f'vertices of {mesh.id!r}') for mesh in message.deformed
    }


def labels(message: Any) -> Labels:
    """Record of a hoigen/Labels."""
    contacts = Contacts(
        _vectors([contact.position for contact in message.contacts]),
        _vectors([contact.normal for contact in message.contacts]),
        np.array([contact.force for contact in message.contacts], np.float32),
    )
    known = pose(message.object_pose, 'object_pose') if message.object_pose_known else None
    return Labels(
        joint_names=tuple(message.joint_names),
        joint_positions=np.asarray(message.joint_positions, np.float32),
        action=np.asarray(message.action, np.float32),
        T_world_object=known,
        contacts=contacts,
        task=message.task,
        episode=int(message.episode),
        frame=int(message.frame),
        last=bool(message.last),
    )


def _vectors(messages: Sequence[Any]) -> np.ndarray:
    return np.array([[vector.x, vector.y, vector.z] for vector in messages], np.float32).reshape(-1, 3)


def scene_frame(messages: Mapping[str, Any]) -> SceneFrame:
    """One instant from a source's messages by topic, ``camera/depth`` if there is one.

    They must agree on the stamp; ``mesh_frame``, ``camera/pose`` and ``labels`` on the name of the world frame, image,
    depth and lens on that of the camera's.
    """
    stamps = {topic: stamp_ns(message.header) for topic, message in messages.items()}
    if len(set(stamps.values())) > 1:
        raise MessageError('header.stamp', 'one stamp on all topics', f'{stamps} ns')
    for kind, topics in _FRAMES.items():
        names = {topic: messages[topic].header.frame_id for topic in topics if topic in messages}
        if len(set(names.values())) > 1 or not all(names.values()):
            raise MessageError('header.frame_id', f'one {kind} frame, by its name', names)
    poses, vertices = mesh_frame(messages['mesh_frame'])
    return SceneFrame(
        stamp_ns=stamps['mesh_frame'],
        camera=camera(messages['camera/camera_info'], messages['camera/pose']),
        rgb=rgb(messages['camera/image'], 'camera/image'),
        depth_m=depth(messages['camera/depth'], 'camera/depth') if 'camera/depth' in messages else None,
        poses=poses,
        vertices=vertices,
        labels=labels(messages['labels']),
    )
