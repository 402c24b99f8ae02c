"""Records -> messages -> CDR -> messages -> records, through ROS's real serialisation."""

from __future__ import annotations

import array
import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs ROS 2: source install/setup.bash')
pytest.importorskip('hoigen.msg', reason='needs the built messages: source install/setup.bash')

from rclpy.serialization import deserialize_message, serialize_message
from same_record import same_record
from sensor_msgs.msg import Image

from hoigen.messages import decode
from hoigen.messages.decode import MessageError
from hoigen.messages.definitions import typestore
from hoigen.messages.encode import WORLD, Encoder
from hoigen.records import (
    Action,
    Camera,
    ClipFrame,
    Contacts,
    Fidelity,
    GeneratedClip,
    Hands,
    Joints,
    Labels,
    MeshAsset,
    Objects,
    Provenance,
    RecordError,
    SceneFrame,
)
from hoigen.ros import convert

STAMP_NS = 3_125_000_007
SIZE = (48, 64)
RNG = np.random.default_rng(7)
UNKNOWN_POSE = np.full((4, 4), np.nan)


def wire(message: Any) -> Any:
    """The message as another process receives it."""
    return deserialize_message(serialize_message(message), type(message))


def type_name(message: Any) -> str:
    return f'{type(message).__module__.split(".")[0]}/msg/{type(message).__name__}'


def rigid(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = rotation * np.sign(np.linalg.det(rotation)), rng.normal(size=3)
    return T


def camera() -> Camera:
    return Camera(np.array([[70.0, 0, 31.5], [0, 71.0, 23.5], [0, 0, 1]]), SIZE[1], SIZE[0], rigid(1))


def asset(name: str = 'cup') -> MeshAsset:
    return MeshAsset(
        name, 'object', RNG.normal(size=(5, 3)).astype(np.float32), np.array([[0, 1, 2], [2, 3, 4]], np.int32)
    )


def labels(frame: int = 3) -> Labels:
    """With rows of every table, of which some is unknown."""
    contacts = Contacts(
        (('cup', 'palm'), ('cup', 'thumb')),
        RNG.normal(size=(2, 3)).astype(np.float32),
        np.eye(3, dtype=np.float32)[:2],
        np.array([0.5, 2.0], np.float32),
        np.array([0.001, np.nan], np.float32),
    )
    keypoints = RNG.normal(size=(2, 21, 3)).astype(np.float32)
    keypoints[1, 7:] = np.nan
    return Labels(
        episode=4,
        frame=frame,
        last=frame == 3,
        task='pick up the cup',
        objects=Objects(('cup', 'lid'), np.stack([rigid(2), UNKNOWN_POSE]), np.array([0.25, np.nan], np.float32)),
        hands=Hands(('right', 'left'), np.stack([rigid(5), UNKNOWN_POSE]), keypoints, keypoints[..., :2]),
        joints=Joints(('wrist', 'thumb'), np.array([0.1, -0.2], np.float32)),
        action=Action(('lift',), ('m/s',), np.array([0.3], np.float32)),
        contacts=contacts,
    )


def scene_frame() -> SceneFrame:
    depth = np.full(SIZE, np.nan, np.float32)
    depth[4:9] = 0.75
    return SceneFrame(
        STAMP_NS,
        camera(),
        RNG.integers(0, 256, (*SIZE, 3), np.uint8),
        depth,
        {'cup': rigid(3), 'table': rigid(4)},
        {'palm': RNG.normal(size=(6, 3)).astype(np.float32)},
        labels(),
    )


def clip_frame(stamp_ns: int = STAMP_NS) -> ClipFrame:
    n, m = 11, 4
    points = RNG.normal(size=(n, 3)).astype(np.float32)
    depth = RNG.choice(np.array([np.nan, np.inf, 1.5], np.float32), SIZE)  # unknown, nothing there, a surface
    return ClipFrame(
        stamp_ns=stamp_ns,
        camera=camera(),
        rgb=RNG.integers(0, 256, (*SIZE, 3), np.uint8),
        labels=labels(),
        points=points,
        point_role=(np.arange(n) % 3).astype(np.uint8),
        point_visible=np.arange(n) % 2 == 0,
        point_rgb=RNG.integers(0, 256, (n, 3), np.uint8),
        point_rgb_known=np.arange(n) % 3 == 0,
        point_contact=np.arange(n) > 8,
        mask=RNG.integers(0, 3, SIZE, np.uint8),
        depth_m=depth,
        tracks=points[:m],
        track_visible=np.arange(m) % 2 == 1,
    )


def same(got: Any, want: Any) -> None:
    """Equal values, and the dtypes that records ask for."""
    assert got.dtype == want.dtype
    np.testing.assert_array_equal(got, want)


def source_messages() -> dict[str, Any]:
    sent = convert.ENCODER.frame(scene_frame(), STAMP_NS)
    return {topic: wire(message) for topic, message in sent.items() if topic != '/clock'}


def test_scene_frame_survives_the_wire() -> None:
    """Another process gets the very frame that the source had: pixels, geometry, camera and labels."""
    want = scene_frame()
    sent = convert.ENCODER.frame(want, want.stamp_ns)
    assert decode.stamp_ns(sent['labels'].header) == STAMP_NS
    assert (sent['/clock'].clock.sec, sent['/clock'].clock.nanosec) == (3, 125_000_007)
    got = decode.scene_frame({topic: wire(message) for topic, message in sent.items() if topic != '/clock'})
    assert got.stamp_ns == want.stamp_ns
    same(got.rgb, want.rgb)
    same(got.depth_m, want.depth_m)
    same(got.camera.K, want.camera.K)
    np.testing.assert_allclose(got.camera.T_world_cam, want.camera.T_world_cam, atol=1e-12)
    assert list(got.poses) == list(want.poses)
    for name, T in want.poses.items():
        np.testing.assert_allclose(got.poses[name], T, atol=1e-12)
    same(got.vertices['palm'], want.vertices['palm'])
    same_record(got.labels, want.labels, atol=1e-12)


def test_bags_read_the_same() -> None:
    """rosbags gives arrays where rclpy gives lists; a bag's frame is the graph's frame all the same."""
    sent = convert.ENCODER.frame(scene_frame(), STAMP_NS) | convert.ENCODER.conditions(clip_frame())
    stored = {
        topic: typestore().deserialize_cdr(serialize_message(message), type_name(message))
        for topic, message in sent.items()
    }
    source = source_messages().keys()
    got, want = (decode.scene_frame({topic: messages[topic] for topic in source}) for messages in (stored, sent))
    for name in ('rgb', 'depth_m'):
        same(getattr(got, name), getattr(want, name))
    same(got.camera.K, want.camera.K)
    same(got.poses['table'], want.poses['table'])
    same(got.vertices['palm'], want.vertices['palm'])
    same_record(got.labels, want.labels, atol=1e-12)
    same(decode.cloud(stored['condition/points']), decode.cloud(sent['condition/points']))
    for one, other in zip(*(decode.tracks(messages['condition/tracks']) for messages in (stored, sent)), strict=True):
        same(one, other)


def test_what_is_unknown_stays_unknown() -> None:
    """On the wire and in a bag an unknown pose is not taken for one at the origin, a column left out not for zeros."""
    head = convert.ENCODER.header(STAMP_NS, WORLD)
    want = replace(labels(), objects=Objects(('cup',)), hands=Hands(('left',)))
    sent = convert.ENCODER.labels(want, head)
    stored = typestore().deserialize_cdr(serialize_message(sent), type_name(sent))
    sent.object_visibility, sent.hand_keypoints = array.array('f'), array.array('f')
    for message in (wire(sent), stored):
        same_record(decode.labels(message), want, atol=1e-12)
        assert decode.labels(message).T_world_object is None


def test_messages_made_without_ros_are_the_same() -> None:
    """One encoder, two libraries: a bag that is written without ROS holds what the graph would have recorded."""

    def make(name: str, /, **fields: Any) -> Any:
        return typestore().types[name](**fields)

    plain, row = Encoder(make), clip_frame()
    told = (row.stamp_ns, 'camera_optical')
    pairs = [(plain.conditions(row)[topic], message) for topic, message in convert.ENCODER.conditions(row).items()]
    known, table, frame = labels(), (asset(), asset('palm')), scene_frame()
    made = Provenance(1, {'steps': 4}, 'tiny', {}, {}, {})
    for encode in (
        lambda e: e.camera_info(camera(), e.header(*told)),
        lambda e: e.camera_pose(camera(), e.header(*told)),
        lambda e: e.labels(known, e.header(*told)),
        lambda e: e.assets(table, STAMP_NS),
        lambda e: e.mesh_frame(frame, e.header(*told)),
        lambda e: e.provenance(made),
    ):
        pairs.append((encode(plain), encode(convert.ENCODER)))
    for ours, ros in pairs:
        kind = type_name(ros)
        heard = typestore().deserialize_cdr(serialize_message(ros), kind)  # ROS leaves its padding as it finds it
        assert typestore().serialize_cdr(ours, kind) == typestore().serialize_cdr(heard, kind), kind


def test_depth_may_be_left_out() -> None:
    """A source without depth is a source all the same."""
    messages = source_messages()
    del messages['camera/depth']
    assert decode.scene_frame(messages).depth_m is None
    assert 'camera/depth' not in convert.ENCODER.frame(replace(scene_frame(), depth_m=None), STAMP_NS)


def test_mesh_table_survives_the_wire() -> None:
    """Vertices, triangles, roles and textures arrive as sent, in the types that records ask for."""
    uv = RNG.normal(size=(len(asset('cup').vertices), 2)).astype(np.float32)
    cup = replace(asset('cup'), uv=uv, texture=RNG.integers(0, 256, (3, 5, 3), np.uint8))
    want = (cup, replace(asset('palm'), role='hand'), replace(asset('table'), role='scene'))
    got = decode.assets(wire(convert.ENCODER.assets(want, STAMP_NS)))
    assert [(a.id, a.role) for a in got] == [(a.id, a.role) for a in want]
    for one, other in zip(got, want, strict=True):
        same(one.vertices, other.vertices)
        same(one.triangles, other.triangles)
    same(got[0].uv, cup.uv)
    same(got[0].texture, cup.texture)
    assert [(one.uv, one.texture) for one in got[1:]] == [(None, None)] * 2


def test_clip_is_put_together_from_messages() -> None:
    """The synthesizer works on the clip that the condition builder made, row for row."""
    frames = [replace(scene_frame(), stamp_ns=STAMP_NS + t, labels=labels(t)) for t in range(3)]
    first = clip_frame()
    rows = [
        replace(
            first,
            stamp_ns=frame.stamp_ns,
            rgb=frame.rgb,
            labels=frame.labels,
            points=first.points + np.float32(t),
            mask=first.mask // (t + 1),
        )
        for t, frame in enumerate(frames)
    ]
    columns: dict[str, list[Any]] = {}
    for frame, row in zip(frames, rows, strict=True):
        sent = convert.ENCODER.frame(frame, frame.stamp_ns) | convert.ENCODER.conditions(row)
        for topic in sent.keys() - {'/clock', 'mesh_frame', 'camera/depth'}:
            columns.setdefault(topic, []).append(wire(sent[topic]))
    clip = decode.clip(columns)
    for t, row in enumerate(rows):
        got = clip.row(t)
        same_record(got, row, atol=1e-12)
    columns['labels'].pop()
    with pytest.raises(MessageError, match='the 2 stamps of labels, got 3 messages'):
        decode.clip(columns)


def test_generated_frame_keeps_stamp_and_labels() -> None:
    """synth/* carries the scene's stamps and labels, and the camera of its own size."""
    provenance = Provenance(1, {'steps': 4}, 'tiny', {'a.safetensors': 'ff'}, {'hoigen': '0'}, {'tiny': 'Apache-2.0'})
    small = Camera(np.array([[30.0, 0, 15.5], [0, 30.0, 11.5], [0, 0, 1]]), 32, 24, rigid(1))
    clip = GeneratedClip(
        np.array([5, STAMP_NS]),
        (small,) * 2,
        RNG.integers(0, 256, (2, 24, 32, 3), np.uint8),
        Fidelity(*np.array([[0.25, 0.5], [0.3, 0.5], [0.25, 0.9]], np.float32)),
        (labels(0), labels(1)),
        provenance,
    )
    sent = {topic: wire(message) for topic, message in convert.ENCODER.generated(clip, 1).items()}
    assert {decode.stamp_ns(message.header) for message in sent.values()} == {STAMP_NS}
    same(decode.rgb(sent['synth/image']), clip.frames[1])
    assert (sent['synth/camera_info'].width, sent['synth/camera_info'].height) == (32, 24)
    told = sent['synth/fidelity']
    assert (told.value, told.outline, told.motion) == (0.5, 0.5, pytest.approx(0.9))
    same_record(decode.labels(sent['synth/labels']), clip.labels[1], atol=1e-12)
    assert json.loads(convert.ENCODER.provenance(provenance).data)['config'] == {'steps': 4}


@pytest.mark.parametrize('axis', range(3))
@pytest.mark.parametrize('angle', [0.0, 1e-9, 1.0, np.pi - 1e-9, np.pi, -np.pi / 2])
def test_quaternions_are_reordered_and_precise(axis: int, angle: float) -> None:
    """x, y, z, w in messages; exact also near half a turn, where w vanishes."""
    T = np.eye(4)
    i, j = [(1, 2), (2, 0), (0, 1)][axis]
    T[i, i] = T[j, j] = np.cos(angle)
    T[j, i], T[i, j] = np.sin(angle), -np.sin(angle)
    message = wire(convert.ENCODER.pose(T))
    q = message.orientation
    want = [0.0, 0.0, 0.0, np.cos(angle / 2)]
    want[axis] = np.sin(angle / 2)
    assert abs(np.dot([q.x, q.y, q.z, q.w], want)) == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(decode.pose(message), T, atol=1e-12)


def test_foreign_images_are_read() -> None:
    """Other publishers pad rows, send bgr8, other byte orders and depth in millimetres."""
    rgb = RNG.integers(0, 256, (3, 5, 3), np.uint8)
    padded = np.zeros((3, 16), np.uint8)
    padded[:, :15] = rgb[..., ::-1].reshape(3, 15)
    message = Image(height=3, width=5, encoding='bgr8', step=16, data=array.array('B', padded.tobytes()))
    same(decode.rgb(wire(message)), rgb)
    millimetres = np.array([[0, 1500], [250, 65535]])
    message = Image(
        height=2,
        width=2,
        encoding='16UC1',
        step=4,
        is_bigendian=1,
        data=array.array('B', millimetres.astype('>u2').tobytes()),
    )
    same(decode.depth(wire(message)), np.array([[np.nan, 1.5], [0.25, 65.535]], np.float32))
    message = Image(
        height=3,
        width=5,
        encoding='rgba8',
        step=20,
        data=array.array('B', np.concatenate([rgb, rgb[..., :1]], -1).tobytes()),
    )
    same(decode.rgb(wire(message)), rgb)
    metres = np.array([[np.inf, 1.5], [0, np.nan]], '<f4')
    message = Image(height=2, width=2, encoding='32FC1', step=8, data=array.array('B', metres.tobytes()))
    same(decode.depth(wire(message)), np.array([[np.nan, 1.5], [np.nan, np.nan]], np.float32))


def _spoil(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """Sets ``topic:field.field``; a number in the path is an index."""
    topic, _, fields = path.partition(':')
    *way, last = fields.split('.')

    def spoil(messages: dict[str, Any]) -> None:
        target = messages[topic]
        for step in way:
            target = target[int(step)] if step.isdigit() else getattr(target, step)
        if last.isdigit():
            target[int(last)] = value
        else:
            setattr(target, last, value)

    return spoil


@pytest.mark.parametrize(
    ('path', 'value', 'error'),
    [
        ('camera/image:encoding', 'nv21', r"camera/image.encoding: expected one of .*'bgr8'.*, got 'nv21'"),
        ('camera/image:step', 100, r'camera/image.data: expected 48 rows of 192 bytes.* got 9216 bytes in rows of 100'),
        ('camera/image:height', 47, r'camera/image.data: expected 47 rows'),
        ('camera/image:width', 0, r'width, height: expected positive sizes, got \(0, 48\)'),
        ('camera/image:header.stamp.sec', 4, r'header.stamp: expected one stamp on all topics'),
        ('camera/pose:header.frame_id', 'map', r'header.frame_id: expected one world frame'),
        ('camera/camera_info:header.frame_id', 'left_eye', r'header.frame_id: expected one optical frame, by its name'),
        ('camera/pose:pose.orientation.x', 2.0, r'camera/pose.orientation: expected a quaternion of norm 1'),
        ('camera/pose:pose.position.y', float('nan'), r'camera/pose.position: expected finite metres'),
        (
            'camera/camera_info:k.0',
            0.0,
            r'camera_info.k\[0\]: expected a focal length, got 0, which means uncalibrated',
        ),
        ('camera/camera_info:d.0', 0.1, r'camera_info.d: expected no distortion'),
        ('camera/camera_info:binning_x', 2, r'binning_x, binning_y: expected none, got \(2, 0\)'),
        ('camera/camera_info:width', 40, r'rgb: expected uint8 \[48, 40, 3\], got uint8 \[48, 64, 3\]'),
        ('mesh_frame:ids', ['cup'], r'mesh_frame.poses: expected 1, one for each id, got 2'),
        ('mesh_frame:ids', ['cup', 'cup'], r"each id once, got more than once \['cup'\]"),
        ('mesh_frame:ids', ['cup', 'palm'], r"each id once, got more than once \['palm'\]"),
        (
            'mesh_frame:deformed.0.vertices',
            array.array('f', [0.0] * 4),
            r"vertices of 'palm': expected a multiple of 3",
        ),
        (
            'mesh_frame:deformed.0.vertices',
            array.array('f', [float('nan')] * 3),
            r"vertices of 'palm': expected finite",
        ),
        ('mesh_frame:poses.1.orientation.w', float('inf'), r"pose of 'table'.orientation: expected a quaternion"),
        (
            'labels:joint_positions',
            array.array('f'),
            r"Joints: positions: expected float32 \['R'\] .*got float32 \[0\]",
        ),
        ('labels:object_poses.0.orientation.w', 9.0, r'labels.object_poses\[0\].orientation: expected a quaternion of'),
        ('labels:object_poses_known', [True], r'labels.object_poses_known: expected 2, one for each pose, got 1'),
        ('labels:object_ids', ['cup', 'cup'], r"Objects: ids: expected names, each once, got \['cup', 'cup'\]"),
        ('labels:object_visibility.0', 1.5, r'Objects: visibility: expected fractions in \[0, 1\] or NaN, got \[1.5\]'),
        ('labels:hand_sides', ['right', 'up'], r"Hands: sides: expected of \['left', 'right'\], got"),
        ('labels:hand_keypoints', array.array('f', [0.0] * 64), r'labels.hand_keypoints: expected a multiple of 63'),
        ('labels:action_names', [], r"Action: values: expected float32 \['R'\] with {'R': 0}, got float32 \[1\]"),
        ('labels:action_units', ['mm'], r"Action: units: expected of .*, got \['mm'\]"),
        ('labels:contact_bodies', ['cup', 'cup'] * 2, r'Contacts: bodies: expected two ids that differ for each'),
        ('labels:contact_bodies', ['cup'], r'labels.contact_bodies: expected two for each contact, got 1'),
        ('labels:contact_penetrations.0', -1.0, r'Contacts: penetration_m: expected metres >= 0 or NaN, got \[-1.0\]'),
        ('camera/depth:encoding', '16SC1', r"camera/depth.encoding: expected one of .*'16UC1', '32FC1'"),
    ],
)
def test_malformed_source_messages_are_refused(path: str, value: Any, error: str) -> None:
    """Any publisher may send anything: the error names the field, what was expected and what came."""
    messages = source_messages()
    _spoil(path, value)(messages)
    with pytest.raises((MessageError, RecordError), match=error):
        decode.scene_frame({topic: wire(message) for topic, message in messages.items()})


@pytest.mark.parametrize(
    ('path', 'value', 'error'),
    [
        ('t:assets', [], r'assets: expected at least one mesh, got none'),
        ('t:assets.0.role', 3, r"mesh 'cup': role: expected 0 to 2, got 3"),
        (
            't:assets.0.vertices',
            array.array('f', [0.0]),
            r"mesh 'cup': vertices: expected a multiple of 3 values, got 1",
        ),
        ('t:assets.0.vertices', array.array('f'), r"MeshAsset 'cup': mesh: expected at least one triangle, got 0 vert"),
        ('t:assets.0.vertices', array.array('f', [float('nan')] * 15), r'vertices: expected finite values, got 15 NaN'),
        ('t:assets.0.triangles', array.array('I', [0, 1, 5]), r'triangles: expected indices in \[0, 4\], got \[0, 5\]'),
        ('t:assets.0.triangles', array.array('I', [0, 1, 2**32 - 1]), r'triangles: expected vertex indices, got 4294'),
        ('t:assets.0.id', 'palm', r"assets.id: expected each id once, got more than once \['palm'\]"),
    ],
)
def test_malformed_mesh_tables_are_refused(path: str, value: Any, error: str) -> None:
    """An empty mesh, a NaN vertex or a triangle of no vertex never reaches the geometry."""
    message = convert.ENCODER.assets((asset('cup'), replace(asset('palm'), role='hand')), STAMP_NS)
    _spoil(path, value)({'t': message})
    with pytest.raises((MessageError, RecordError), match=error):
        decode.assets(wire(message))


@pytest.mark.parametrize(
    ('path', 'value', 'error'),
    [
        ('points:fields', [], r'points.fields: expected .* got none called'),
        ('points:fields.8.datatype', 7, r'points.fields.id: expected u4, got f4'),
        ('points:width', 10, r'points.data: expected 10 points of 24 bytes, got 264 bytes'),
        ('points:data.20', 9, r'points.id: expected 0 to 10 in order, got others, first \[9, 1, 2\]'),
        ('points:data.16', 5, r'points.role: expected role codes 0 to 2, got 5'),
        ('tracks:ids', array.array('I', [0, 1, 3, 2]), r'tracks.ids: expected 0 to 3 in order'),
        (
            'tracks:visible',
            [True],
            r'tracks: expected one point and one visible for each id, got 4 ids, 4 points, 1 vis',
        ),
        ('mask:data.7', 200, r'mask.data: expected role codes 0 to 2, got 200'),
    ],
)
def test_malformed_conditions_are_refused(path: str, value: Any, error: str) -> None:
    """A condition stream of another publisher must follow the same points, in the same order, with known roles."""
    messages = {
        topic.removeprefix('condition/'): message for topic, message in convert.ENCODER.conditions(clip_frame()).items()
    }
    _spoil(path, value)(messages)
    read = {'points': decode.cloud, 'tracks': decode.tracks, 'mask': decode.mask}[path.partition(':')[0]]
    with pytest.raises(MessageError, match=error):
        read(wire(messages[path.partition(':')[0]]))


@pytest.mark.parametrize('pixels', [np.zeros((4, 4), np.float64), np.zeros((4, 4, 4), np.uint8)])
def test_pixels_of_no_encoding_are_refused(pixels: np.ndarray) -> None:
    """A picture is never published under an encoding that it does not have."""
    with pytest.raises(ValueError, match='pixels: expected'):
        convert.ENCODER.image(pixels, convert.ENCODER.header(0, 'camera_optical'))


def test_big_messages_are_filled_in_one_go() -> None:
    """A setter that looks at every element of a 720x480 image takes 46 ms; taking the buffer takes under one."""
    image, head = np.zeros((480, 720, 3), np.uint8), convert.ENCODER.header(0, 'camera_optical')
    table = (MeshAsset('big', 'hand', np.zeros((50_000, 3), np.float32), np.zeros((50_000, 3), np.int32)),)
    filled = min(
        _seconds(lambda: (convert.ENCODER.image(image, head), convert.ENCODER.assets(table, 0))) for _ in range(5)
    )
    element_by_element = _seconds(lambda: Image(data=image.ravel()))
    assert filled < element_by_element / 4, (filled, element_by_element)


def _seconds(job: Callable[[], Any]) -> float:
    begin = time.perf_counter()
    job()
    return time.perf_counter() - begin
