"""Records -> messages, of whatever library a maker makes them; :mod:`hoigen.messages.decode` is the other way.

Per-frame messages come as a dictionary by topic name, all with one stamp.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from hoigen.conventions import ROLE_CODE
from hoigen.geometry.transforms import quaternions
from hoigen.messages.layout import CLOUD_FIELDS, ENCODINGS, IMAGE_FILE, POINT_TYPES
from hoigen.provenance import provenance_to_json
from hoigen.records import (
    Camera,
    ClipFrame,
    ConditionImages,
    EditedFrame,
    EpisodeStatus,
    GeneratedClip,
    Labels,
    MeshAsset,
    MeshFrame,
    Provenance,
    SceneFrame,
)

__all__ = ['OPTICAL', 'WORLD', 'Encoder', 'FrameNames', 'Make', 'frame_names']

WORLD = 'world'
OPTICAL = 'camera_optical'


class FrameNames(NamedTuple):
    """What headers call the fixed frame of a scene and the optical frame of its camera."""

    world: str = WORLD
    optical: str = OPTICAL


NAMES = FrameNames()
"""Of hoigen's own sources."""


def frame_names(messages: Mapping[str, Any]) -> FrameNames:
    """As a source's messages, by topic, call them: what is made of these goes under the same names."""
    return FrameNames(messages['labels'].header.frame_id, messages['camera/image'].header.frame_id)


_POINT_LAYOUT = np.dtype(list(CLOUD_FIELDS.items()))
_POINT_CODES = {kind: code for code, kind in POINT_TYPES.items()}


class Make(Protocol):
    """Makes a message of a type, as in ``sensor_msgs/msg/Image``, from all its fields.

    Fields that are arrays come as flat NumPy arrays of their type.
    """

    def __call__(self, name: str, /, **fields: Any) -> Any: ...


class Encoder:
    """Makes the messages of hoigen's topics; :class:`Make` decides of which library."""

    def __init__(self, make: Make) -> None:
        self._make = make

    def header(self, stamp_ns: int, frame_id: str) -> Any:
        """A header with the source's stamp."""
        return self._make('std_msgs/msg/Header', stamp=self._time(stamp_ns), frame_id=frame_id)

    def clock(self, stamp_ns: int) -> Any:
        """Time, as a source tells it."""
        return self._make('rosgraph_msgs/msg/Clock', clock=self._time(stamp_ns))

    def image(self, pixels: np.ndarray, head: Any) -> Any:
        """[H,W,3] uint8 RGB as rgb8, [H,W] uint8 as mono8, [H,W] float32 metres (NaN unknown) as 32FC1."""
        encoding = ENCODINGS.get((str(pixels.dtype), pixels.ndim))
        if encoding is None or pixels.shape[2:] not in ((), (3,)):
            raise ValueError(
                f'pixels: expected [H,W,3] uint8, [H,W] uint8 or [H,W] float32, got {list(pixels.shape)} {pixels.dtype}'
            )
        height, width = pixels.shape[:2]
        return self._make(
            'sensor_msgs/msg/Image',
            header=head,
            height=height,
            width=width,
            encoding=encoding,
            is_bigendian=0,
            step=pixels.itemsize * math.prod(pixels.shape[1:]),
            data=_bytes(pixels),
        )

    def pose(self, T: np.ndarray) -> Any:
        """Pose of a rigid ``T_world_body`` [4,4]."""
        return self.poses([T])[0]

    def poses(self, Ts: Sequence[np.ndarray] | np.ndarray) -> list[Any]:
        """Poses of rigid ``T_world_body``, each [4,4]; quaternions with w >= 0."""
        T = np.reshape(Ts, (-1, 4, 4)).astype(float)
        return [
            self._make(
                'geometry_msgs/msg/Pose',
                position=self._make('geometry_msgs/msg/Point', x=at[0], y=at[1], z=at[2]),
                orientation=self._make('geometry_msgs/msg/Quaternion', x=x, y=y, z=z, w=w),
            )
            for at, (x, y, z, w) in zip(T[:, :3, 3].tolist(), quaternions(T[:, :3, :3]).tolist(), strict=True)
        ]

    def camera_info(self, camera: Camera, head: Any) -> Any:
        """Intrinsics of a camera without distortion."""
        whole = self._make(
            'sensor_msgs/msg/RegionOfInterest', x_offset=0, y_offset=0, height=0, width=0, do_rectify=False
        )
        return self._make(
            'sensor_msgs/msg/CameraInfo',
            header=head,
            height=camera.height,
            width=camera.width,
            distortion_model='plumb_bob',
            d=np.zeros(5),
            k=camera.K.ravel(),
            r=np.eye(3).ravel(),
            p=np.c_[camera.K, np.zeros(3)].ravel(),
            binning_x=0,
            binning_y=0,
            roi=whole,
        )

    def camera_pose(self, camera: Camera, head: Any) -> Any:
        """The optical frame in the world frame that ``head`` names."""
        return self._make('geometry_msgs/msg/PoseStamped', header=head, pose=self.pose(camera.T_world_cam))

    def assets(self, assets: Sequence[MeshAsset], stamp_ns: int, episode: int = 0) -> Any:
        """The mesh table of an episode that begins at ``stamp_ns``."""
        return self._make(
            'hoigen/msg/MeshAssets',
            header=self.header(stamp_ns, WORLD),
            episode=episode,
            assets=list(map(self._asset, assets)),
        )

    def _asset(self, asset: MeshAsset) -> Any:
        uv, texture = asset.uv, asset.texture
        if uv is None or texture is None:
            uv, texture = np.zeros(0, np.float32), np.zeros((0, 0, 3), np.uint8)
        return self._make(
            'hoigen/msg/MeshAsset',
            id=asset.id,
            role=ROLE_CODE[asset.role],
            vertices=asset.vertices.ravel(),
            triangles=asset.triangles.astype(np.uint32).ravel(),
            uv=uv.ravel(),
            texture=self.image(texture, self.header(0, '')),
        )

    def mesh_frame(self, frame: SceneFrame | MeshFrame, head: Any) -> Any:
        """Where the frame's assets are."""
        return self._make(
            'hoigen/msg/MeshFrame',
            header=head,
            ids=list(frame.poses),
            poses=self.poses(list(frame.poses.values())),
            deformed=[
                self._make('hoigen/msg/DeformedMesh', id=name, vertices=vertices.ravel())
                for name, vertices in frame.vertices.items()
            ],
        )

    def labels(self, labels: Labels, head: Any) -> Any:
        """The labels of an instant, in the world frame that ``head`` names."""
        objects, hands, contacts = labels.objects, labels.hands, labels.contacts
        return self._make(
            'hoigen/msg/Labels',
            header=head,
            episode=labels.episode,
            frame=labels.frame,
            last=labels.last,
            task=labels.task,
            object_ids=list(objects.ids),
            object_poses=self._known_poses(objects.T_world_object, objects.known),
            object_poses_known=objects.known,
            object_visibility=objects.visibility,
            hand_sides=list(hands.sides),
            wrist_poses=self._known_poses(hands.T_world_wrist, hands.known),
            wrist_poses_known=hands.known,
            hand_keypoints=hands.keypoints_m.ravel(),
            hand_pixels=hands.pixels.ravel(),
            joint_names=list(labels.joints.names),
            joint_positions=labels.joints.positions,
            action_names=list(labels.action.names),
            action_units=list(labels.action.units),
            action=labels.action.values,
            contact_bodies=[body for pair in contacts.bodies for body in pair],
            contact_positions=contacts.positions_m.ravel(),
            contact_normals=contacts.normals.ravel(),
            contact_forces=contacts.forces_n,
            contact_penetrations=contacts.penetration_m,
        )

    def _known_poses(self, Ts: np.ndarray, known: np.ndarray) -> list[Any]:
        """Poses of ``Ts`` [R,4,4]; of one that is not known [R] bool the identity."""
        return self.poses(np.where(known[:, None, None], Ts, np.eye(4)))

    def frame(self, frame: SceneFrame, stamp_ns: int, names: FrameNames = NAMES) -> dict[str, Any]:
        """What a source publishes of one instant, by topic, the clock first; ``stamp_ns`` replaces the frame's own."""
        world, optical = self._headers(stamp_ns, names)
        depth = {} if frame.depth_m is None else {'camera/depth': self.image(frame.depth_m, optical)}
        return {
            '/clock': self.clock(stamp_ns),
            'mesh_frame': self.mesh_frame(frame, world),
            'camera/image': self.image(frame.rgb, optical),
            **depth,
            'camera/camera_info': self.camera_info(frame.camera, optical),
            'camera/pose': self.camera_pose(frame.camera, world),
            'labels': self.labels(frame.labels, world),
        }

    def recorded(self, frame: ClipFrame, names: FrameNames = NAMES) -> dict[str, Any]:
        """What is known of one recorded frame, by topic; its image is not among it."""
        world, optical = self._headers(frame.stamp_ns, names)
        return {
            'camera/camera_info': self.camera_info(frame.camera, optical),
            'camera/pose': self.camera_pose(frame.camera, world),
            'labels': self.labels(frame.labels, world),
            **self.conditions(frame, names),
        }

    def points(self, frame: ClipFrame, head: Any) -> Any:
        """Surface points as :data:`hoigen.messages.layout.CLOUD_FIELDS` with the ids 0 to N-1."""
        rows = np.zeros(len(frame.points), _POINT_LAYOUT)
        for axis, name in enumerate('xyz'):
            rows[name] = frame.points[:, axis]
        red, green, blue = frame.point_rgb.astype(np.uint32).T
        rows['rgb'] = red << 16 | green << 8 | blue
        rows['role'], rows['visible'] = frame.point_role, frame.point_visible
        rows['known'], rows['contact'] = frame.point_rgb_known, frame.point_contact
        rows['id'] = np.arange(len(rows))
        return self._make(
            'sensor_msgs/msg/PointCloud2',
            header=head,
            height=1,
            width=len(rows),
            fields=self._point_fields(),
            is_bigendian=False,
            is_dense=True,
            point_step=rows.itemsize,
            row_step=rows.nbytes,
            data=_bytes(rows),
        )

    def tracks(self, frame: ClipFrame, head: Any) -> Any:
        """Tracks with the ids 0 to M-1, published together with their labels."""
        return self._make(
            'hoigen/msg/PointTracks',
            header=head,
            source_publisher=np.zeros(16, np.uint8),
            source_number=0,
            ids=np.arange(len(frame.tracks), dtype=np.uint32),
            points=frame.tracks.ravel(),
            visible=frame.track_visible,
        )

    def conditions(self, frame: ClipFrame, names: FrameNames = NAMES) -> dict[str, Any]:
        """The conditions of one frame, by topic."""
        world, optical = self._headers(frame.stamp_ns, names)
        return {
            'condition/points': self.points(frame, world),
            'condition/tracks': self.tracks(frame, world),
            'condition/mask': self.image(frame.mask, optical),
            'condition/depth': self.image(frame.depth_m, optical),
        }

    def generated(
        self, clip: GeneratedClip, row: int, names: FrameNames = NAMES, *, rejected: bool = False
    ) -> dict[str, Any]:
        """What the synthesizer publishes of one generated frame, or of one that may not be kept, by topic."""
        world, optical = self._headers(int(clip.stamps_ns[row]), names)
        scores = {name: float(getattr(clip.fidelity, name)[row]) for name in ('value', 'outline', 'motion')}
        under = 'rejected' if rejected else 'synth'
        return {
            f'{under}/image': self.image(clip.frames[row], optical),
            f'{under}/camera_info': self.camera_info(clip.cameras[row], optical),
            f'{under}/fidelity': self._make('hoigen/msg/Fidelity', header=optical, **scores),
            f'{under}/labels': self.labels(clip.labels[row], world),
        }

    def edited(self, frame: EditedFrame, names: FrameNames = NAMES) -> dict[str, Any]:
        """What is known of one edited frame, by topic; edit/labels and edit/object where there are such."""
        world, optical = self._headers(frame.stamp_ns, names)
        messages = {
            'edit/image': self.image(frame.rgb, optical),
            'edit/depth': self.image(frame.depth_m, optical),
            'edit/mask': self.image(frame.mask.astype(np.uint8) * 255, optical),
        }
        if (inserted := frame.inserted) is not None:
            messages['edit/object'] = self._make(
                'hoigen/msg/EditedObject',
                header=world,
                caption=inserted.caption,
                pose=self.pose(inserted.T_world_object),
                visibility=inserted.visibility,
                agreement=inserted.agreement,
            )
        if frame.labels is not None:
            messages['edit/labels'] = self.labels(frame.labels, world)
        return messages

    def edited_conditions(self, frame: ClipFrame) -> dict[str, Any]:
        """The conditions of one frame as they are after an edit, by topic."""
        return {f'edit/{topic}': message for topic, message in self.conditions(frame).items()}

    def provenance(self, provenance: Provenance) -> Any:
        """How a clip was made, as JSON in a std_msgs/String."""
        return self._make('std_msgs/msg/String', data=provenance_to_json(provenance))

    def condition_images(self, images: ConditionImages, stamp_ns: int, episode: int) -> Any:
        """What a generator read of an episode that begins at ``stamp_ns``."""
        flat = [(name, at_ns, file) for name, column in images.items() for at_ns, file in column.items()]
        return self._make(
            'hoigen/msg/ConditionImages',
            header=self.header(stamp_ns, ''),
            episode=episode,
            names=[name for name, _, _ in flat],
            images=[
                self._make(
                    'sensor_msgs/msg/CompressedImage',
                    header=self.header(at_ns, ''),
                    format=IMAGE_FILE,
                    data=np.frombuffer(file, np.uint8),
                )
                for _, at_ns, file in flat
            ],
        )

    def episode_status(self, status: EpisodeStatus) -> Any:
        """What became of an episode."""
        return self._make(
            'hoigen/msg/EpisodeStatus',
            header=self.header(status.stamps_ns[0], ''),
            last=self._time(status.stamps_ns[1]),
            frames=status.frames or 0,
            episode=status.episode,
            node=status.node,
            state=int(status.state),
            reason=status.reason,
        )

    def _headers(self, stamp_ns: int, names: FrameNames) -> tuple[Any, Any]:
        """Of the world and of the camera."""
        return self.header(stamp_ns, names.world), self.header(stamp_ns, names.optical)

    def _time(self, stamp_ns: int) -> Any:
        return self._make(
            'builtin_interfaces/msg/Time', sec=stamp_ns // 1_000_000_000, nanosec=stamp_ns % 1_000_000_000
        )

    def _point_fields(self) -> list[Any]:
        """The layout of condition/points; by custom the colour goes as a float."""
        fields, offset = [], 0
        for name, kind in CLOUD_FIELDS.items():
            datatype = _POINT_CODES['f4' if name == 'rgb' else kind]
            fields.append(
                self._make('sensor_msgs/msg/PointField', name=name, offset=offset, datatype=datatype, count=1)
            )
            offset += np.dtype(kind).itemsize
        return fields


def _bytes(values: np.ndarray) -> np.ndarray:
    """The bytes of an array, flat, uint8."""
    return np.ascontiguousarray(values).reshape(-1).view(np.uint8)
