"""What all nodes share: nothing is heard while inactive, no thread outlives a node, diagnostics tell the state."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2: source install/setup.bash')
pytest.importorskip('hoigen.msg', reason='needs the built messages: source install/setup.bash')

from rclpy.lifecycle import TransitionCallbackReturn
from ros_bench import DEADLINE_S, START_NS, Bench, scene
from test_topics import NODES

from hoigen.ros import convert, diagnostics, topics
from hoigen.ros.nodes.base import ManagedNode


def make(bench: Bench, name: str, tmp_path: Path) -> ManagedNode[Any]:
    return bench.add(NODES[name], **({'out': str(tmp_path)} if name == topics.RECORDER else {}))


def workers() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.endswith('-worker')]


@pytest.mark.parametrize('end', ['trigger_cleanup', 'trigger_shutdown', 'destroy_node'])
@pytest.mark.parametrize('name', NODES)
def test_no_thread_outlives_a_node(bench: Bench, tmp_path: Path, name: str, end: str) -> None:
    """However it ends: cleaned up, shut down or destroyed while active, as Ctrl-C does."""
    node = make(bench, name, tmp_path)
    node.trigger_configure()
    node.trigger_activate()
    assert workers() == [f'{name}-worker']
    if end == 'trigger_cleanup':
        node.trigger_deactivate()
    getattr(node, end)()
    assert not workers()


@pytest.mark.parametrize('name', NODES)
def test_a_node_can_be_brought_down_and_up_again(bench: Bench, tmp_path: Path, name: str) -> None:
    """Twice the whole lifecycle, with nothing left behind that would stop the second."""
    node = make(bench, name, tmp_path)
    for transition in ('configure', 'activate', 'deactivate', 'activate', 'deactivate', 'cleanup') * 2:
        assert getattr(node, f'trigger_{transition}')() == TransitionCallbackReturn.SUCCESS
    assert not workers()


def test_an_inactive_node_hears_nothing_but_the_mesh_table(bench: Bench, tmp_path: Path) -> None:
    """It does not even subscribe: who counts readers knows when to begin. The table is latched and comes once: it is
    kept for when the node is active."""
    node = make(bench, topics.BUILDER, tmp_path)
    node.trigger_configure()
    bench._publishers['mesh_assets'] = bench.io.create_publisher(
        topics.MESH_ASSETS.type, topics.MESH_ASSETS.name, topics.MESH_ASSETS.qos
    )
    bench.send_assets(scene()[0])
    bench.until(lambda: bench.count(topics.BUILDER, 'received') == 1)
    assert not any(bench.io.count_subscribers(topic.name) for topic in topics.SCENE_PARTS)
    for _ in range(2):
        node.trigger_activate()
        bench.connect(topics.BUILDER)
        node.trigger_deactivate()
        bench.until(lambda: not any(bench.io.count_subscribers(topic.name) for topic in topics.SCENE_PARTS))
    node.trigger_activate()
    bench.connect(topics.BUILDER)
    for frame in scene()[1]:
        bench.send(convert.ENCODER.frame(frame, START_NS + frame.stamp_ns + 1))
    bench.until(lambda: len(bench.heard['condition/points']) == 5)


def test_diagnostics_tell_state_age_counts_and_latency(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once a second, from the first moment on; STALE when the input has stopped."""
    from diagnostic_msgs.msg import DiagnosticStatus

    monkeypatch.setattr(diagnostics, 'STALE_S', DEADLINE_S)
    node = make(bench, topics.BUILDER, tmp_path)
    bench.until(lambda: bench.values(topics.BUILDER).get('state') == 'inactive')
    assert bench.values(topics.BUILDER)['input_age_s'] == 'none yet'
    node.trigger_configure()
    node.trigger_activate()
    bench.connect(topics.BUILDER)
    bench.send_scene()
    bench.until(lambda: bench.count(topics.BUILDER, 'frames') == bench.count(topics.BUILDER, 'condition') == 5)
    bench.until(lambda: bench.values(topics.BUILDER)['queue'] == '0')
    values = bench.values(topics.BUILDER)
    assert (values['state'], values['received'], values['refused']) == ('active', '31', '0')
    assert float(values['condition_ms']) > 0
    assert bench.status[topics.BUILDER].level == DiagnosticStatus.OK
    monkeypatch.setattr(diagnostics, 'STALE_S', 0.1)
    bench.until(lambda: bench.status[topics.BUILDER].level == DiagnosticStatus.STALE)
    assert float(bench.values(topics.BUILDER)['input_age_s']) > 0.1


def test_a_refusal_that_repeats_is_counted_exactly_and_logged_once(bench: Bench, tmp_path: Path) -> None:
    """A stream that is bad throughout does not flood the log, and another reason is still logged at once."""
    node = make(bench, topics.BUILDER, tmp_path)
    errors: list[str] = []
    node.get_logger().error = errors.append
    for number in range(50):
        node.diagnostics.refuse('bad frame', f'number {number}')
    node.diagnostics.refuse('no assets', 'none')
    assert errors == ['refused, bad frame: number 0', 'refused, no assets: none']
    bench.until(lambda: bench.count(topics.BUILDER, 'refused: bad frame') == 50)
    assert bench.count(topics.BUILDER, 'refused') == 51
