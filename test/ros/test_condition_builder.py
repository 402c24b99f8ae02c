"""condition_builder alone, over real DDS: its conditions are the core's, and bad input costs only itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs ROS 2: source install/setup.bash')
pytest.importorskip('hoigen.msg', reason='needs the built messages: source install/setup.bash')

import slips
from ros_bench import START_NS, Bench, scene
from synthetic_scene import moving_scene

from hoigen.conditioning import ConditioningConfig, build_clip
from hoigen.messages import decode
from hoigen.records import Camera, MeshAsset, SceneFrame
from hoigen.ros import convert
from hoigen.ros.nodes.condition_builder import ConditionBuilder
from hoigen.sources.streams.beside import Beside

POINTS = {'points': 500, 'tracks': 40}


def stamps(messages: list[Any]) -> list[int]:
    return [decode.stamp_ns(message.header) - START_NS for message in messages]


def test_conditions_are_those_of_the_core(bench: Bench) -> None:
    """Every topic carries each frame once, with the source's stamp and the very points that the core gives."""
    bench.up(ConditionBuilder, **POINTS)
    frames = bench.send_scene()
    bench.until(
        lambda: all(
            len(bench.heard[f'condition/{name}']) == len(frames) for name in ('points', 'tracks', 'mask', 'depth')
        )
    )
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
    messages['mesh_frame'] = convert.ENCODER.mesh_frame(bad, messages['mesh_frame'].header)


def unknown_asset(messages: dict[str, Any], frame: SceneFrame) -> None:
    messages['mesh_frame'].ids.append('spoon')
    messages['mesh_frame'].poses.append(messages['mesh_frame'].poses[0])


def smaller_camera(messages: dict[str, Any], frame: SceneFrame) -> None:
    camera = frame.camera
    small = Camera(camera.K, camera.width - 8, camera.height - 8, camera.T_world_cam)
    shown = replace(frame, camera=small, rgb=frame.rgb[:-8, :-8].copy(), depth_m=None)
    messages.update(convert.ENCODER.frame(shown, decode.stamp_ns(messages['labels'].header)))


def image_of_another_size(messages: dict[str, Any], frame: SceneFrame) -> None:
    messages['camera/image'] = convert.ENCODER.image(frame.rgb[:-8], messages['camera/image'].header)


FAULTS: dict[Callable[..., None], str] = {
    nan_vertex: 'palm',
    unknown_asset: 'spoon',
    smaller_camera: 'camera',
    image_of_another_size: 'rgb',
}


@pytest.mark.parametrize('fault', FAULTS, ids=lambda fault: fault.__name__)
def test_a_bad_frame_is_refused_and_the_stream_goes_on(bench: Bench, fault: Callable[..., None]) -> None:
    """One error that names the fault, one count, and all other frames conditioned."""
    node = bench.up(ConditionBuilder, **POINTS)
    errors = capture_errors(node)
    assets, frames = scene()
    bench.send_assets(assets)
    for number, frame in enumerate(frames):
        messages = convert.ENCODER.frame(frame, START_NS + frame.stamp_ns)
        if number == 2:
            fault(messages, frame)
        bench.send(messages)
    bench.until(lambda: bench.count('condition_builder', 'refused: bad frame') == 1)
    bench.until(lambda: len(bench.heard['condition/points']) == len(frames) - 1)
    assert stamps(bench.heard['condition/points']) == [f.stamp_ns for f in frames if f is not frames[2]]
    assert len(errors) == 1
    assert FAULTS[fault] in errors[0]


def send_frames(bench: Bench, assets: Sequence[MeshAsset], frames: Sequence[SceneFrame], episode: int = 0) -> None:
    """Send an episode in which nothing lacks; the depth first, as a camera does."""
    start_ns = START_NS + episode * 10**9
    bench.send_assets(tuple(assets), start_ns)
    for frame in frames:
        messages = convert.ENCODER.frame(
            replace(frame, labels=replace(frame.labels, episode=episode)), start_ns + frame.stamp_ns
        )
        bench.send(messages)


@pytest.mark.parametrize(
    'slip', [slips.opengl_camera, slips.millimetres, slips.image_upside_down], ids=lambda slip: slip.__name__
)
def test_an_episode_whose_images_do_not_show_its_meshes_is_refused(bench: Bench, slip: Callable[..., Any]) -> None:
    """Every frame of it, with the slip by its name; the next episode is conditioned, and its agreement is told."""
    node = bench.up(ConditionBuilder, **POINTS)
    errors = capture_errors(node)
    assets, frames = moving_scene(5, 0.05, 96, 64)
    send_frames(bench, *slip(assets, frames))
    bench.until(lambda: bench.count('condition_builder', 'refused: source mismatch') == len(frames))
    send_frames(bench, assets, frames, 1)
    bench.until(lambda: len(bench.heard['condition/points']) == len(frames))
    assert slips.NAMED[slip] in errors[0]
    bench.until(lambda: 'hand 1.00' in bench.values('condition_builder').get('source_check', ''))


def test_a_role_without_meshes_is_a_warning(bench: Bench) -> None:
    """The episode is conditioned, and the status says what to look at."""
    bench.up(ConditionBuilder, min_agreement=0.0, **POINTS)
    send_frames(bench, *slips.no_hand(*moving_scene(5, 0.05, 96, 64)))
    bench.until(lambda: len(bench.heard['condition/points']) == 5)
    bench.until(lambda: 'mesh_assets: no mesh of role hand' in bench.message('condition_builder'))


def test_a_depth_that_does_not_lie_on_the_image_is_not_used(bench: Bench) -> None:
    """A depth camera's own size: the source is good, its depth says nothing of it, and the status says why."""
    bench.up(ConditionBuilder, **POINTS)
    assets, frames = scene()
    bench.send_assets(assets)
    for frame in frames:
        messages = convert.ENCODER.frame(frame, START_NS + frame.stamp_ns)
        messages['camera/depth'] = convert.ENCODER.image(frame.depth_m[:-8], messages['camera/image'].header)
        bench.send(messages)
    bench.until(lambda: len(bench.heard['condition/points']) == len(frames))
    bench.until(lambda: 'depth_m: expected' in bench.values('condition_builder').get('depth_not_used', ''))
    assert bench.count('condition_builder', 'refused') == 0


def test_depth_goes_with_the_frame_of_its_stamp_or_with_none() -> None:
    """Before or after it; what is lost, left over or of the run before is never given to another frame."""
    given: list[tuple[int, str, str | None]] = []
    beside = Beside(lambda *row: given.append(row))
    beside.add(10, 'depth 10')
    beside.frame(10, 'a', wait=True)
    beside.frame(20, 'b', wait=True)
    assert given == [(10, 'a', 'depth 10')]
    beside.add(20, 'depth 20')
    beside.frame(30, 'c', wait=True)  # its depth is lost
    beside.frame(40, 'd', wait=False)
    beside.add(40, 'too late')
    beside.add(60, 'never used')
    beside.frame(10, 'of the next run', wait=False)
    beside.frame(60, 'of the next run', wait=False)
    assert given[1:] == [
        (20, 'b', 'depth 20'),
        (30, 'c', None),
        (40, 'd', None),
        (10, 'of the next run', None),
        (60, 'of the next run', None),
    ]


def test_depth_that_has_no_frame_is_forgotten() -> None:
    given: list[int | None] = []
    beside = Beside(lambda stamp_ns, item, message: given.append(message))
    for stamp in range(100, 200):
        beside.add(stamp, stamp)
    for stamp in (100, 199):
        beside.frame(stamp, None, wait=False)
    assert given == [None, 199]


def test_a_stamp_that_goes_back_is_refused(bench: Bench) -> None:
    """An old frame between good ones is counted by its reason and does not disturb them."""
    bench.up(ConditionBuilder, **POINTS)
    assets, frames = scene()
    bench.send_assets(assets)
    for frame, stamp_ns in zip(frames[:4], (0, 100, 50, 200), strict=True):
        bench.send(convert.ENCODER.frame(frame, START_NS + stamp_ns))
    bench.until(lambda: bench.count('condition_builder', 'refused: stamp goes back') == 1)
    bench.until(lambda: stamps(bench.heard['condition/points']) == [0, 100, 200])


def test_an_episode_with_an_empty_mesh_is_refused_and_the_next_goes_on(bench: Bench) -> None:
    """A bad mesh table is one clear error; its frames are not conditioned on the table of the episode before."""
    node = bench.up(ConditionBuilder, **POINTS)
    errors = capture_errors(node)
    assets, frames = scene()
    table = convert.ENCODER.assets(assets, START_NS)
    table.assets[1].vertices = []
    table.assets[1].triangles = []
    bench.send_scene(0, START_NS - 10**9)
    bench.send({'mesh_assets': table})
    for frame in scene(1)[1]:
        bench.send(convert.ENCODER.frame(frame, START_NS + frame.stamp_ns))
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
        messages = convert.ENCODER.frame(frame, START_NS + frame.stamp_ns)
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
        bench.send(convert.ENCODER.frame(frame, START_NS + frame.stamp_ns))
    bench.until(lambda: bench.count('condition_builder', 'refused: no assets') == 5)
    bench.send_scene(1, START_NS + 10**9)
    bench.until(lambda: len(bench.heard['condition/points']) == 5)


def test_a_best_effort_publisher_is_heard_when_asked_for(bench: Bench) -> None:
    """A foreign camera with sensor-data QoS connects only to input_reliability best_effort."""
    from hoigen.ros import qos, topics

    node = bench.add(ConditionBuilder, input_reliability='best_effort')
    node.trigger_configure()
    node.trigger_activate()
    publisher = bench.io.create_publisher(topics.IMAGE.type, 'camera/image', qos.STREAM_BEST_EFFORT)
    bench.until(lambda: publisher.get_subscription_count() == 1)


def capture_errors(node: Any) -> list[str]:
    """What the node logs as errors from here on."""
    errors: list[str] = []
    node.get_logger().error = errors.append
    return errors
