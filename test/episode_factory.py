"""A small ray-cast scene (a hand of spheres carries a ball) as the serialized messages of one episode."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from hoigen.conventions import ROLES
from hoigen.episodes import EpisodeSummary, EpisodeWriter
from hoigen.geometry.transforms import look_at
from hoigen.messages.definitions import typestore
from hoigen.messages.encode import Encoder
from hoigen.records import (
    EditedClip,
    EditedFrame,
    EditedObject,
    Episode,
    EpisodeState,
    EpisodeStatus,
    MeshAsset,
    Provenance,
)

WORLD, OPTICAL = 'world', 'camera_optical'
HAND = np.array([[-0.05, 0.02, 0.03], [0.05, 0.02, 0.03], [-0.03, -0.045, 0.02], [0.02, -0.05, 0.03], [0, 0, 0.085]])
HAND_RADIUS, BALL_RADIUS = 0.026, 0.045
CONTACT_FROM = 0.45  # of the episode: the hand closes, then lifts

T_WORLD_CAM = look_at(np.array([0.28, -0.42, 0.34]), np.array([0, 0, 0.08]))

Message = tuple[str, str, int, bytes, str]


@dataclass(frozen=True)
class Scene:
    """What varies between synthetic episodes; ``size`` (width, height) of the camera, ``synth`` of the generator.

    ``rejected``: why it has no generated frames.
    """

    seed: int = 0
    episode: int = 0
    frames: int = 17
    rate_hz: float = 8.0
    size: tuple[int, int] = (720, 480)
    synth: tuple[int, int] = (192, 128)
    points: int = 8192
    tracks: int = 1024
    rejected: str = ''

    def stamp_ns(self, frame: int) -> int:
        return 1_000_000_000 + round(frame * 1e9 / self.rate_hz)

    def intrinsics(self, size: tuple[int, int]) -> np.ndarray:
        focal = 1.15 * size[1]
        return np.array([[focal, 0, (size[0] - 1) / 2], [0, focal, (size[1] - 1) / 2], [0, 0, 1.0]])

    def balls(self, frame: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Centres [B,3], radii [B] and roles [B] (1 hand, 2 object) at a frame; the object is last."""
        t = frame / max(self.frames - 1, 1)
        lift = max(t - CONTACT_FROM, 0) / (1 - CONTACT_FROM)
        side = -1 if self.seed % 2 else 1
        ball = np.array([side * 0.10 * lift, 0, BALL_RADIUS + 0.14 * lift])
        reach = max(CONTACT_FROM - t, 0) / CONTACT_FROM
        centres = np.vstack([HAND * (1 + 0.5 * reach) + ball + [0, 0.10 * reach, 0.16 * reach], ball])
        return centres, np.r_[np.full(len(HAND), HAND_RADIUS), BALL_RADIUS], np.r_[np.ones(len(HAND)), 2]

    def colours(self) -> np.ndarray:
        """[B,3] float base colours of the balls."""
        random = np.random.default_rng(self.seed)
        return np.vstack([np.tile([[0.82, 0.62, 0.5]], (len(HAND), 1)), random.uniform(0.15, 0.95, 3)])


def render(scene: Scene, frame: int, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """rgb [H,W,3] uint8, depth_m [H,W] float32 and mask [H,W] uint8 of a frame, by ray casting."""
    K, T = scene.intrinsics(size), T_WORLD_CAM
    u, v = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    rays = np.stack([(u - K[0, 2]) / K[0, 0], (v - K[1, 2]) / K[1, 1], np.ones(u.shape)], -1) @ T[:3, :3].T
    eye = T[:3, 3]
    depth = np.where(rays[..., 2] < 0, -eye[2] / np.minimum(rays[..., 2], -1e-9), np.inf)
    ground = eye + rays * np.where(np.isfinite(depth), depth, 0)[..., None]
    checks = (np.floor(ground[..., 0] / 0.08) + np.floor(ground[..., 1] / 0.08)) % 2
    rgb = np.where(np.isfinite(depth)[..., None], 0.42 + 0.12 * checks[..., None] * [1, 0.9, 0.8], [0.75, 0.82, 0.9])
    mask = np.zeros(depth.shape, np.uint8)
    a = (rays**2).sum(-1)
    for centre, radius, role, colour in zip(*scene.balls(frame), scene.colours(), strict=True):
        b, c = rays @ (eye - centre), ((eye - centre) ** 2).sum() - radius**2
        root = b * b - a * c
        near = np.where(root > 0, (-b - np.sqrt(np.maximum(root, 0))) / a, np.inf)
        hit = near < depth
        normal = (eye + rays[hit] * near[hit][:, None] - centre) / radius
        light = 0.35 + 0.65 * np.clip(normal @ [0.35, -0.5, 0.79], 0, 1)
        stripes = 1 - 0.35 * ((normal[:, 2] * 4).astype(int) % 2 if role == 2 else 0)
        rgb[hit], depth[hit], mask[hit] = colour * (light * stripes)[:, None], near[hit], role
    return (np.clip(rgb, 0, 1) * 255).astype(np.uint8), depth.astype(np.float32), mask


class Messages:
    """Serializes what a scene shows; ``scene_points`` are the same surface points in every frame."""

    def __init__(self, scene: Scene) -> None:
        self.scene, self.types = scene, typestore()
        random = np.random.default_rng(scene.seed + 1)
        self._ball = random.choice(len(HAND) + 1, scene.points, p=[0.08] * len(HAND) + [1 - 0.08 * len(HAND)])
        normal = random.normal(size=(scene.points, 3))
        self._normal = normal / np.linalg.norm(normal, axis=1, keepdims=True)
        self._rgb: np.ndarray | None = None
        self._known: np.ndarray | None = None

    def make(self, name: str, /, **fields: Any) -> Any:
        return self.types.types[name](**fields)

    def xyz(self, name: str, values: np.ndarray) -> Any:
        return self.make(name, **dict(zip('xyz', values.tolist(), strict=True)))

    def cdr(self, name: str, message: Any) -> bytes:
        return bytes(self.types.serialize_cdr(message, name))

    def header(self, frame: int, frame_id: str) -> Any:
        stamp = self.scene.stamp_ns(frame)
        time = self.make('builtin_interfaces/msg/Time', sec=stamp // 10**9, nanosec=stamp % 10**9)
        return self.make('std_msgs/msg/Header', stamp=time, frame_id=frame_id)

    def image(self, frame: int, picture: np.ndarray, encoding: str) -> Any:
        height, width = picture.shape[:2]
        data = np.ascontiguousarray(picture).view(np.uint8).reshape(-1)
        return self.make(
            'sensor_msgs/msg/Image',
            header=self.header(frame, OPTICAL),
            height=height,
            width=width,
            encoding=encoding,
            is_bigendian=0,
            step=data.size // height,
            data=data,
        )

    def camera_info(self, frame: int, size: tuple[int, int]) -> Any:
        K = self.scene.intrinsics(size)
        roi = self.make('sensor_msgs/msg/RegionOfInterest', x_offset=0, y_offset=0, height=0, width=0, do_rectify=False)
        return self.make(
            'sensor_msgs/msg/CameraInfo',
            header=self.header(frame, OPTICAL),
            height=size[1],
            width=size[0],
            distortion_model='plumb_bob',
            d=np.zeros(5),
            k=K.reshape(-1),
            r=np.eye(3).reshape(-1),
            p=np.c_[K, np.zeros(3)].reshape(-1),
            binning_x=0,
            binning_y=0,
            roi=roi,
        )

    def pose(self, T: np.ndarray) -> Any:
        w = np.sqrt(max(1 + np.trace(T[:3, :3]), 1e-9)) / 2
        x, y, z = ((T[2, 1] - T[1, 2], T[0, 2] - T[2, 0], T[1, 0] - T[0, 1]) / (4 * w)).tolist()
        return self.make(
            'geometry_msgs/msg/Pose',
            position=self.xyz('geometry_msgs/msg/Point', T[:3, 3]),
            orientation=self.make('geometry_msgs/msg/Quaternion', x=x, y=y, z=z, w=float(w)),
        )

    def place(self, centre: np.ndarray) -> Any:
        T = np.eye(4)
        T[:3, 3] = centre
        return self.pose(T)

    def assets(self) -> Any:
        """Octahedra stand for the balls: the bag's readers do not look at the shape. The object has a texture."""
        corners = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]], np.float32)
        faces = np.array([[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]])
        _, radii, roles = self.scene.balls(0)
        assets = [
            MeshAsset(f'ball_{n}', ROLES[int(role)], corners * np.float32(radius), faces.astype(np.int32))
            for n, (radius, role) in enumerate(zip(radii, roles, strict=True))
        ]
        texture = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
        assets[-1] = replace(assets[-1], uv=corners[:, :2], texture=texture)
        return Encoder(self.make).assets(assets, self.scene.stamp_ns(0), self.scene.episode)

    def mesh_frame(self, frame: int) -> Any:
        centres = self.scene.balls(frame)[0]
        return self.make(
            'hoigen/msg/MeshFrame',
            header=self.header(frame, WORLD),
            ids=[f'ball_{n}' for n in range(len(centres))],
            poses=[self.place(c) for c in centres],
            deformed=[],
        )

    def labels(self, frame: int) -> Any:
        centres, _, _ = self.scene.balls(frame)
        t = frame / max(self.scene.frames - 1, 1)
        joints = np.sin(np.linspace(0, 3, 24) + 2 * t).astype(np.float32)
        touching = [(c, (c - centres[-1]) / np.linalg.norm(c - centres[-1])) for c in centres[:4]]
        contacts = (
            [
                self.make(
                    'hoigen/msg/Contact',
                    force=float(2 + n + np.sin(9 * t)),
                    position=self.xyz('geometry_msgs/msg/Point', c),
                    normal=self.xyz('geometry_msgs/msg/Vector3', m),
                )
                for n, (c, m) in enumerate(touching)
            ]
            if t >= CONTACT_FROM
            else []
        )
        return self.make(
            'hoigen/msg/Labels',
            header=self.header(frame, WORLD),
            episode=self.scene.episode,
            frame=frame,
            last=frame == self.scene.frames - 1,
            task='pick up the ball and carry it to the side',
            joint_names=[f'joint_{n}' for n in range(24)],
            joint_positions=joints,
            action=(joints[::-1] * 0.5).astype(np.float32).copy(),
            object_pose=self.place(centres[-1]),
            object_pose_known=True,
            contacts=contacts,
        )

    def surface(self, frame: int, rgb: np.ndarray, depth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """World points [N,3] float32 and which of them the camera sees; colours are taken at frame 0."""
        centres, radii, _ = self.scene.balls(frame)
        points = centres[self._ball] + self._normal * radii[self._ball][:, None]
        T, K = T_WORLD_CAM, self.scene.intrinsics(rgb.shape[1::-1])
        seen = (points - T[:3, 3]) @ T[:3, :3] @ K.T
        u, v = np.rint(seen[:, :2] / seen[:, 2:]).astype(int).T
        inside = (u >= 0) & (v >= 0) & (u < rgb.shape[1]) & (v < rgb.shape[0])
        u, v = np.where(inside, u, 0), np.where(inside, v, 0)
        visible = inside & (seen[:, 2] < depth[v, u] + 0.004)
        if self._rgb is None:
            self._rgb, self._known = np.where(visible[:, None], rgb[v, u], 0), visible
        return points.astype(np.float32), visible

    def cloud(self, frame: int, points: np.ndarray, visible: np.ndarray) -> Any:
        assert self._rgb is not None
        layout = np.dtype(
            [
                ('x', '<f4'),
                ('y', '<f4'),
                ('z', '<f4'),
                ('rgb', '<u4'),
                ('id', '<u4'),
                ('role', 'u1'),
                ('visible', 'u1'),
                ('known', 'u1'),
                ('contact', 'u1'),
            ]
        )
        codes = {'<f4': 7, '<u4': 6, '|u1': 2}
        rows = np.zeros(len(points), layout)
        rows['x'], rows['y'], rows['z'] = points.T
        rows['rgb'] = self._rgb.astype(np.uint32) @ np.array([65536, 256, 1], np.uint32)
        rows['id'], rows['role'] = np.arange(len(points)), self.scene.balls(0)[2][self._ball]
        rows['visible'], rows['known'] = visible, self._known
        fields = [
            self.make(
                'sensor_msgs/msg/PointField',
                name=name,
                offset=layout.fields[name][1],
                datatype=codes[layout.fields[name][0].str],
                count=1,
            )
            for name in layout.names
        ]
        return self.make(
            'sensor_msgs/msg/PointCloud2',
            header=self.header(frame, WORLD),
            height=1,
            width=len(rows),
            fields=fields,
            is_bigendian=False,
            point_step=layout.itemsize,
            row_step=rows.nbytes,
            data=rows.view(np.uint8).reshape(-1),
            is_dense=True,
        )

    def tracks(self, frame: int, points: np.ndarray, visible: np.ndarray) -> Any:
        count = self.scene.tracks
        return self.make(
            'hoigen/msg/PointTracks',
            header=self.header(frame, WORLD),
            source_publisher=np.zeros(16, np.uint8),
            source_number=0,
            ids=np.arange(count, dtype=np.uint32),
            points=points[:count].reshape(-1),
            visible=visible[:count].astype(np.bool_),
        )


def fidelity(scene: Scene, frame: int) -> float:
    return float(0.97 - 0.06 * abs(np.sin(frame / 3 + scene.seed)))


def provenance(scene: Scene) -> str:
    rejected = {'tries': [{'seed': 7, 'fidelity': 0.3}]} if scene.rejected else {}
    return json.dumps(
        {
            'seed': scene.seed,
            'source': 'synthetic',
            'config': {
                'model': 'tiny',
                'steps': 4,
                'frames': scene.frames,
                'timings': {'conditions_s': 0.41, 'generate_s': 9.7},
                **rejected,
            },
            'weights': {'tiny.safetensors': 'ab' * 32},
            'versions': {'hoigen': '0.1.0', 'torch': '2.13.0'},
            'licences': {'tiny': 'Apache-2.0'},
        }
    )


def frame_messages(build: Messages, frame: int) -> Iterator[tuple[str, str, Any]]:
    """(topic, type, message) of one instant: source, then conditions."""
    scene = build.scene
    rgb, depth, mask = render(scene, frame, scene.size)
    yield 'mesh_frame', 'hoigen/msg/MeshFrame', build.mesh_frame(frame)
    yield 'camera/image', 'sensor_msgs/msg/Image', build.image(frame, rgb, 'rgb8')
    yield 'camera/depth', 'sensor_msgs/msg/Image', build.image(frame, depth, '32FC1')
    yield 'camera/camera_info', 'sensor_msgs/msg/CameraInfo', build.camera_info(frame, scene.size)
    pose = build.make('geometry_msgs/msg/PoseStamped', header=build.header(frame, WORLD), pose=build.pose(T_WORLD_CAM))
    yield 'camera/pose', 'geometry_msgs/msg/PoseStamped', pose
    yield 'labels', 'hoigen/msg/Labels', build.labels(frame)
    points, visible = build.surface(frame, rgb, depth)
    yield 'condition/points', 'sensor_msgs/msg/PointCloud2', build.cloud(frame, points, visible)
    yield 'condition/tracks', 'hoigen/msg/PointTracks', build.tracks(frame, points, visible)
    yield 'condition/mask', 'sensor_msgs/msg/Image', build.image(frame, mask, 'mono8')
    yield 'condition/depth', 'sensor_msgs/msg/Image', build.image(frame, np.where(mask > 0, depth, np.nan), '32FC1')


def synth_messages(build: Messages, frame: int) -> Iterator[tuple[str, str, Any]]:
    """(topic, type, message) of one generated frame."""
    scene = build.scene
    picture = render(scene, frame, scene.synth)[0][..., ::-1]  # red and blue change places: not the source again
    yield 'synth/image', 'sensor_msgs/msg/Image', build.image(frame, picture, 'rgb8')
    yield 'synth/camera_info', 'sensor_msgs/msg/CameraInfo', build.camera_info(frame, scene.synth)
    yield (
        'synth/fidelity',
        'hoigen/msg/Fidelity',
        build.make(
            'hoigen/msg/Fidelity',
            header=build.header(frame, OPTICAL),
            value=fidelity(scene, frame),
            mask=fidelity(scene, frame),
            motion=fidelity(scene, frame) + 0.02,
        ),
    )
    yield 'synth/labels', 'hoigen/msg/Labels', build.labels(frame)


def messages(scene: Scene) -> Iterator[Message]:
    """Every message of an episode in the order of a recording: (topic, type, stamp_ns, CDR, QoS)."""
    build = Messages(scene)
    yield (
        'mesh_assets',
        'hoigen/msg/MeshAssets',
        scene.stamp_ns(0),
        build.cdr('hoigen/msg/MeshAssets', build.assets()),
        'latched',
    )
    for part in (frame_messages,) if scene.rejected else (frame_messages, synth_messages):
        for frame in range(scene.frames):
            for topic, msgtype, message in part(build, frame):
                yield topic, msgtype, scene.stamp_ns(frame), build.cdr(msgtype, message), 'stream'
    text = build.make('std_msgs/msg/String', data=provenance(scene))
    yield (
        'provenance',
        'std_msgs/msg/String',
        scene.stamp_ns(scene.frames - 1),
        build.cdr('std_msgs/msg/String', text),
        'latched',
    )
    state = EpisodeState.REJECTED if scene.rejected else EpisodeState.ACCEPTED
    stamps = scene.stamp_ns(0), scene.stamp_ns(scene.frames - 1)
    status = EpisodeStatus('synthesizer', scene.episode, state, stamps, scene.frames, scene.rejected)
    message = Encoder(build.make).episode_status(status)
    yield (
        'episode_status',
        'hoigen/msg/EpisodeStatus',
        stamps[0],
        build.cdr('hoigen/msg/EpisodeStatus', message),
        'latched',
    )


def edited(episode: Episode, *, scene: bool = True) -> Episode:
    """The episode with frames into which an object was put in place of generated ones; scene: with their conditions."""
    clip, labels = episode.clip, tuple(replace(row, task='as edited') for row in episode.clip.labels)
    after = replace(clip, rgb=255 - clip.rgb, labels=labels, points=clip.points + np.float32(0.5))
    seen = clip.mask == 2
    frames = tuple(
        EditedFrame(stamp, rgb, depth, mask, row, EditedObject('a cup', row.T_world_object, 0.5, float('nan')))
        for stamp, rgb, depth, mask, row in zip(
            clip.stamps_ns.tolist(), after.rgb, clip.depth_m, seen, labels, strict=True
        )
        if row.T_world_object is not None
    )
    made = Provenance(3, {'edit': 'insert'}, 'a scene', {}, {}, {})
    stamps = int(clip.stamps_ns[0]), int(clip.stamps_ns[-1])
    return replace(
        episode,
        generated=None,
        rejected=None,
        edited=EditedClip(frames, made, after if scene else None),
        status=EpisodeStatus('edit', labels[0].episode, EpisodeState.ACCEPTED, stamps, len(frames)),
    )


def write_scene(folder: Path, scene: Scene) -> EpisodeSummary:
    writer = EpisodeWriter(folder)
    for topic, msgtype, stamp_ns, cdr, qos in messages(scene):
        writer.write(topic, msgtype, stamp_ns, cdr, qos)  # type: ignore[arg-type]
    return writer.close(generated=not scene.rejected)
