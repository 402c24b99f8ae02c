"""One codec: what the graph's decoding takes is read back from a bag as equal records, what it refuses is refused."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from drawn_episode import ENCODER, drawn_episode
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hoigen.episodes import EpisodeError, EpisodeReader
from hoigen.episodes.storage import BagWriter
from hoigen.messages import decode
from hoigen.messages.definitions import typestore
from hoigen.messages.encode import OPTICAL, WORLD, Encoder
from hoigen.records import EpisodeState, EpisodeStatus, RecordError

SIZE, FRAMES = (8, 6), 2
Row = dict[str, Any]


def rows() -> list[Row]:
    """The messages of a clip, by instant and topic, the mesh table with the first; new ones each time."""
    episode, rows = drawn_episode(FRAMES, SIZE, SIZE, points=6), []
    for t in range(FRAMES):
        frame = episode.clip.row(t)
        world, optical = ENCODER.header(frame.stamp_ns, WORLD), ENCODER.header(frame.stamp_ns, OPTICAL)
        known = {'mesh_frame': ENCODER.mesh_frame(episode.mesh_frames[t], world), **ENCODER.recorded(frame)}
        rows.append({'camera/image': ENCODER.image(frame.rgb, optical), **known})
    rows[0]['mesh_assets'] = ENCODER.assets(episode.assets, int(episode.clip.stamps_ns[0]))
    return deepcopy(rows)


def image(like: Any, pixels: np.ndarray, encoding: str) -> Any:
    data = np.ascontiguousarray(pixels).view(np.uint8).ravel()
    height, width = pixels.shape[:2]
    return replace(like, height=height, width=width, encoding=encoding, step=data.size // height, data=data)


def values(record: Any) -> Any:
    """A record as what compares: NaN equals NaN, arrays by type, shape and bytes."""
    if isinstance(record, np.ndarray):
        return str(record.dtype), record.shape, np.ascontiguousarray(record).tobytes()
    if is_dataclass(record):
        return {field.name: values(getattr(record, field.name)) for field in fields(record)}
    if isinstance(record, dict):
        return {name: values(value) for name, value in record.items()}
    return tuple(map(values, record)) if isinstance(record, tuple) else record


def outcome(read: Callable[[], Any]) -> Any:
    """The records that are read, or that they are refused."""
    try:
        return values(read())
    except (ValueError, EpisodeError):
        return 'refused'


def of_graph(messages: list[Row]) -> Any:
    """As a node decodes what it receives."""
    topics = [
        topic
        for topic in messages[1]
        if topic.startswith('condition/') or topic in ('camera/image', 'camera/camera_info', 'camera/pose', 'labels')
    ]
    return (
        decode.clip({topic: [row[topic] for row in messages] for topic in topics}),
        decode.assets(messages[0]['mesh_assets']),
        {decode.stamp_ns(row['mesh_frame'].header): decode.mesh_frame(row['mesh_frame']) for row in messages},
    )


def of_bag(messages: list[Row], folder: Path) -> Any:
    bag = BagWriter(folder)
    kinds = {topic: row.__msgtype__ for topic, row in messages[0].items()}
    connections = {topic: bag.add_connection(f'/{topic}', kind, typestore=typestore()) for topic, kind in kinds.items()}
    for row in messages:
        for topic, message in row.items():
            bag.write(
                connections[topic],
                decode.stamp_ns(message.header),
                bytes(typestore().serialize_cdr(message, kinds[topic])),
            )
    bag.close()
    with EpisodeReader(folder) as reader:
        return reader.clip(), reader.assets(), reader.mesh_frames()


SPECIAL = st.sampled_from([0.0, -0.0, -1.0, 1e-9, 1.5, np.inf, -np.inf, np.nan])
NAMES = st.text(st.characters(exclude_categories=['Cs'], exclude_characters='\0'), max_size=8)


@st.composite
def changes(draw: st.DrawFn) -> Callable[[list[Row]], None]:
    """Something of one frame that is not as ever: at the edge of what is taken, or beyond it."""
    frame, kind = (
        draw(st.integers(0, 1)),
        draw(
            st.sampled_from(
                [
                    'quaternion',
                    'position',
                    'depth',
                    'millimetres',
                    'mask',
                    'role',
                    'ids',
                    'labels',
                    'contacts',
                    'hands',
                    'action',
                    'camera',
                    'rgb',
                    'mesh',
                    'uv',
                    'texture',
                    'asset pose',
                ]
            )
        ),
    )
    value, factor = draw(SPECIAL), draw(st.sampled_from([1.0, 1.00005, 0.9999, 1.0009, 1.002, 0.0, np.nan]))
    code, name = draw(st.integers(0, 4)), draw(NAMES)

    def change(messages: list[Row]) -> None:
        row = messages[frame]
        if kind == 'quaternion':
            quaternion = row['camera/pose'].pose.orientation
            for axis in 'xyzw':
                setattr(quaternion, axis, getattr(quaternion, axis) * factor)
        elif kind == 'position':
            row['camera/pose'].pose.position.x = value
        elif kind == 'depth':
            row['condition/depth'].data[:4] = np.array([value], '<f4').view(np.uint8)
        elif kind == 'millimetres':
            row['condition/depth'] = image(row['condition/depth'], np.full(SIZE[::-1], code, np.uint16), '16UC1')
        elif kind == 'mask':
            row['condition/mask'].data[3] = code
        elif kind == 'role':
            cloud = row['condition/points']
            cloud.data[next(f.offset for f in cloud.fields if f.name == 'role')] = code
        elif kind == 'ids':
            row['condition/tracks'].ids[0] = code
        elif kind == 'labels':
            row['labels'].task, row['labels'].joint_names[0] = name, name
            row['labels'].joint_positions[0] = np.float32(value)
            row['labels'].object_poses_known = np.array([code > 2] * (1 + code // 4))
            row['labels'].object_visibility = np.full(code % 3, value, np.float32)
        elif kind == 'contacts':
            row['labels'].contact_bodies = ['ball', name] * code
            for column, width in (('positions', 3), ('normals', 3), ('forces', 1), ('penetrations', 1)):
                setattr(row['labels'], f'contact_{column}', np.full(width * code, value, np.float32))
        elif kind == 'hands':
            row['labels'].hand_sides[0] = ['left', 'right', 'both', '', name][code]
            row['labels'].wrist_poses[0].orientation.x *= factor
            row['labels'].hand_keypoints = np.full(21 * (code or 3), value, np.float32)
            row['labels'].hand_pixels[code] = value
        elif kind == 'action':
            row['labels'].action_units[code], row['labels'].action_names[code] = (
                ['m', 'mm', 'N m', '', 'deg'][code],
                name,
            )
        elif kind == 'camera':
            row['camera/camera_info'].k[code] = value
        elif kind == 'mesh':
            mesh = messages[0]['mesh_assets'].assets[code]
            mesh.vertices[0], mesh.triangles[1], mesh.id = np.float32(value), code + 3, name
        elif kind == 'uv':
            textured = messages[0]['mesh_assets'].assets[-1]
            textured.uv[code], textured.uv = np.float32(value), textured.uv[: len(textured.uv) - code]
        elif kind == 'texture':
            textured = messages[0]['mesh_assets'].assets[-code]
            pixels = np.random.default_rng(code).integers(0, 256, (1 + code, 2, 3), np.uint8)
            encoding = ['bgr8', 'rgb8', 'rgb8', 'jpeg', 'rgb8'][code]
            textured.texture = image(textured.texture, pixels[:, : 2 - code // 4], encoding)
        elif kind == 'asset pose':
            row['mesh_frame'].poses[code].position.x, row['mesh_frame'].poses[0].orientation.w = value, factor
        else:
            pixels = np.random.default_rng(code).integers(0, 256, (*SIZE[::-1], 4), np.uint8)
            encoding, channels = [('bgr8', 3), ('rgba8', 4), ('mono8', 1), ('8UC3', 3), ('jpeg', 3)][code]
            row['camera/image'] = image(row['camera/image'], pixels[..., :channels], encoding)

    return change


@settings(max_examples=40, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(changes(), min_size=1, max_size=2))
def test_what_the_graph_takes_is_read_back_equal_and_the_rest_refused_in_both(
    edits: list[Callable[[list[Row]], None]],
) -> None:
    messages = rows()
    for edit in edits:
        edit(messages)
    want = outcome(lambda: of_graph(messages))
    with TemporaryDirectory() as folder:
        assert outcome(lambda: of_bag(messages, Path(folder) / 'bag')) == want


def test_rounded_poses_are_read_back(tmp_path: Path) -> None:
    """A quaternion of norm 1.00005, as float32 publishers round, is taken and is a rotation."""
    messages = rows()
    for row in messages:
        quaternion = row['camera/pose'].pose.orientation
        for axis in 'xyzw':
            setattr(quaternion, axis, getattr(quaternion, axis) * 1.00005)
    rotation = of_bag(messages, tmp_path / 'bag')[0].cameras[0].T_world_cam[:3, :3]
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)


def test_the_messages_themselves_are_taken() -> None:
    """What the property starts from is no refusal, and a texture is in it."""
    _, assets, instants = of_graph(rows())
    assert [asset.texture is not None for asset in assets] == [False] * 3 + [True]
    assert len(instants) == FRAMES


@pytest.mark.parametrize('state', EpisodeState)
def test_a_status_is_read_as_it_was_written(state: EpisodeState) -> None:
    """The states are those of the message's definition; with and without a number of frames."""
    assert getattr(typestore().types['hoigen/msg/EpisodeStatus'], state.name) == state
    for frames in (5, None):
        status = EpisodeStatus('synthesizer', 3, state, (1_500_000_000, 2_000_000_001), frames, 'why')
        assert decode.episode_status(ENCODER.episode_status(status)) == status


def test_a_status_of_an_unknown_state_or_with_falling_stamps_is_refused() -> None:
    """It is not taken for one of the known."""
    status = EpisodeStatus('synthesizer', 3, EpisodeState.FAILED, (1, 2))
    message = Encoder(lambda name, /, **values: SimpleNamespace(**values)).episode_status(status)
    message.state = 5
    with pytest.raises(decode.MessageError, match=r'episode_status.state: expected one of \[0, 1, 2, 3, 4\], got 5'):
        decode.episode_status(message)
    message.state, message.last.nanosec = 0, 0
    with pytest.raises(RecordError, match='stamps_ns: expected rising stamps'):
        decode.episode_status(message)
