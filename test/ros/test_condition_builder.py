"""condition_builder alone, over real DDS: its conditions are the core's, and bad input costs only itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs ROS 2: source install/setup.bash')
pytest.importorskip('hoigen.msg', reason='needs the built messages: source install/setup.bash')

from ros_bench import START_NS, Bench, scene

from hoigen import decode
from hoigen.conditioning import ConditioningConfig, build_clip
from hoigen.records import Camera, SceneFrame
from hoigen.ros import convert
from hoigen.ros.nodes.condition_builder import ConditionBuilder

POINTS = {'points': 500, 'tracks': 40}


def stamps(messages: list[Any]) -> list[int]:
    return [decode.stamp_ns(message.header) - START_NS for message in messages]


def test_conditions_are_those_of_the_core(bench: Bench) -> None:
    """Every topic carries each frame once, with the source's stamp and the very points that the core gives."""
    bench.up(ConditionBuilder, **POINTS)
    frames = bench.send_scene()
    bench.until(lambda: all(len(bench.heard[f'condition/{name}']) == len(frames)
                            for name in ('points', 'tracks', 'mask', 'depth')))
    clip = build_clip(scene()[0], frames, ConditioningConfig(**POINTS))
    assert stamps(bench.heard['condition/points']) == [frame.stamp_ns for frame in frames]
    for row, message in enumerate(bench.heard['condition/points']):
        cloud = decode.cloud(message)
        np.testing.assert_array_equal(np.stack([cloud[axis] for axis in 'xyz'], -1), clip.points[row])
    np.testing.assert_array_equal(decode.mask(bench.heard['condition/mask'][-1]), clip.mask[-1])


def nan_vertex(messages: dict[str, Any], frame: SceneFrame) -> None:
    vertices = np.full((8, 3), 0.1, np.float32)
    vertices[3, 1] = np.nan
    poses = {name: pose for name, pose in frame.poses.items() if name != 'palm'}
    bad = object.__new__(SceneFrame)  # no record holds this
    vars(bad).update(vars(frame) | {'poses': poses, 'vertices': {'palm': vertices}})
    messages['mesh_frame'] = convert.mesh_frame_to_msg(bad, messages['mesh_frame'].header)


def unknown_asset(messages: dict[str, Any], frame: SceneFrame) -> None:
    messages['mesh_frame'].ids.append('spoon')
    messages['mesh_frame'].poses.append(messages['mesh_frame'].poses[0])


def smaller_camera(messages: dict[str, Any], frame: SceneFrame) -> None:
    camera = frame.camera
    small = Camera(camera.K, camera.width - 8, camera.height - 8, camera.T_world_cam)
    shown = replace(frame, camera=small, rgb=frame.rgb[:-8, :-8].copy(), depth_m=None)
    messages.update(convert.frame_to_msgs(shown, decode.stamp_ns(messages['labels'].header)))


def image_of_another_size(messages: dict[str, Any], frame: SceneFrame) -> None:
    messages['camera/image'] = convert.image_to_msg(frame.rgb[:-8], messages['camera/image'].header)


FAULTS: dict[Callable[..., None], str] = {nan_vertex: 'palm', unknown_asset: 'spoon', smaller_camera: 'camera',
                                          image_of_another_size: 'rgb'}


@pytest.mark.parametrize('fault', FAULTS, ids=lambda fault: fault.__name__)
def test_a_bad_frame_is_refused_and_the_stream_goes_on(bench: Bench, fault: Callable[..., None]) -> None:
    """One error that names the fault, one count, and all other frames conditioned."""
    node = bench.up(ConditionBuilder, **POINTS)
    errors = capture_errors(node)
    assets, frames = scene()
    bench.send_assets(assets)
    for number, frame in enumerate(frames):
        messages = convert.frame_to_msgs(frame, START_NS + frame.stamp_ns)
        if number == 2:
            fault(messages, frame)
        bench.send(messages)
    bench.until(lambda: bench.count('condition_builder', 'refused: bad frame') == 1)
    bench.until(lambda: len(bench.heard['condition/points']) == len(frames) - 1)
    assert stamps(bench.heard['condition/points']) == [f.stamp_ns for f in frames if f is not frames[2]]
    assert len(errors) == 1
    assert FAULTS[fault] in errors[0]


def test_a_stamp_that_goes_back_is_refused(bench: Bench) -> None:
    """An old frame between good ones is counted by its reason and does not disturb them."""
    bench.up(ConditionBuilder, **POINTS)
    assets, frames = scene()
    bench.send_assets(assets)
    for frame, stamp_ns in zip(frames[:4], (0, 100, 50, 200), strict=True):
        bench.send(convert.frame_to_msgs(frame, START_NS + stamp_ns))
    bench.until(lambda: bench.count('condition_builder', 'refused: stamp goes back') == 1)
    bench.until(lambda: stamps(bench.heard['condition/points']) == [0, 100, 200])


def test_an_episode_with_an_empty_mesh_is_refused_and_the_next_goes_on(bench: Bench) -> None:
    """A bad mesh table is one clear error; its frames are not conditioned on the table of the episode before."""
    node = bench.up(ConditionBuilder, **POINTS)
    errors = capture_errors(node)
    assets, frames = scene()
    table = convert.assets_to_msg(assets, START_NS)
    table.assets[1].vertices = []
    table.assets[1].triangles = []
    bench.send_scene(0, START_NS - 10**9)
    bench.send({'mesh_assets': table})
    for frame in scene(1)[1]:
        bench.send(convert.frame_to_msgs(frame, START_NS + frame.stamp_ns))
    bench.send_scene(2, START_NS + 10**9)
    bench.until(lambda: bench.count('condition_builder', 'refused: no assets') == len(frames))
    bench.until(lambda: len(bench.heard['condition/points']) == 2 * len(frames))
    assert bench.count('condition_builder', 'refused: bad assets') == 1
    assert table.assets[1].id in errors[0]


def test_a_frame_without_its_image_is_reported_when_the_next_is_whole(bench: Bench) -> None:
    """The unmatched stamp is counted with the topics that it lacks; nothing waits for it."""
    node = bench.up(ConditionBuilder, **POINTS)
    errors = capture_errors(node)
    assets, frames = scene()
    bench.send_assets(assets)
    for number, frame in enumerate(frames):
        messages = convert.frame_to_msgs(frame, START_NS + frame.stamp_ns)
        if number == 1:
            del messages['camera/image']
        bench.send(messages)
    bench.until(lambda: len(bench.heard['condition/points']) == len(frames) - 1)
    bench.until(lambda: bench.count('condition_builder', 'refused: unmatched stamp') == 1)
    assert "['camera/image']" in errors[0]


def test_frames_before_any_mesh_table_are_refused(bench: Bench) -> None:
    """No conditions without geometry; the next episode, which has it, is conditioned."""
    bench.up(ConditionBuilder, **POINTS)
    for frame in scene()[1]:
        bench.send(convert.frame_to_msgs(frame, START_NS + frame.stamp_ns))
    bench.until(lambda: bench.count('condition_builder', 'refused: no assets') == 5)
    bench.send_scene(1, START_NS + 10**9)
    bench.until(lambda: len(bench.heard['condition/points']) == 5)


def test_a_best_effort_publisher_is_heard_when_asked_for(bench: Bench) -> None:
    """A foreign camera with sensor-data QoS connects only to input_reliability best_effort."""
    from hoigen.ros import qos, topics

    node = bench.add(ConditionBuilder, input_reliability='best_effort')
    node.trigger_configure()
    publisher = bench.io.create_publisher(topics.IMAGE.type, 'camera/image', qos.STREAM_BEST_EFFORT)
    bench.until(lambda: publisher.get_subscription_count() == 1)


def capture_errors(node: Any) -> list[str]:
    """What the node logs as errors from here on."""
    errors: list[str] = []
    node.get_logger().error = errors.append
    return errors
