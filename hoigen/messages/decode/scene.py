"""A source's messages -> records: camera, mesh table, one instant."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from hoigen.conventions import ROLES
from hoigen.messages.decode.fields import MessageError, columns, once, pose, poses, stamp_ns
from hoigen.messages.decode.images import depth, rgb
from hoigen.records import Action, Camera, Contacts, Hands, Joints, Labels, MeshAsset, Objects, SceneFrame
from hoigen.records.labels import KEYPOINTS, UNKNOWN

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
    if len(message.contact_bodies) % 2:
        raise MessageError('labels.contact_bodies', 'two for each contact', len(message.contact_bodies))
    return Labels(
        episode=int(message.episode),
        frame=int(message.frame),
        last=bool(message.last),
        task=message.task,
        objects=Objects(
            tuple(message.object_ids), _known_poses(message, 'object_poses'), _floats(message, 'object_visibility')
        ),
        hands=Hands(
            tuple(message.hand_sides),
            _known_poses(message, 'wrist_poses'),
            _floats(message, 'hand_keypoints', KEYPOINTS, 3),
            _floats(message, 'hand_pixels', KEYPOINTS, 2),
        ),
        joints=Joints(tuple(message.joint_names), np.asarray(message.joint_positions, np.float32)),
        action=Action(tuple(message.action_names), tuple(message.action_units), np.asarray(message.action, np.float32)),
        contacts=Contacts(
            tuple(zip(message.contact_bodies[::2], message.contact_bodies[1::2], strict=True)),
            columns(message.contact_positions, 3, np.float32, 'labels.contact_positions'),
            columns(message.contact_normals, 3, np.float32, 'labels.contact_normals'),
            np.asarray(message.contact_forces, np.float32),
            _floats(message, 'contact_penetrations'),
        ),
    )


def _known_poses(message: Any, field: str) -> np.ndarray:
    """[N,4,4] float64 of poses of which a field beside them says which are known; NaN where not."""
    given, known = getattr(message, field), np.asarray(getattr(message, f'{field}_known'), bool)
    if len(known) != len(given):
        raise MessageError(f'labels.{field}_known', f'{len(given)}, one for each pose', len(known))
    found = poses({f'labels.{field}[{row}]': given[row] for row in np.flatnonzero(known)})
    table = np.full((len(given), 4, 4), np.nan)
    table[known] = np.reshape(list(found.values()), (-1, 4, 4))
    return table


def _floats(message: Any, field: str, *shape: int) -> np.ndarray:
    """[N,*shape] float32 of a flat list; unknown of an empty one."""
    values = columns(getattr(message, field), math.prod(shape), np.float32, f'labels.{field}')
    return values.reshape(-1, *shape) if values.size else UNKNOWN


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
