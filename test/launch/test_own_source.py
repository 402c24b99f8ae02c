"""`hoigen up own_source`: the source of the docs, run as it stands there, and what is said of one that is awaited."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs ROS 2: source install/setup.bash')
pytest.importorskip('hoigen.msg', reason='needs the built messages: source install/setup.bash')

import rclpy
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from ros_domain import own_domain
from sensor_msgs.msg import CompressedImage
from up_job import DEADLINE_S, Job, wait

from hoigen.episodes import EpisodeReader
from hoigen.ros import dds, topics
from hoigen.ros.awaited import Awaited

SOURCE = re.findall(r'```python\n(.*?)```', (Path(__file__).parents[2] / 'docs/your_source.md').read_text(), re.DOTALL)


def test_the_source_of_the_docs_makes_whole_episodes(job: Callable[..., Job], tmp_path: Path) -> None:
    """Not a line more than a reader copies: its names of frames, its stamps and its labels are in the bags."""
    [source] = SOURCE
    assert source.count('\n') <= 60
    script = tmp_path / 'my_source.py'
    script.write_text(source)
    running = job('--episodes', '2', '--min-fidelity', '0', graph='own_source')
    running.until_printed(f'waiting for {running.namespace}/labels: expected a publisher of hoigen/msg/Labels, got no')
    mine = subprocess.Popen(
        [sys.executable, str(script), '--ros-args', '-r', f'__ns:={running.namespace}'],
        env=os.environ | dds.environment() | {'ROS_DOMAIN_ID': own_domain()},
    )
    try:
        assert running.status() == 0, running.printed
        assert mine.wait(DEADLINE_S) == 0
    finally:
        mine.kill()
    assert 'the source is there: its episodes are recorded as they come\n' in running.printed
    assert 'refuses input' not in running.printed
    for episode in range(2):
        with EpisodeReader(running.out / f'episode_{episode:04d}') as reader:
            assert not reader.faults()
            clip: Any = reader.clip()
            assert reader.generated() is not None
            frames = {message.header.frame_id for _, message in reader.messages('/condition/points')}
        assert frames == {'lab'}
        assert clip.stamps_ns[-1] == 10**9 * (1 + 10 * episode) + 2 * 10**9
        assert [(labels.episode, labels.frame, labels.last) for labels in clip.labels[-2:]] == [
            (episode, 15, False),
            (episode, 16, True),
        ]
        np.testing.assert_allclose(clip.labels[8].T_world_object[:3, 3], [0, 0.02 * episode, 0.09], atol=1e-6)
        assert {1, 2} <= set(np.unique(clip.mask[8]))
        red = (clip.rgb[8] == (180, 40, 40)).all(-1)
        assert (clip.mask[8][red] == 2).mean() > 0.5  # what the source shows is where its geometry says


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """A reader and a source, each with a DDS participant of its own."""
    for name, value in (dds.environment() | {'ROS_DOMAIN_ID': own_domain()}).items():
        monkeypatch.setenv(name, value)
    contexts = [rclpy.Context(), rclpy.Context()]
    for context in contexts:
        rclpy.init(context=context, args=[])
    yield [
        rclpy.create_node(name, namespace=f'/awaited_{os.getpid()}', context=context)
        for name, context in zip(('reader', 'mine'), contexts, strict=True)
    ]
    for context in contexts:
        context.shutdown()


def test_what_is_waited_for_is_named_with_the_reason(nodes: list[Any]) -> None:
    """Nobody, under another name, of another type, or with a quality of service that a reader does not hear."""
    node, source = nodes
    for topic in (topics.MESH_ASSETS, *topics.SCENE_PARTS):
        node.create_subscription(topic.type, topic.name, print, topic.reader_qos('reliable'))
    source.create_publisher(topics.LABELS.type, 'my_labels', topics.LABELS.qos)
    source.create_publisher(CompressedImage, 'camera/image', topics.IMAGE.qos)
    source.create_publisher(
        topics.CAMERA_POSE.type, 'camera/pose', QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
    )
    source.create_publisher(
        topics.MESH_ASSETS.type, 'mesh_assets', QoSProfile(depth=1, durability=DurabilityPolicy.VOLATILE)
    )
    source.create_publisher(topics.MESH_FRAME.type, 'mesh_frame', topics.MESH_FRAME.qos)
    awaited, name = Awaited(node, ['reader']), node.get_namespace()
    wanted = {
        f'{name}/mesh_assets: expected transient local durability (latched), got a publisher that is volatile, of node '
        'mine',
        f'{name}/camera/image: expected sensor_msgs/msg/Image, got sensor_msgs/msg/CompressedImage of node mine',
        f'waiting for {name}/camera/camera_info: expected a publisher of sensor_msgs/msg/CameraInfo, got none',
        f'{name}/camera/pose: expected reliable, or input_reliability best_effort, got a publisher that is best effort'
        ', of node mine',
        f'waiting for {name}/labels: expected a publisher of hoigen/msg/Labels, got none; there is one on '
        f'{name}/my_labels: remap it to labels',
    }
    wait(lambda: set(awaited.notices({})) == wanted)
    told = {'condition_builder': {'refusal': 'bad frame: frame 3'}, 'synthesizer': {'failed': '0'}}
    assert 'condition_builder refuses input, bad frame: frame 3' in awaited.notices(told)
    told['condition_builder']['refusal'] = 'bad frame: frame 4'
    assert {line for line in awaited.notices(told) if 'refuses' in line} == {
        'condition_builder refuses input, bad frame: frame 3'
    }
