"""Records -> messages; the other way, which bags need too and which needs no ROS, is :mod:`hoigen.decode`.

Per-frame messages come as a dictionary by topic name, all with one stamp. Arrays go in through ``array.array``: a
message's setter takes it as it is, and looks at every element of a NumPy array (50 times slower for an image).
"""

from __future__ import annotations

import array
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Point, Pose, PoseStamped, Quaternion, Vector3
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image, PointCloud2, PointField
from std_msgs.msg import Header, String

from hoigen.conditioning import FrameConditions
from hoigen.conventions import ROLE_CODE
from hoigen.decode import CLOUD_FIELDS
from hoigen.episodes import provenance_to_json
from hoigen.msg import Contact, DeformedMesh, Fidelity, MeshAssets, MeshFrame, PointTracks
from hoigen.msg import Labels as LabelsMsg
from hoigen.msg import MeshAsset as MeshAssetMsg
from hoigen.records import Camera, GeneratedClip, Labels, MeshAsset, Provenance, SceneFrame

__all__ = ['OPTICAL', 'WORLD', 'assets_to_msg', 'camera_info_to_msg', 'camera_pose_to_msg', 'clock_to_msg',
           'conditions_to_msgs', 'frame_to_msgs', 'generated_to_msgs', 'header', 'image_to_msg', 'labels_to_msg',
           'mesh_frame_to_msg', 'points_to_msg', 'pose_to_msg', 'provenance_to_msg', 'tracks_to_msg']

WORLD = 'world'
OPTICAL = 'camera_optical'

_ENCODINGS = {('uint8', 3): 'rgb8', ('uint8', 2): 'mono8', ('float32', 2): '32FC1'}
_POINT_TYPES = {'u1': PointField.UINT8, 'u4': PointField.UINT32, 'f4': PointField.FLOAT32}
_POINT_LAYOUT = np.dtype(list(CLOUD_FIELDS.items()))


def header(stamp_ns: int, frame_id: str) -> Header:
    """A header with the source's stamp."""
    return Header(stamp=_time(stamp_ns), frame_id=frame_id)


def clock_to_msg(stamp_ns: int) -> Clock:
    """Simulated time."""
    return Clock(clock=_time(stamp_ns))


def image_to_msg(pixels: np.ndarray, head: Header) -> Image:
    """[H,W,3] uint8 RGB as rgb8, [H,W] uint8 as mono8, [H,W] float32 metres (NaN unknown) as 32FC1."""
    encoding = _ENCODINGS.get((str(pixels.dtype), pixels.ndim))
    if encoding is None or pixels.shape[2:] not in ((), (3,)):
        raise ValueError(f'pixels: expected [H,W,3] uint8, [H,W] uint8 or [H,W] float32, '
                         f'got {list(pixels.shape)} {pixels.dtype}')
    height, width = pixels.shape[:2]
    return Image(header=head, height=height, width=width, encoding=encoding, step=pixels[0].nbytes,
                 data=_packed(pixels, 'B'))


def pose_to_msg(T: np.ndarray) -> Pose:
    """Pose of a rigid ``T_world_body`` [4,4]."""
    w, x, y, z = _quat_wxyz(T[:3, :3])
    return Pose(position=Point(**_xyz(T[:3, 3])), orientation=Quaternion(x=x, y=y, z=z, w=w))


def camera_info_to_msg(camera: Camera, head: Header) -> CameraInfo:
    """Intrinsics of a camera without distortion."""
    return CameraInfo(header=head, height=camera.height, width=camera.width, distortion_model='plumb_bob',
                      d=[0.0] * 5, k=camera.K.ravel(), r=np.eye(3).ravel(), p=np.c_[camera.K, np.zeros(3)].ravel())


def camera_pose_to_msg(camera: Camera, head: Header) -> PoseStamped:
    """The optical frame in the world frame that ``head`` names."""
    return PoseStamped(header=head, pose=pose_to_msg(camera.T_world_cam))


def assets_to_msg(assets: Sequence[MeshAsset], stamp_ns: int) -> MeshAssets:
    """The mesh table of an episode that begins at ``stamp_ns``."""
    return MeshAssets(header=header(stamp_ns, WORLD), assets=[
        MeshAssetMsg(id=asset.id, role=ROLE_CODE[asset.role], vertices=_packed(asset.vertices, 'f'),
                     triangles=_packed(asset.triangles, 'I')) for asset in assets])


def mesh_frame_to_msg(frame: SceneFrame, head: Header) -> MeshFrame:
    """Where the frame's assets are."""
    return MeshFrame(header=head, ids=list(frame.poses), poses=[pose_to_msg(T) for T in frame.poses.values()],
                     deformed=[DeformedMesh(id=name, vertices=_packed(vertices, 'f'))
                               for name, vertices in frame.vertices.items()])


def labels_to_msg(labels: Labels, head: Header) -> LabelsMsg:
    """The labels of an instant, in the world frame that ``head`` names."""
    contacts = labels.contacts
    return LabelsMsg(
        header=head, episode=labels.episode, frame=labels.frame, last=labels.last, task=labels.task,
        joint_names=list(labels.joint_names), joint_positions=_packed(labels.joint_positions, 'f'),
        action=_packed(labels.action, 'f'), object_pose_known=labels.T_world_object is not None,
        object_pose=pose_to_msg(np.eye(4) if labels.T_world_object is None else labels.T_world_object),
        contacts=[Contact(position=Point(**_xyz(place)), normal=Vector3(**_xyz(normal)), force=float(force))
                  for place, normal, force in zip(contacts.positions_m, contacts.normals, contacts.forces_n,
                                                  strict=True)])


def frame_to_msgs(frame: SceneFrame, stamp_ns: int) -> dict[str, Any]:
    """What a source publishes of one instant, by topic, the clock first; ``stamp_ns`` replaces the frame's own."""
    world, optical = header(stamp_ns, WORLD), header(stamp_ns, OPTICAL)
    depth = {} if frame.depth_m is None else {'camera/depth': image_to_msg(frame.depth_m, optical)}
    return {'/clock': clock_to_msg(stamp_ns), 'mesh_frame': mesh_frame_to_msg(frame, world),
            'camera/image': image_to_msg(frame.rgb, optical), **depth,
            'camera/camera_info': camera_info_to_msg(frame.camera, optical),
            'camera/pose': camera_pose_to_msg(frame.camera, world), 'labels': labels_to_msg(frame.labels, world)}


def points_to_msg(conditions: FrameConditions, head: Header) -> PointCloud2:
    """Surface points as :data:`hoigen.decode.CLOUD_FIELDS` with the ids 0 to N-1."""
    rows = np.zeros(len(conditions.points), _POINT_LAYOUT)
    for axis, name in enumerate('xyz'):
        rows[name] = conditions.points[:, axis]
    red, green, blue = conditions.rgb.astype(np.uint32).T
    rows['rgb'] = red << 16 | green << 8 | blue
    for name in ('role', 'visible', 'known', 'contact'):
        rows[name] = getattr(conditions, name)
    rows['id'] = np.arange(len(rows))
    return PointCloud2(header=head, height=1, width=len(rows), fields=_point_fields(), is_dense=True,
                       point_step=rows.itemsize, row_step=rows.nbytes, data=_packed(rows, 'B'))


def tracks_to_msg(conditions: FrameConditions, head: Header) -> PointTracks:
    """Tracks with the ids 0 to M-1."""
    return PointTracks(header=head, ids=array.array('I', range(len(conditions.tracks))),
                       points=_packed(conditions.tracks, 'f'), visible=conditions.track_visible.tolist())


def conditions_to_msgs(conditions: FrameConditions) -> dict[str, Any]:
    """What condition_builder publishes of one instant, by topic."""
    world, optical = header(conditions.stamp_ns, WORLD), header(conditions.stamp_ns, OPTICAL)
    return {'condition/points': points_to_msg(conditions, world),
            'condition/tracks': tracks_to_msg(conditions, world),
            'condition/mask': image_to_msg(conditions.mask, optical),
            'condition/depth': image_to_msg(conditions.depth_m, optical)}


def generated_to_msgs(clip: GeneratedClip, row: int) -> dict[str, Any]:
    """What the synthesizer publishes of one generated frame, by topic."""
    world, optical = (header(int(clip.stamps_ns[row]), frame_id) for frame_id in (WORLD, OPTICAL))
    return {'synth/image': image_to_msg(clip.frames[row], optical),
            'synth/camera_info': camera_info_to_msg(clip.cameras[row], optical),
            'synth/fidelity': Fidelity(header=optical, **{name: float(getattr(clip.fidelity, name)[row])
                                                          for name in ('value', 'mask', 'motion')}),
            'synth/labels': labels_to_msg(clip.labels[row], world)}


def provenance_to_msg(provenance: Provenance) -> String:
    """How a clip was made, as JSON."""
    return String(data=provenance_to_json(provenance))


def _time(stamp_ns: int) -> Time:
    return Time(sec=stamp_ns // 1_000_000_000, nanosec=stamp_ns % 1_000_000_000)


def _packed(values: np.ndarray, typecode: str) -> array.array[Any]:
    """The bytes of an array as the ``array.array`` of a message field."""
    packed = array.array(typecode)
    if values.size:
        packed.frombytes(np.ascontiguousarray(values).data.cast('B'))
    return packed


def _point_fields() -> list[PointField]:
    """The layout of condition/points; by custom the colour goes as a float."""
    fields, offset = [], 0
    for name, kind in CLOUD_FIELDS.items():
        datatype = PointField.FLOAT32 if name == 'rgb' else _POINT_TYPES[kind]
        fields.append(PointField(name=name, offset=offset, datatype=datatype, count=1))
        offset += np.dtype(kind).itemsize
    return fields


def _xyz(vector: Iterable[float]) -> dict[str, float]:
    return {axis: float(value) for axis, value in zip('xyz', vector, strict=True)}


def _quat_wxyz(rotation: np.ndarray) -> list[float]:
    """Unit quaternion w, x, y, z with w >= 0 of a [3,3] rotation: the row of q q^T with the largest diagonal."""
    (a, b, c), (d, e, f), (g, h, i) = rotation
    rows = np.array([[1 + a + e + i, h - f, c - g, d - b], [h - f, 1 + a - e - i, b + d, c + g],
                     [c - g, b + d, 1 - a + e - i, f + h], [d - b, c + g, f + h, 1 - a - e + i]])
    quaternion = rows[np.argmax(np.diag(rows))]
    quaternion = quaternion / np.linalg.norm(quaternion) * (-1 if quaternion[0] < 0 else 1)
    return quaternion.tolist()
