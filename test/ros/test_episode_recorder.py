"""episode_recorder alone, over real DDS and a real disk: whole bags, and what it does with episodes that are not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs ROS 2: source install/setup.bash')
pytest.importorskip('hoigen.msg', reason='needs the built messages: source install/setup.bash')

from fake_graph import FakeGenerator, fake_subject
from rclpy.duration import Duration
from ros_bench import START_NS, Bench, ended, scene

from hoigen.conditioning import ClipBuilder, ConditioningConfig, build_conditions
from hoigen.episodes import EpisodeReader, EpisodeWriteFailed, EpisodeWriter
from hoigen.messages import decode
from hoigen.records import Clip, EpisodeState, Provenance
from hoigen.ros import convert, topics
from hoigen.ros.edits import PARTS, edited_frame, seen_of, untouched
from hoigen.ros.nodes.episode_recorder import EpisodeRecorder

FRAMES = 5
ONCE = ('synth/conditions', 'provenance', 'episode_status')


def messages_of(episode: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What source and condition_builder, and then synthesizer, publish of an episode; for each frame, by topic."""
    assets, frames = scene(episode)
    start_ns = START_NS + episode * 10**9
    builder = ClipBuilder(assets, ConditioningConfig(points=300, tracks=20))
    seen, rows = [], []
    for frame in (replace(frame, stamp_ns=start_ns + frame.stamp_ns) for frame in frames):
        rows.append(builder.add(frame))
        seen.append(convert.ENCODER.frame(frame, frame.stamp_ns) | convert.ENCODER.conditions(rows[-1]))
    seen[0]['mesh_assets'] = convert.ENCODER.assets(assets, start_ns)
    clip = Clip.of(rows)
    made = FakeGenerator().generate(build_conditions(clip, width=48, height=32), clip.labels, seed=0)
    named = replace(made.provenance, config={'episode': episode})
    generated = [convert.ENCODER.generated(made, row) for row in range(FRAMES)]
    generated[0]['synth/conditions'] = convert.ENCODER.condition_images({}, start_ns, episode)
    generated[0]['provenance'] = convert.ENCODER.provenance(named)
    generated[0] |= ended(episode, frames=FRAMES, stamps_ns=(int(made.stamps_ns[0]), int(made.stamps_ns[-1])))
    return seen, generated


def send(bench: Bench, frames: list[dict[str, Any]]) -> None:
    for messages in frames:
        if 'mesh_assets' in messages:
            bench.send({'mesh_assets': messages['mesh_assets']})
            bench.until(lambda: bench.publisher('mesh_assets').wait_for_all_acked(Duration(seconds=1)))
        bench.send({name: message for name, message in messages.items() if name != 'mesh_assets'})


def bag(tmp_path: Path, episode: int) -> Path:
    return tmp_path / f'episode_{episode:04d}'


def test_every_episode_becomes_a_whole_bag(bench: Bench, tmp_path: Path) -> None:
    """All topics with equal counts, the mesh table and the provenance; the bytes are those that were sent."""
    bench.up(EpisodeRecorder, out=str(tmp_path))
    for episode in (0, 1):
        for part in messages_of(episode):
            send(bench, part)
    bench.until(lambda: bench.count('episode_recorder', 'recorded') == 2)
    assert bench.values('episode_recorder')['bag'] == str(bag(tmp_path, 1))
    with EpisodeReader(bag(tmp_path, 1)) as reader:
        assert reader.complete
        assert not reader.faults()
        per_frame = [
            topic
            for topic in topics.read_by(topics.RECORDER)
            if not topic.latched and topic not in (*topics.REJECTED, *topics.EDITED)
        ]
        assert {f'/{topic.name}': FRAMES for topic in per_frame}.items() <= reader.counts.items()
        assert (reader.counts['/mesh_assets'], reader.counts['/provenance']) == (1, 1)
        np.testing.assert_array_equal(reader.clip().rgb[3], scene(1)[1][3].rgb)


def edits_of(seen: list[dict[str, Any]], episode: int) -> list[dict[str, Any]]:
    """What pose_editor publishes of the frames that source and condition_builder published."""
    made = []
    for messages in seen:
        frame = seen_of({topic.name: messages[topic.name] for topic in PARTS if topic is not topics.CONDITION_DEPTH})
        edited = untouched(frame, np.eye(4), Provenance(0, {'episode': episode}, '', {}, {}, {}))
        made.append(convert.ENCODER.edited(edited_frame(frame, edited, 'a cup'), frame.names))
    made[0]['edit/mesh_assets'] = convert.ENCODER.assets((fake_subject().mesh,), 0, episode)
    made[0]['edit/provenance'] = convert.ENCODER.provenance(edited.provenance)
    made[-1] |= ended(episode, node='pose_editor')
    return made


def test_an_edited_episode_is_whole_without_generated_frames(bench: Bench, tmp_path: Path) -> None:
    """Where pose_editor's frames are awaited, what a synthesizer makes is left out, none of its frames is missed."""
    bench.up(EpisodeRecorder, out=str(tmp_path / 'edited'), made_by='pose_editor')
    for episode in (0, 1):
        seen, generated = messages_of(episode)
        for part in (seen, generated[:3], edits_of(seen, episode)):
            send(bench, part)
    bench.until(lambda: bench.count('episode_recorder', 'recorded') == 2)
    with EpisodeReader(bag(tmp_path / 'edited', 1)) as reader:
        assert not reader.faults()
        assert '/synth/image' not in reader.counts
        assert {reader.counts[f'/edit/{name}'] for name in ('image', 'depth', 'mask', 'object', 'labels')} == {FRAMES}
        assert reader.provenance('edit/provenance').config == {'episode': 1}
        assert [asset.id for asset in reader.assets('edit/mesh_assets')] == [fake_subject().mesh.id]


def test_edits_beside_generated_frames_are_left_out(bench: Bench, tmp_path: Path) -> None:
    """A live pose_editor drops frames: a bag of generated video does not depend on it."""
    bench.up(EpisodeRecorder, out=str(tmp_path))
    seen, generated = messages_of(0)
    for part in (seen, edits_of(seen, 0)[:2], generated):
        send(bench, part)
    bench.until(lambda: bench.count('episode_recorder', 'recorded') == 1)
    with EpisodeReader(bag(tmp_path, 0)) as reader:
        assert not reader.faults()
        assert not [topic for topic in reader.counts if topic.startswith('/edit/')]


def test_an_edited_episode_that_lacks_a_frame_is_told(bench: Bench, tmp_path: Path) -> None:
    """It is closed when the next one is whole, and its fault names the topic and the instant."""
    bench.up(EpisodeRecorder, out=str(tmp_path), made_by='pose_editor')
    for episode in (0, 1):
        seen, _ = messages_of(episode)
        edits = edits_of(seen, episode)
        if episode == 0:
            del edits[2]['edit/mask']
        for part in (seen, edits):
            send(bench, part)
    bench.until(lambda: bench.count('episode_recorder', 'recorded') == 1)
    bench.until(lambda: bench.count('episode_recorder', 'failed') == 1)
    with EpisodeReader(bag(tmp_path, 0)) as reader:
        assert [fault.topic for fault in reader.faults()] == ['/edit/mask']


def test_messages_that_come_before_their_labels_find_their_episode(bench: Bench, tmp_path: Path) -> None:
    """Topics may overtake each other: what comes first waits for the labels of its stamp."""
    bench.up(EpisodeRecorder, out=str(tmp_path))
    seen, generated = messages_of(0)
    bench.send({'mesh_assets': seen[0].pop('mesh_assets')})
    late = [{'labels': messages.pop('labels')} for messages in seen]
    for part in (seen, late, generated):
        send(bench, part)
    bench.until(lambda: bench.count('episode_recorder', 'recorded') == 1)


def test_a_rejected_episode_is_a_whole_bag_under_another_name(bench: Bench, tmp_path: Path) -> None:
    """The recorder waits for its rejected frames, whether the scene or the rejection comes first; it counts it apart,
    the bag says why, and its number is taken."""
    bench.up(EpisodeRecorder, out=str(tmp_path))
    why = 'fidelity: expected 0.5 or more, got 0.3'
    for episode in (0, 1):
        seen, generated = messages_of(episode)
        stamps_ns = decode.stamp_ns(seen[0]['labels'].header), decode.stamp_ns(seen[-1]['labels'].header)
        rejection = [
            {name if name in ONCE else name.replace('synth/', 'rejected/'): it for name, it in messages.items()}
            for messages in generated
        ]
        rejection[0] |= ended(episode, EpisodeState.REJECTED, stamps_ns, frames=FRAMES, reason=why)
        for part in (seen, rejection) if episode else (seen[:3], rejection, seen[3:]):
            send(bench, part)
    bench.until(lambda: bench.count('episode_recorder', 'rejected') == 2)
    assert (bench.count('episode_recorder', 'recorded'), bench.count('episode_recorder', 'failed')) == (0, 0)
    for part in messages_of(0):
        send(bench, part)
    bench.until(lambda: bench.count('episode_recorder', 'refused: episode exists') == 1)
    folders = sorted(tmp_path.glob('episode_*'))
    assert [folder.name for folder in folders] == ['episode_0000.rejected', 'episode_0001.rejected']
    for folder in folders:
        with EpisodeReader(folder) as reader:
            assert reader.complete
            assert not reader.faults()
            assert reader.rejection() == why
            assert reader.counts['/condition/points'] == FRAMES
            assert len(reader.rejected().frames) == FRAMES
            assert '/synth/image' not in reader.counts


def test_an_episode_of_footage_is_whole_without_meshes(bench: Bench, tmp_path: Path) -> None:
    """Its labels come long after its pictures, and the pictures of a stretch without a clip are not waited for."""
    bench.up(EpisodeRecorder, out=str(tmp_path), waiting=FRAMES)
    found = {
        'condition/provenance': convert.ENCODER.provenance(Provenance(0, {'episode': 1}, 'kitchen.mp4', {}, {}, {}))
    }
    skipped, (seen, generated) = messages_of(0)[0], messages_of(1)
    stamps_ns = decode.stamp_ns(skipped[0]['labels'].header), decode.stamp_ns(skipped[-1]['labels'].header)
    send(bench, [{'camera/image': messages['camera/image']} for messages in skipped])
    bench.until(lambda: bench.count('episode_recorder', 'received') == FRAMES)
    send(bench, [ended(0, EpisodeState.SKIPPED, stamps_ns, node='perception', reason='no hand in view')])
    bench.until(lambda: bench.count('episode_recorder', 'received') == FRAMES + 1)
    pictures = [{'camera/image': messages.pop('camera/image')} for messages in seen]
    seen[0].pop('mesh_assets')
    for messages in seen:
        del messages['mesh_frame']
    for part in (pictures, [found], seen, generated):
        send(bench, part)
    bench.until(lambda: bench.count('episode_recorder', 'recorded') == 1)
    assert bench.count('episode_recorder', 'refused') == 0
    with EpisodeReader(bag(tmp_path, 1)) as reader:
        assert reader.faults() == ()
        assert (reader.counts['/condition/provenance'], reader.counts['/tf']) == (1, FRAMES)
        assert '/mesh_frame' not in reader.counts
        made = reader.provenance('condition/provenance')
    assert made is not None
    assert made.source == 'kitchen.mp4'


def test_an_episode_that_lost_a_frame_is_an_error_that_names_the_topic(bench: Bench, tmp_path: Path) -> None:
    """It is closed when the next one is whole, is readable, and does not stop the recorder."""
    bench.up(EpisodeRecorder, out=str(tmp_path))
    seen, generated = messages_of(0)
    del generated[2]['synth/image']
    for part in (seen, generated, *messages_of(1)):
        send(bench, part)
    bench.until(lambda: bench.count('episode_recorder', 'recorded') == 1)
    bench.until(lambda: bench.count('episode_recorder', 'failed') == 1)
    assert '/synth/image: expected 5 messages' in bench.message('episode_recorder')
    with EpisodeReader(bag(tmp_path, 0)) as reader:
        assert reader.complete


def test_ended_in_the_middle_the_bag_is_closed_and_readable(bench: Bench, tmp_path: Path) -> None:
    """What was heard before the end is in a bag with its index; the log says what is missing of the episode."""
    node = bench.up(EpisodeRecorder, out=str(tmp_path))
    errors: list[str] = []
    node.get_logger().error = errors.append
    send(bench, messages_of(0)[0][:3])
    bench.until(lambda: bench.count('episode_recorder', 'received') == 3 * 10 + 1)
    node.destroy_node()
    assert 'episode 0 is not whole' in errors[0]
    with EpisodeReader(bag(tmp_path, 0)) as reader:
        assert reader.complete
        assert reader.counts['/condition/points'] == 3


def test_an_episode_that_is_on_disk_is_never_overwritten(bench: Bench, tmp_path: Path) -> None:
    """The old bag stays as it is, every frame of the new one is refused, the next episode is recorded."""
    bag(tmp_path, 0).mkdir()
    bench.up(EpisodeRecorder, out=str(tmp_path))
    for episode in (0, 1):
        for part in messages_of(episode):
            send(bench, part)
    bench.until(lambda: bench.count('episode_recorder', 'recorded') == 1)
    assert not list(bag(tmp_path, 0).iterdir())
    assert bench.count('episode_recorder', 'refused: episode exists') == 1


def test_a_disk_that_refuses_to_write_is_one_error(bench: Bench, tmp_path: Path) -> None:
    """The episode is given up with the system's reason; the messages that still come for it are refused quietly."""

    class Full(EpisodeWriter):
        def write(self, topic: str, *rest: Any) -> None:
            if topic == 'condition/mask':
                raise EpisodeWriteFailed('No space left on device')
            super().write(topic, *rest)

    bench.up(EpisodeRecorder, Full, out=str(tmp_path))
    for part in messages_of(0):
        send(bench, part)
    bench.until(lambda: bench.count('episode_recorder', 'failed') == 1)
    assert 'No space left on device' in bench.message('episode_recorder')
