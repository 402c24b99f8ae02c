"""The bag that EpisodeWriter leaves, read with rosbags and mcap, without our reader."""

from __future__ import annotations

import pickle
import subprocess
import sys
import textwrap
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from drawn_episode import ENCODER, drawn_episode
from mcap.reader import make_reader
from mcap.records import Chunk
from mcap.stream_reader import StreamReader, breakup_chunk
from mcap_ros2.decoder import DecoderFactory
from rosbags.highlevel import AnyReader
from rosbags.interfaces import QosDurability
from rosbags.rosbag2 import Reader

from hoigen.episodes import (
    EpisodeError,
    EpisodeExists,
    EpisodeMismatch,
    EpisodeWriteFailed,
    EpisodeWriter,
    recover,
    write_episode,
)
from hoigen.episodes.storage import CHUNK_BYTES, BagWriter, _CheckedMcap
from hoigen.episodes.tf import TransformsOf
from hoigen.episodes.topics import PER_FRAME
from hoigen.episodes.whole import Message, messages_of
from hoigen.messages.definitions import typestore
from hoigen.messages.encode import WORLD
from hoigen.records import Episode

WRITTEN = [topic for topic in PER_FRAME if not topic.startswith(('/edit/', '/rejected/'))]
FRAMES = 5
ONCE = {'/mesh_assets', '/synth/conditions', '/provenance', '/episode_status'}


def record(folder: Path, chosen: list[Message]) -> EpisodeWriter:
    writer = EpisodeWriter(folder)
    for topic, msgtype, stamp_ns, cdr, qos in chosen:
        writer.write(topic, msgtype, stamp_ns, cdr, qos)
    return writer


def contents(folder: Path) -> list[tuple[str, int, bytes]]:
    """(topic, stamp, CDR) of every message but tf, by rosbags alone."""
    with Reader(folder) as reader:
        return [
            (c.topic, stamp, bytes(cdr)) for c, stamp, cdr in reader.messages(reader.connections) if c.topic != '/tf'
        ]


def test_every_message_comes_back_byte_for_byte(episode: Path, recorded: list[Message]) -> None:
    """A bag holds exactly what was recorded, under the scene's stamps."""
    written = [(f'/{topic}', stamp_ns, cdr) for topic, _, stamp_ns, cdr, _ in recorded]
    assert sorted(contents(episode)) == sorted(written)


def test_opens_with_rosbags_from_its_own_definitions(episode: Path) -> None:
    """Somebody without hoigen decodes our message types from the bag alone."""
    with AnyReader([episode]) as reader:
        counts = {topic: info.msgcount for topic, info in reader.topics.items()}
        assert counts == dict.fromkeys(WRITTEN, FRAMES) | dict.fromkeys(ONCE, 1)
        labels = [
            reader.deserialize(raw, c.msgtype)
            for c, _, raw in reader.messages([c for c in reader.connections if c.topic == '/labels'])
        ]
    assert [message.frame for message in labels] == list(range(FRAMES))
    assert labels[-1].contact_forces[0] > 0


def test_opens_with_mcap(episode: Path) -> None:
    """The file is a sound MCAP file: index, statistics and definitions serve a foreign reader."""
    with (episode / 'episode_0000.mcap').open('rb') as file:
        reader = make_reader(file, decoder_factories=[DecoderFactory()], validate_crcs=True)
        assert reader.get_summary().statistics.message_count == FRAMES * len(WRITTEN) + len(ONCE)
        forces = [message.value for _, _, _, message in reader.iter_decoded_messages(topics=['/synth/fidelity'])]
    assert len(forces) == FRAMES
    assert all(0 < value <= 1 for value in forces)


def test_latched_topics_are_offered_transient_local(episode: Path) -> None:
    """`ros2 bag play` must hand the mesh table to a node that joins late, and streams as streams."""
    with Reader(episode) as reader:
        latched = {
            c.topic
            for c in reader.connections
            if c.ext.offered_qos_profiles[0].durability is QosDurability.TRANSIENT_LOCAL
        }
    assert latched == ONCE


def test_chunks_are_small_and_hold_no_topic_twice(tmp_path: Path) -> None:
    """What is not yet handed to the operating system is never more than one message of a topic."""
    write_episode(tmp_path / 'bag', drawn_episode(3, (720, 480)))
    with (tmp_path / 'bag' / 'bag.mcap').open('rb') as file:
        chunks = [record for record in StreamReader(file, emit_chunks=True).records if isinstance(record, Chunk)]
    for chunk in chunks:
        channels = Counter(record.channel_id for record in breakup_chunk(chunk) if hasattr(record, 'sequence'))
        assert max(channels.values()) == 1
        assert chunk.uncompressed_size <= CHUNK_BYTES or channels.total() == 1
    assert any(chunk.uncompressed_size > CHUNK_BYTES for chunk in chunks), 'no picture longer than a chunk was written'


def test_tf_holds_camera_and_meshes_of_every_frame(episode: Path, drawn: Episode) -> None:
    """Viewers place the camera and the meshes from tf alone, at the frames' stamps."""
    with AnyReader([episode]) as reader:
        frames = [
            reader.deserialize(raw, c.msgtype).transforms
            for c, _, raw in reader.messages([c for c in reader.connections if c.topic == '/tf'])
        ]
    assert len(frames) == FRAMES
    for frame, transforms in enumerate(frames):
        stamps = {t.header.stamp.sec * 10**9 + t.header.stamp.nanosec for t in transforms}
        assert stamps == {drawn.clip.stamps_ns[frame]}
        assert {t.header.frame_id for t in transforms} == {WORLD}
        assert {t.child_frame_id for t in transforms} == {'camera_optical', 'floor', 'palm', 'finger', 'ball'}
        ball = next(t.transform.translation for t in transforms if t.child_frame_id == 'ball')
        np.testing.assert_allclose([ball.x, ball.y, ball.z], drawn.clip.labels[frame].T_world_object[:3, 3])


@pytest.mark.parametrize('optical', ['eye', WORLD, None])
def test_the_camera_moves_in_the_world_under_its_own_name(optical: str | None) -> None:
    """One that is the world itself, or whose name nobody tells, is no child of it: a viewer refuses such a loop."""
    camera, transforms, found = drawn_episode().clip.cameras[0], TransformsOf(typestore()), []
    for topic, message in (
        ('/camera/pose', ENCODER.camera_pose(camera, ENCODER.header(0, WORLD))),
        ('/camera/camera_info', ENCODER.camera_info(camera, ENCODER.header(0, optical or ''))),
    ):
        found += transforms.add(topic, bytes(typestore().serialize_cdr(message, message.__msgtype__)))
    moved = [transform for _, message in (*found, *transforms.rest()) for transform in message.transforms]
    assert [transform.child_frame_id for transform in moved] == (['eye'] if optical == 'eye' else [])


@pytest.mark.parametrize('topic', ['camera/image', 'condition/points', 'synth/fidelity', 'labels', 'camera/pose'])
def test_a_lost_message_is_a_mismatch(tmp_path: Path, recorded: list[Message], topic: str) -> None:
    """A frame that lacks one topic is never passed over; the bag is whole all the same."""
    lost = next(n for n, message in enumerate(recorded) if message[0] == topic) + 1
    kept = recorded[:lost] + recorded[lost + 1 :]
    writer = record(tmp_path / 'bag', [m for m in kept if m[0] != topic] + [m for m in kept if m[0] == topic][:-1])
    with pytest.raises(EpisodeMismatch) as caught:
        writer.close()
    assert topic in str(caught.value)
    assert 'expected' in str(caught.value)
    assert len(contents(tmp_path / 'bag')) == len(kept) - 1


def test_mismatch_names_topic_expected_and_got(tmp_path: Path, recorded: list[Message]) -> None:
    """The error alone tells what to look for."""
    images = [message for message in recorded if message[0] == 'synth/image']
    writer = record(tmp_path / 'bag', [message for message in recorded if message is not images[2]])
    with pytest.raises(EpisodeMismatch) as caught:
        writer.close()
    assert str(caught.value) == (
        f'{tmp_path / "bag"}: /synth/image: expected 5 messages with the stamps of /labels, '
        'got 4: 1 missing (0.250000 s)'
    )


def test_a_repeated_message_is_a_mismatch(tmp_path: Path, recorded: list[Message]) -> None:
    """Equal sets of stamps are not enough."""
    writer = record(tmp_path / 'bag', [*recorded, next(m for m in recorded if m[0] == 'condition/mask')])
    with pytest.raises(EpisodeMismatch, match=r'/condition/mask: .*got 6: 1 repeated'):
        writer.close()


def test_depth_may_be_absent_but_not_partly(tmp_path: Path, recorded: list[Message]) -> None:
    """A source without a depth camera records; one that drops depth frames does not pass."""
    without = [message for message in recorded if message[0] != 'camera/depth']
    assert record(tmp_path / 'none', without).close().frames == 5
    one = next(message for message in recorded if message[0] == 'camera/depth')
    with pytest.raises(EpisodeMismatch, match='/camera/depth'):
        record(tmp_path / 'one', [*without, one]).close()


def test_refuses_what_it_cannot_keep_apart(tmp_path: Path, recorded: list[Message]) -> None:
    """No bag is written over, no topic changes its type, no unknown type is recorded blindly."""
    (tmp_path / 'there').mkdir()
    with pytest.raises(EpisodeExists, match='there'):
        EpisodeWriter(tmp_path / 'there')
    writer = record(tmp_path / 'bag', recorded)
    with pytest.raises(EpisodeError, match='expected hoigen/msg/Labels as before, got std_msgs/msg/String'):
        writer.write('labels', 'std_msgs/msg/String', 0, recorded[-1][3])
    with pytest.raises(EpisodeError, match="got 'no_such/msg/Type'"):
        writer.write('other', 'no_such/msg/Type', 0, bytes(16))
    with pytest.raises(EpisodeError, match='expected a readable message, got 4 bytes'):
        writer.write('labels', 'hoigen/msg/Labels', 0, bytes(4))
    writer.close()
    with pytest.raises(EpisodeError, match='closed'):
        writer.write(*recorded[0])


FULL_DISK = textwrap.dedent("""
    import pickle, resource, sys
    from pathlib import Path
    from hoigen.episodes import EpisodeWriteFailed, EpisodeWriter
    writer, done, messages = EpisodeWriter(Path(sys.argv[1])), 0, pickle.loads(Path(sys.argv[3]).read_bytes())
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
    try:
        for message in messages:
            writer.write(*message)
            done += 1
    except EpisodeWriteFailed as error:
        print(done, error)
        try:
            writer.close()
        except EpisodeWriteFailed as again:
            sys.exit(0 if again is error else 4)
    sys.exit(3)
""")


@pytest.mark.parametrize('limit', [800_000, 1_500_000])
def test_full_disk_is_one_clear_error_and_a_readable_bag(tmp_path: Path, limit: int) -> None:
    """A write that the system refuses costs only the chunk that did not fit."""
    folder = tmp_path / 'bag'
    drawn = drawn_episode(8, (360, 240))
    noise = np.random.default_rng(0).integers(0, 256, drawn.clip.rgb.shape, np.uint8)  # does not compress
    made = list(messages_of(replace(drawn, clip=replace(drawn.clip, rgb=noise))))
    (tmp_path / 'messages').write_bytes(pickle.dumps(made))
    child = subprocess.run(
        [sys.executable, '-c', FULL_DISK, str(folder), str(limit), str(tmp_path / 'messages')],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert child.returncode == 0, child.stdout + child.stderr
    done, said = child.stdout.split(' ', 1)
    written = [(f'/{topic}', stamp, cdr) for topic, _, stamp, cdr, _ in made][: int(done) + 1]
    kept = contents(folder)
    assert 'cannot write' in said
    assert 'readable as a bag' in said
    assert set(kept) < set(written)
    with (folder / 'bag.mcap').open('rb') as file:
        reader = make_reader(file, validate_crcs=True)
        summary = reader.get_summary()
        assert summary is not None
        assert summary.statistics is not None
        assert summary.statistics.message_count == sum(1 for _ in reader.iter_messages()), 'counted, but not there'
    assert (folder / 'bag.mcap').stat().st_size > limit - 700_000
    assert set(written) - set(kept) <= set(written[-len(WRITTEN) - 1 :]), (
        'more was lost than the chunk that did not fit'
    )


def test_no_space_even_for_the_index(tmp_path: Path, recorded: list[Message], monkeypatch: pytest.MonkeyPatch) -> None:
    """Closing on a full disk says what to do and leaves the whole chunks."""

    def refuse(self: BagWriter) -> None:
        raise OSError(28, 'No space left on device')

    writer = record(tmp_path / 'bag', recorded)
    monkeypatch.setattr(BagWriter, 'close', refuse)
    with pytest.raises(EpisodeWriteFailed, match=r'No space left on device.*readable after recovery'):
        writer.close()


def test_no_space_for_metadata_alone(tmp_path: Path, recorded: list[Message], monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is whole then, the folder is not yet a bag: what is said is what recovery finds."""
    writer, write_text = record(tmp_path / 'bag', recorded), Path.write_text

    def refuse(self: Path, *text: str) -> int:
        if self.name.startswith('metadata.yaml'):
            raise OSError(28, 'No space left on device')
        return write_text(self, *text)

    monkeypatch.setattr(Path, 'write_text', refuse)
    with pytest.raises(EpisodeWriteFailed, match=r'bag: cannot write: No space left on device.*readable after recover'):
        writer.close()
    monkeypatch.undo()
    assert sorted(contents(recover(tmp_path / 'bag'))) == sorted((f'/{t}', s, c) for t, _, s, c, _ in recorded)


def test_no_space_to_begin_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is left that a later run would find in its way."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(_CheckedMcap, '__init__', refuse)
    with pytest.raises(EpisodeWriteFailed, match='bag: cannot write: No space left on device'):
        EpisodeWriter(tmp_path / 'bag')
    assert list(tmp_path.iterdir()) == []


def test_a_bag_is_compressed_where_that_pays(tmp_path: Path) -> None:
    """Flat images shrink, noise is stored as it is; both come back byte for byte."""
    random = np.random.default_rng(0)
    flat, noise = bytes(100_000), random.integers(0, 256, 100_000, np.uint8).tobytes()
    bag = BagWriter(tmp_path / 'bag')
    for topic, data in (('/flat', flat), ('/noise', noise)):
        connection = bag.add_connection(topic, 'std_msgs/msg/String', typestore=typestore())
        bag.write(connection, 1, data)
        bag.flush()
    bag.close()
    with (tmp_path / 'bag' / 'bag.mcap').open('rb') as file:
        chunks = [
            record
            for record in StreamReader(file, emit_chunks=True, validate_crcs=True).records
            if isinstance(record, Chunk)
        ]
    assert [chunk.compression for chunk in chunks] == ['zstd', '']
    assert len(chunks[0].data) < 1000
    assert all(chunk.uncompressed_crc for chunk in chunks)
    assert contents(tmp_path / 'bag') == [('/flat', 1, flat), ('/noise', 1, noise)]


def test_an_error_in_the_block_still_closes_the_bag(tmp_path: Path, recorded: list[Message]) -> None:
    """A recorder that fails for its own reasons leaves a bag, and its own error is the one that is seen."""

    def fail() -> None:
        with EpisodeWriter(tmp_path / 'bag') as writer:
            writer.write(*recorded[0])
            raise KeyError('ours')

    with pytest.raises(KeyError, match='ours'):
        fail()
    assert len(contents(tmp_path / 'bag')) == 1
