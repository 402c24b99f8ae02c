"""What the tests of pose_editor share: a moving scene before a wall, the node with a stand-in, poses and goals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from fake_graph import FakeInserter, fake_subject
from geometry_msgs.msg import PoseStamped
from rclpy.action import ActionClient
from ros_bench import START_NS, Bench, scene

from hoigen.action import EditPose
from hoigen.geometry.transforms import rigid
from hoigen.messages import decode
from hoigen.records import SceneFrame
from hoigen.ros import convert
from hoigen.ros.nodes.pose_editor import PoseEditor

FRAMES = 5
CHOSEN = ['camera/image', 'camera/camera_info', 'camera/depth', 'camera/pose', 'labels']
RESULTS = ('edit/image', 'edit/depth', 'edit/mask', 'edit/object', 'edit/labels')
BEFORE = rigid(np.eye(3), np.array([0.0, 0.0, 0.6]))
"""In a camera's optical frame: before it."""


def frames_of(episode: int = 0, depth_m: float = 2.0) -> list[SceneFrame]:
    """The moving scene before a wall, under stamps of its own."""
    start_ns = START_NS + episode * 10**9
    return [
        replace(frame, stamp_ns=start_ns + frame.stamp_ns, depth_m=np.full(frame.rgb.shape[:2], depth_m, np.float32))
        for frame in scene(episode)[1]
    ]


def send(
    bench: Bench, frames: list[SceneFrame], change: Callable[[dict[str, Any]], None] = lambda messages: None
) -> None:
    for frame in frames:
        messages = convert.ENCODER.frame(frame, frame.stamp_ns)
        change(messages)
        bench.send(messages)


def up(bench: Bench, inserter: FakeInserter | None = None, **parameters: Any) -> FakeInserter:
    inserter = inserter or FakeInserter()
    bench.up(PoseEditor, lambda config: (inserter, fake_subject()), **{'inputs': CHOSEN, 'queue': 64} | parameters)
    return inserter


def editor(bench: Bench) -> PoseEditor:
    """The node that is up."""
    return next(node for node in bench.executor.get_nodes() if isinstance(node, PoseEditor))


def pose(T: np.ndarray, frame_id: str, stamp_ns: int = 0) -> PoseStamped:
    return PoseStamped(header=convert.ENCODER.header(stamp_ns, frame_id), pose=convert.ENCODER.pose(T))


def head(message: Any, frame_id: str) -> Any:
    return convert.ENCODER.header(decode.stamp_ns(message.header), frame_id)


def tell(bench: Bench, node: PoseEditor, message: PoseStamped) -> None:
    """Publish a pose and wait until the node has it."""
    before = node.diagnostics._counts['received']
    bench.publisher('edit/pose').publish(message)
    bench.until(lambda: node.diagnostics._counts['received'] > before)


def client_of(bench: Bench) -> Any:
    client = ActionClient(bench.io, EditPose, 'edit_pose')
    bench.until(client.server_is_ready)
    return client


def answer(bench: Bench, future: Any) -> Any:
    bench.until(future.done)
    return future.result()
