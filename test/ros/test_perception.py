"""perception alone, over real DDS, with a stand-in for the core: which frames become clips, and what of the others."""

from __future__ import annotations

import json
import threading
from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs ROS 2: source install/setup.bash')
pytest.importorskip('hoigen.msg', reason='needs the built messages: source install/setup.bash')

from fake_graph import FakePerceiver, fake_clip
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.parameter import Parameter
from recorded import shades
from ros_bench import DEADLINE_S, Bench

from hoigen.messages import decode
from hoigen.records import EpisodeState, Footage
from hoigen.ros import convert, qos, topics
from hoigen.ros.nodes.perception import PARTS, Perception
from hoigen.ros.nodes.video_source import messages_of

SECOND = 10**9
K = np.array([[70.0, 0, 29.5], [0, 70.0, 19.5], [0, 0, 1]])
RESULTS = ('camera/pose', 'labels', 'condition/points', 'condition/tracks', 'condition/mask', 'condition/depth')
PARAMETERS = {'frames': 5, 'pause': 3600.0}


def footage(
    count: int = 5, start_ns: int = 2 * SECOND, depth: bool = True, calibrated: bool = True, grey: int | None = None
) -> Footage:
    rgb = shades(count) if grey is None else np.full((count, 40, 60, 3), grey, np.uint8)
    measured = np.full((count, 40, 60), 1.25, np.float32)
    return Footage(
        start_ns + np.arange(count) * SECOND // 8, rgb, measured if depth else None, K if calibrated else None
    )


def up(
    bench: Bench, perceive: Any = None, publish: tuple[str, ...] = ('depth', 'camera_info', 'image'), **parameters: Any
) -> tuple[Perception, Any]:
    """The node, active, with a camera that has these topics; what it was asked to perceive."""
    perceive = perceive or FakePerceiver()
    for name in publish:
        topic = {'depth': topics.DEPTH, 'camera_info': topics.CAMERA_INFO, 'image': topics.IMAGE}[name]
        bench._publishers[topic.name] = bench.io.create_publisher(topic.type, topic.name, topic.qos)
    node = bench.add(Perception, lambda config: perceive, **PARAMETERS | parameters)
    assert node.trigger_configure() == TransitionCallbackReturn.SUCCESS
    assert node.trigger_activate() == TransitionCallbackReturn.SUCCESS
    for topic in topics.written_by(topics.PERCEPTION):
        bench.io.create_subscription(topic.type, topic.name, bench.heard[topic.name].append, topic.qos)
    bench.until(lambda: all(p.get_subscription_count() for p in node._publishers_by_topic.values()))
    bench.until(lambda: all(p.get_subscription_count() for p in bench._publishers.values()))
    bench.until(lambda: all(node._published(topic) for topic in PARTS if topic.name in bench._publishers))
    return node, perceive


def send(bench: Bench, seen: Footage, rows: range | None = None) -> None:
    for row in rows or range(len(seen.stamps_ns)):
        bench.send(messages_of(seen, row))


def stamps(bench: Bench, topic: str) -> list[int]:
    return [decode.stamp_ns(message.header) for message in bench.heard[topic]]


def provenances(bench: Bench) -> list[dict[str, Any]]:
    return [json.loads(message.data)['config'] for message in bench.heard['condition/provenance']]


def test_stretches_become_clips_on_the_topics_of_a_simulated_scene(bench: Bench) -> None:
    """Each under the frames' stamps, numbered as episodes; what is perceived is what was sent."""
    _, core = up(bench, task='cut the bread', first_episode=3)
    first, second = footage(), footage(start_ns=3 * SECOND)
    for seen in (first, second):
        send(bench, seen)
    bench.until(lambda: all(len(bench.heard[topic]) == 10 for topic in (*RESULTS, 'camera/camera_info')))
    bench.until(lambda: len(provenances(bench)) == 2)
    want = [*first.stamps_ns.tolist(), *second.stamps_ns.tolist()]
    for topic in RESULTS:
        assert stamps(bench, topic) == want
    assert [(m.episode, m.frame, m.last) for m in bench.heard['labels']][3:7] == [
        (3, 3, False),
        (3, 4, True),
        (4, 0, False),
        (4, 1, False),
    ]
    got, source = core.asked[1]
    assert source == 'node bench, stretch 1'
    for name in ('stamps_ns', 'rgb', 'depth_m', 'K'):
        np.testing.assert_array_equal(getattr(got, name), getattr(second, name))
    columns = {topic: bench.heard[topic][5:] for topic in RESULTS}
    columns |= {
        topic: [messages_of(second, row)[topic] for row in range(5)] for topic in ('camera/image', 'camera/camera_info')
    }
    clip, made = decode.clip(columns), fake_clip(second)
    np.testing.assert_array_equal(clip.points, made.points)
    np.testing.assert_array_equal(clip.mask, made.mask)
    assert [told['stamps_ns'] for told in provenances(bench)] == [[want[0], want[4]], [want[5], want[9]]]
    assert [told['episode'] for told in provenances(bench)] == [3, 4]
    assert len(bench.heard['camera/camera_info']) == 10, 'the lens was told twice'


def test_a_camera_without_depth_and_lens_is_perceived_and_its_lens_estimated(bench: Bench) -> None:
    """Who publishes the image alone is not waited for in vain; the estimated lens completes the clip."""
    _, core = up(bench, publish=('image',))
    send(bench, footage(depth=False, calibrated=False))
    bench.until(lambda: all(len(bench.heard[topic]) == 5 for topic in (*RESULTS, 'camera/camera_info')))
    got, _ = core.asked[0]
    assert got.depth_m is None
    assert got.K is None
    assert bench.heard['camera/camera_info'][0].k[0] == 60.0
    assert stamps(bench, 'camera/camera_info') == stamps(bench, 'labels')


def test_a_pause_ends_a_stretch_which_is_cut_to_what_the_models_take(bench: Bench) -> None:
    """Seven frames and then none give a clip of five; three give none, and say so."""
    node, core = up(bench, frames=9)
    warnings: list[str] = []
    node.get_logger().warning = warnings.append
    send(bench, footage(7))
    bench.until(lambda: bench.count('perception', 'received') == 3 * 7)
    node.set_parameters([Parameter('pause', value=0.1)])
    bench.until(lambda: len(bench.heard['labels']) == 5)
    assert bench.heard['labels'][-1].last
    assert warnings == ['stretch 0: expected 4k+1 frames, got 7; left out at its end: 2']
    send(bench, footage(3, start_ns=9 * SECOND))
    bench.until(lambda: bench.count('perception', 'refused: short stretch') == 1)
    assert len(core.asked) == 1
    bench.until(lambda: bench.heard['episode_status'])
    [told] = map(decode.episode_status, bench.heard['episode_status'])
    assert (told.episode, told.state) == (1, EpisodeState.SKIPPED)
    assert told.stamps_ns == (9 * SECOND, int(footage(3, start_ns=9 * SECOND).stamps_ns[-1]))
    assert told.reason == 'expected at least 5 frames, got 3'


@pytest.mark.parametrize(
    ('grey', 'kind', 'reason'), [(0, 'not perceived', 'no hand in view'), (255, 'no clip', 'no point map')]
)
def test_a_stretch_without_a_clip_is_told_and_the_next_one_works(
    bench: Bench, grey: int, kind: str, reason: str
) -> None:
    """Whether the core raises or has no point map: counted, logged, and told to those who wait for it."""
    node, _ = up(bench)
    errors: list[str] = []
    node.get_logger().error = errors.append
    send(bench, footage(grey=grey))
    send(bench, footage(start_ns=3 * SECOND))
    bench.until(lambda: len(bench.heard['labels']) == 5 and bench.heard['episode_status'] and provenances(bench))
    assert {message.episode for message in bench.heard['labels']} == {1}
    bench.until(lambda: bench.count('perception', 'clips') == 1)
    assert bench.count('perception', f'refused: {kind}') == 1
    assert errors == [f'refused, {kind}: stretch 0: {reason}']
    values = bench.values('perception')
    assert (values['skipped'], values['reason']) == ('1', reason)
    assert bench.count('perception', 'failed') == 0
    assert [(told.episode, told.reason) for told in bench.heard['episode_status']] == [(0, reason)]
    assert [told['episode'] for told in provenances(bench)] == [1]


def test_frames_without_their_depth_are_refused_and_the_clip_goes_on(bench: Bench) -> None:
    """Depth that is missing half-way is a gap, not a clip with invented depth; the stretch is as long as it should."""
    _, core = up(bench)
    seen = footage(7)
    for row in range(7):
        messages = messages_of(seen, row)
        if row in (2, 3):
            del messages['camera/depth']
        bench.send(messages)
    bench.until(lambda: len(bench.heard['labels']) == 5)
    assert core.asked[0][0].stamps_ns.tolist() == seen.stamps_ns[[0, 1, 4, 5, 6]].tolist()
    bench.until(lambda: bench.count('perception', 'refused: unmatched stamp') == 2)


def test_depth_of_another_frame_is_refused(bench: Bench) -> None:
    """Depth that is not registered to the picture would put every point in a wrong place."""
    node, core = up(bench)
    errors: list[str] = []
    node.get_logger().error = errors.append
    messages = messages_of(footage(), 0)
    messages['camera/depth'].header = convert.ENCODER.header(2 * SECOND, 'depth_optical')
    bench.send(messages)
    bench.until(lambda: bench.count('perception', 'refused: bad frame') == 1)
    assert "expected 'camera_optical' as of camera/image, got 'depth_optical'" in errors[0]
    assert not core.asked


def test_stamps_that_go_back_begin_another_stretch(bench: Bench) -> None:
    """A camera that starts its clock again is no reason for a clip with falling stamps."""
    _, core = up(bench)
    send(bench, footage(9), range(6, 9))
    send(bench, footage(5))
    bench.until(lambda: len(bench.heard['labels']) == 5)
    assert core.asked[0][0].stamps_ns.tolist() == footage().stamps_ns.tolist()
    assert bench.heard['labels'][0].episode == 1


def test_when_it_cannot_keep_up_the_newest_stretch_wins(bench: Bench) -> None:
    """A live camera does not wait: what is too old is dropped, counted and told, and what is perceived is recent."""
    go_on, begun = threading.Event(), threading.Event()

    class Slow(FakePerceiver):
        def __call__(self, seen: Footage, source: str) -> Any:
            begun.set()
            go_on.wait(DEADLINE_S)
            return super().__call__(seen, source)

    up(bench, Slow(), queue=1)
    send(bench, footage())
    bench.until(begun.is_set)
    for number in range(1, 4):
        send(bench, footage(start_ns=(2 + number) * SECOND))
    bench.until(lambda: bench.count('perception', 'refused: too slow') == 2)
    go_on.set()
    bench.until(lambda: len(bench.heard['labels']) == 10 and len(bench.heard['episode_status']) == 2)
    assert {message.episode for message in bench.heard['labels']} == {0, 3}
    assert [told.episode for told in bench.heard['episode_status']] == [1, 2]


def test_a_live_camera_with_sensor_data_qos_is_heard_when_asked_for(bench: Bench) -> None:
    """Best effort, stamped by this machine's clock; it is perceived as it comes."""
    core = FakePerceiver()
    node = bench.add(Perception, lambda config: core, input_reliability='best_effort', **PARAMETERS)
    node.trigger_configure()
    node.trigger_activate()
    publisher = bench.io.create_publisher(topics.IMAGE.type, 'camera/image', qos.STREAM_BEST_EFFORT)
    bench.until(lambda: publisher.get_subscription_count() == 1)
    now_ns = bench.io.get_clock().now().nanoseconds
    for number, picture in enumerate(shades(6)):
        stamp_ns = now_ns + number * SECOND // 20
        publisher.publish(convert.ENCODER.image(picture, convert.ENCODER.header(stamp_ns, 'head_camera')))
        bench.executor.spin_once(timeout_sec=0.05)
    bench.until(lambda: bench.count('perception', 'clips') == 1)
    assert len(core.asked[0][0].stamps_ns) == 5


def test_without_weights_the_node_refuses_to_configure(bench: Bench) -> None:
    """In the words of the core, which says what to do."""

    def missing(config: Any) -> Any:
        raise RuntimeError('sam2: run hoigen models fetch sam2')

    node = bench.add(Perception, missing, masks='sam2')
    errors: list[str] = []
    node.get_logger().error = errors.append
    assert node.trigger_configure() == TransitionCallbackReturn.FAILURE
    assert errors == ['perception not configured: sam2: run hoigen models fetch sam2']


@pytest.mark.parametrize(
    ('name', 'value', 'match'),
    [
        ('masks', 'crystal ball', 'masks: expected one of'),
        ('frames', 16, 'frames: expected 4k'),
        ('inputs', ['depth'], 'inputs: expected auto, or image'),
    ],
)
def test_parameters_that_make_no_sense_are_refused(bench: Bench, name: str, value: Any, match: str) -> None:
    """By name, with what was expected."""
    node = bench.add(Perception, lambda config: FakePerceiver())
    [refused] = node.set_parameters([Parameter(name, value=value)])
    assert not refused.successful
    assert match in refused.reason
