"""video_source alone, over real DDS: what it streams of real recordings, how far ahead it goes, and what it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs ROS 2: source install/setup.bash')
pytest.importorskip('hoigen.msg', reason='needs the built messages: source install/setup.bash')

from rclpy.lifecycle import TransitionCallbackReturn
from recorded import shades, write_rgbd, write_video
from ros_bench import Bench, ended

from hoigen.messages import decode
from hoigen.records import EpisodeState, Footage
from hoigen.ros import topics
from hoigen.ros.nodes.video_source import VideoSource
from hoigen.sources.recording import RecordingError

K = np.array([[70.0, 0, 29.5], [0, 70.0, 19.5], [0, 0, 1]])


def start(bench: Bench, *build: Any, **parameters: Any) -> VideoSource:
    """The node, active, after this bench listens: nothing of the stream is missed."""
    node = bench.add(VideoSource, *build, **{'frames': 5, 'rate': 0.0} | parameters)
    assert node.trigger_configure() == TransitionCallbackReturn.SUCCESS
    for topic in topics.read_by(topics.VIDEO):
        bench._publishers[topic.name] = bench.io.create_publisher(topic.type, topic.name, topic.qos)
    for topic in topics.written_by(topics.VIDEO):
        bench.io.create_subscription(topic.type, topic.name, bench.heard[topic.name].append, topic.qos)
    bench.until(lambda: all(p.get_subscription_count() for p in node._publishers_by_topic.values()))
    assert node.trigger_activate() == TransitionCallbackReturn.SUCCESS
    bench.until(lambda: bench.hears(topics.VIDEO))
    return node


def stamps(bench: Bench, topic: str = 'camera/image') -> list[int]:
    return [decode.stamp_ns(message.header) for message in bench.heard[topic]]


def rgbd(folder: Path, count: int = 7) -> Path:
    depth = np.full((count, 40, 60), 0.75)
    depth[:, :4] = np.nan
    return write_rgbd(folder, shades(count), depth, K, [3 + n / 8 for n in range(count)])


def test_an_rgbd_recording_is_streamed_as_it_is_with_its_own_stamps(bench: Bench, tmp_path: Path) -> None:
    """Pictures, depth with its holes and the lens, each of a frame's messages under its stamp; then it says so."""
    start(bench, video=str(rgbd(tmp_path / 'rgbd')))
    bench.until(lambda: bench.values('video_source').get('planned') == '2')
    bench.until(lambda: len(bench.heard['camera/image']) == 7)
    assert stamps(bench) == [3_000_000_000 + n * 125_000_000 for n in range(7)]
    for topic in ('camera/depth', 'camera/camera_info'):
        assert stamps(bench, topic) == stamps(bench)
    np.testing.assert_array_equal([decode.rgb(m)[0, 0, 0] for m in bench.heard['camera/image']], shades(7)[:, 0, 0, 0])
    depth = decode.depth(bench.heard['camera/depth'][4])
    assert np.isnan(depth[:4]).all()
    np.testing.assert_allclose(depth[4:], 0.75)
    np.testing.assert_allclose(decode.intrinsics(bench.heard['camera/camera_info'][0]), K)
    assert (bench.count('video_source', 'episodes'), bench.count('video_source', 'frames')) == (2, 7)
    assert bench.count('video_source', 'refused') == 0


def test_a_plain_video_has_neither_depth_nor_lens(bench: Bench, tmp_path: Path) -> None:
    """Nobody is told of a topic that never comes; after the end the time goes on, so that nobody waits for more."""
    node = start(bench, video=str(write_video(tmp_path / 'plain.mp4', shades(6))))
    bench.until(lambda: len(bench.heard['camera/image']) == 6)
    for topic in ('camera/depth', 'camera/camera_info'):
        assert bench.io.count_publishers(node.resolve_topic_name(topic)) == 0
    last = stamps(bench)[-1]
    bench.until(lambda: decode.stamp_ns(head_of(bench.heard['/clock'][-1])) > last + 3 * 10**9)


def head_of(clock: Any) -> Any:
    return type('Head', (), {'stamp': clock.clock})


def test_pictures_have_the_size_and_pace_that_was_asked_for(bench: Bench, tmp_path: Path) -> None:
    """The lens moves along with the crop."""
    start(bench, video=str(rgbd(tmp_path / 'rgbd', 9)), width=30, height=30, frame_rate=4.0)
    bench.until(lambda: bench.values('video_source').get('planned') == '1')
    bench.until(lambda: len(bench.heard['camera/image']) == 5)
    assert np.diff(stamps(bench)).tolist() == [250_000_000] * 4
    assert {(m.width, m.height) for m in bench.heard['camera/image']} == {(30, 30)}
    np.testing.assert_allclose(decode.intrinsics(bench.heard['camera/camera_info'][0])[0], [52.5, 0, 14.5])


def test_it_goes_no_further_ahead_than_it_may(bench: Bench, tmp_path: Path) -> None:
    """The next stretch begins when an earlier one is generated, or rejected, or there is no clip of it."""
    start(bench, video=str(rgbd(tmp_path / 'rgbd', 20)), ahead=1)
    states = (EpisodeState.ACCEPTED, EpisodeState.SKIPPED, EpisodeState.REJECTED)
    for stretch, state in enumerate(states):
        bench.until(lambda frames=5 * (stretch + 1): len(bench.heard['camera/image']) == frames)
        bench.until(lambda count=stretch + 1: bench.count('video_source', 'episodes') == count)
        first, last = stamps(bench)[5 * stretch], stamps(bench)[5 * stretch + 4]
        bench.send(ended(7 + stretch, state, (first, last)))
    bench.until(lambda: len(bench.heard['camera/image']) == 20)


def test_it_waits_for_the_graph_before_it_begins(bench: Bench, tmp_path: Path) -> None:
    """Only for those who are in the graph and read what there is."""
    start(bench, video=str(rgbd(tmp_path / 'rgbd')), wait_for=['perception', 'sim_source'])
    bench.until(lambda: 'perception on camera/image' in bench.values('video_source').get('waiting_for', ''))
    assert 'sim_source' not in bench.values('video_source')['waiting_for']
    assert not bench.heard['camera/image']


def truncated(folder: Path) -> Path:
    video = write_video(folder / 'cut.mp4', shades(6))
    video.write_bytes(video.read_bytes()[:200])
    return video


@pytest.mark.parametrize(
    ('make', 'match'),
    [
        (lambda folder: '', 'video: expected the path of a recording, got none'),
        (lambda folder: str(folder / 'none.mp4'), 'none.mp4'),
        (lambda folder: str(truncated(folder)), 'cut.mp4'),
    ],
    ids=['no name', 'no such file', 'truncated'],
)
def test_a_recording_that_cannot_be_read_is_a_failed_configure(
    bench: Bench, tmp_path: Path, make: Any, match: str
) -> None:
    """In the words of the core; the node can be configured again with another."""
    node = bench.add(VideoSource, video=make(tmp_path))
    errors: list[str] = []
    node.get_logger().error = errors.append
    assert node.trigger_configure() == TransitionCallbackReturn.FAILURE
    assert errors[0].startswith('video_source not configured: ')
    assert match in errors[0]


def test_a_recording_that_was_cut_off_is_streamed_as_far_as_it_goes_and_told(bench: Bench, tmp_path: Path) -> None:
    """A real file without its end: the frames before it are used, and who looks at the diagnostics learns of it."""
    video = write_video(tmp_path / 'cut.mkv', np.random.default_rng(0).integers(0, 255, (40, 40, 60, 3), np.uint8))
    video.write_bytes(video.read_bytes()[: int(0.6 * video.stat().st_size)])
    start(bench, video=str(video))
    bench.until(lambda: 'planned' in bench.values('video_source'))
    bench.until(lambda: len(bench.heard['camera/image']) == bench.count('video_source', 'frames'))
    assert 15 < len(bench.heard['camera/image']) < 30
    assert 'cut short: the file says 4.9 s' in bench.values('video_source')['fault']


class Torn:
    """A recording whose child dies in the second stretch."""

    faults = ('3 frames left out',)

    def describe(self) -> str:
        return 'torn'

    def stretches(self, frames: int) -> Iterator[Footage]:
        yield Footage(np.arange(1, 6) * 10**8, shades(5), None, None)
        raise RecordingError('torn.mp4: expected a frame, got the end of the file')

    def close(self) -> None:
        pass


def test_a_recording_that_breaks_off_is_streamed_as_far_as_it_goes(bench: Bench) -> None:
    """What is there is used, and what happened is told."""
    start(bench, lambda config: Torn())
    bench.until(lambda: bench.values('video_source').get('planned') == '1')
    assert bench.values('video_source')['fault'] == 'torn.mp4: expected a frame, got the end of the file'
    assert bench.count('video_source', 'failed') == 0
    bench.until(lambda: len(bench.heard['camera/image']) == 5)


class Reset(Torn):
    """A recording whose clock begins anew with the second stretch."""

    def stretches(self, frames: int) -> Iterator[Footage]:
        for _ in range(2):
            yield Footage(np.arange(1, 6) * 10**8, shades(5), None, None)


def test_of_a_clock_that_begins_anew_the_first_run_is_streamed(bench: Bench) -> None:
    """A graph knows frames by their stamps: those of two runs are not both in it."""
    start(bench, lambda config: Reset(), video='reset')
    bench.until(lambda: bench.values('video_source').get('planned') == '1')
    assert 'reset: its clock goes back from 500000000 to 100000000 ns' in bench.values('video_source')['fault']
    bench.until(lambda: len(bench.heard['camera/image']) == 5)


def test_deactivated_it_stops_and_goes_on_with_the_next_stretch(bench: Bench, tmp_path: Path) -> None:
    """A stretch in progress ends where it is; the recording is not begun anew."""
    node = start(bench, video=str(rgbd(tmp_path / 'rgbd', 10)), rate=0.0001)
    bench.until(lambda: bench.heard['camera/image'])
    assert node.trigger_deactivate() == TransitionCallbackReturn.SUCCESS
    assert node.trigger_activate() == TransitionCallbackReturn.SUCCESS
    bench.until(lambda: len(bench.heard['camera/image']) >= 2)
    assert stamps(bench)[-1] >= 3_000_000_000 + 5 * 125_000_000
