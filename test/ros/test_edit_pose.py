"""The edit_pose action over real DDS, with a stand-in for the model: progress, results, cancel, refusals, the queue."""

from __future__ import annotations

import json
import threading
from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs ROS 2: source install/setup.bash')
pytest.importorskip('hoigen.msg', reason='needs the built messages: source install/setup.bash')

from action_msgs.msg import GoalStatus
from edit_bench import BEFORE, FRAMES, RESULTS, answer, client_of, editor, frames_of, pose, send, tell, up
from fake_graph import FakeInserter
from geometry_msgs.msg import PoseStamped
from ros_bench import DEADLINE_S, Bench, wait

from hoigen.action import EditPose
from hoigen.geometry.transforms import rigid
from hoigen.messages import decode
from hoigen.messages.encode import OPTICAL, WORLD
from hoigen.ros import convert


@pytest.mark.parametrize(
    ('message', 'reason', 'match'),
    [
        (
            pose(BEFORE, 'base_link'),
            'unknown frame',
            "'world' (the world) or 'camera_optical' (the camera), got 'base_",
        ),
        (
            pose(rigid(np.eye(3), np.array([0, 0, -0.6])), OPTICAL),
            'not placed',
            'expected the object before the',
        ),
        (pose(rigid(np.eye(3), np.array([9.0, 0, 0.6])), OPTICAL), 'not placed', 'inside the 60x40 picture'),
        (PoseStamped(header=convert.ENCODER.header(0, WORLD)), 'bad pose', 'a quaternion of norm 1, got'),
    ],
)
def test_a_pose_that_cannot_be_is_refused_with_its_reason(
    bench: Bench, message: PoseStamped, reason: str, match: str
) -> None:
    """On the stream: counted, logged, nothing published. As a goal: the reason is the result's message."""
    if reason == 'bad pose':
        message.pose.orientation.w = 0.5
    up(bench)
    node = editor(bench)
    errors: list[str] = []
    node.get_logger().error = errors.append
    tell(bench, node, message)
    send(bench, frames_of()[:1])
    bench.until(lambda: bench.count('pose_editor', f'refused: {reason}') == 1)
    assert match in errors[0]
    handle = answer(bench, client_of(bench).send_goal_async(EditPose.Goal(pose=message)))
    result = answer(bench, handle.get_result_async())
    assert result.status == GoalStatus.STATUS_ABORTED
    assert match in result.result.message
    assert not bench.heard['edit/image']


def test_the_action_edits_the_newest_frame_and_tells_progress_with_preview(bench: Bench) -> None:
    """A feedback for each step; picture, depth, mask and label in the result, and on the topics."""
    told: list[Any] = []  # rclpy drops feedback that the result overtakes
    up(bench, FakeInserter(after_step=lambda step: wait(lambda: len(told) == step)), automatic=False)
    frames = frames_of()
    send(bench, frames)
    bench.until(lambda: bench.count('pose_editor', 'received') == 5 * FRAMES)
    goal = EditPose.Goal(pose=pose(BEFORE, OPTICAL), seed=9, steps=4)
    handle = answer(bench, client_of(bench).send_goal_async(goal, lambda message: told.append(message.feedback)))
    result = answer(bench, handle.get_result_async())
    assert result.status == GoalStatus.STATUS_SUCCEEDED
    made = result.result
    assert made.success
    assert decode.stamp_ns(made.image.header) == frames[-1].stamp_ns
    np.testing.assert_allclose(decode.pose(made.object.pose), frames[-1].camera.T_world_cam @ BEFORE, atol=1e-9)
    assert decode.rgb(made.image)[0, 0, 0] == 9
    assert (json.loads(made.provenance)['seed'], json.loads(made.provenance)['config']['steps']) == (9, 4)
    assert [(f.step, f.steps) for f in told] == [(step, 4) for step in range(1, 5)]
    assert told[-1].eta_s == 0
    assert decode.rgb(told[0].preview).shape == (40, 60, 3)
    bench.until(lambda: all(len(bench.heard[name]) == 1 for name in RESULTS))
    assert bytes(bench.heard['edit/image'][0].data) == bytes(made.image.data)


def test_a_goal_names_its_frame_by_the_stamp(bench: Bench) -> None:
    """An older frame while it is kept; one that is not is refused with those that are."""
    up(bench, automatic=False, keep=3)
    client = client_of(bench)
    goal = EditPose.Goal(pose=pose(BEFORE, OPTICAL))
    nothing = answer(bench, answer(bench, client.send_goal_async(goal)).get_result_async())
    assert nothing.result.message == 'expected one of the 0 frames that are kept, none has come'
    frames = frames_of()
    send(bench, frames)
    bench.until(lambda: bench.count('pose_editor', 'received') == 5 * FRAMES)

    def result_of(stamp_ns: int) -> Any:
        asked = EditPose.Goal(pose=pose(BEFORE, OPTICAL, stamp_ns))
        return answer(bench, answer(bench, client.send_goal_async(asked)).get_result_async()).result

    assert decode.stamp_ns(result_of(frames[2].stamp_ns).image.header) == frames[2].stamp_ns
    refused = result_of(frames[1].stamp_ns)
    assert not refused.success
    assert f'{frames[2].stamp_ns} to {frames[4].stamp_ns} ns, got {frames[1].stamp_ns} ns' in refused.message


def test_a_cancelled_goal_ends_at_its_next_step(bench: Bench) -> None:
    """The status says so, nothing is published, and the node edits on."""
    go_on = threading.Event()
    up(bench, FakeInserter(after_step=lambda step: go_on.wait(DEADLINE_S)), automatic=False)
    send(bench, frames_of())
    bench.until(lambda: bench.count('pose_editor', 'received') == 5 * FRAMES)
    told: list[Any] = []
    client, goal = client_of(bench), EditPose.Goal(pose=pose(BEFORE, OPTICAL))
    handle = answer(bench, client.send_goal_async(goal, told.append))
    bench.until(lambda: told)
    answer(bench, handle.cancel_goal_async())
    go_on.set()
    result = answer(bench, handle.get_result_async())
    assert result.status == GoalStatus.STATUS_CANCELED
    assert (result.result.success, result.result.message) == (False, 'cancelled')
    assert not bench.heard['edit/image']
    goal.steps = 2
    again = answer(bench, client.send_goal_async(goal))
    assert answer(bench, again.get_result_async()).result.success


class Held(FakeInserter):
    """Waits in its first frame until it may go on."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on, self.begun = threading.Event(), threading.Event()

    def insert(self, *args: Any, **settings: Any) -> Any:
        self.begun.set()
        self.go_on.wait(DEADLINE_S)
        return super().insert(*args, **settings)


def test_when_it_cannot_keep_up_the_newest_frame_wins_and_a_goal_is_kept(bench: Bench) -> None:
    """A live camera does not wait: old frames are dropped and counted; what somebody asked for is not."""
    held = Held()
    up(bench, held, position=[0.0, 0.0, 0.6], frame='camera', queue=2)
    frames = frames_of()
    send(bench, frames[:1])
    bench.until(held.begun.is_set)
    client = client_of(bench)
    goal = EditPose.Goal(pose=pose(BEFORE, OPTICAL), seed=5)
    handle = answer(bench, client.send_goal_async(goal))
    bench.until(lambda: int(bench.values('pose_editor').get('queue', 0)) == 1)
    send(bench, frames[1:])
    bench.until(lambda: bench.count('pose_editor', 'refused: too slow') == 3)
    held.go_on.set()
    assert answer(bench, handle.get_result_async()).result.success
    bench.until(lambda: len(bench.heard['edit/image']) == 3)
    assert {asked['seed'] for asked in held.asked} == {0, 5}
    stamps = [decode.stamp_ns(message.header) for message in bench.heard['edit/image']]
    assert sorted(stamps) == [frames[0].stamp_ns, frames[0].stamp_ns, frames[-1].stamp_ns]


def test_a_goal_out_of_range_is_rejected(bench: Bench) -> None:
    """The log names the field; every seed is one."""
    inserter = up(bench, automatic=False)
    node = editor(bench)
    errors: list[str] = []
    node.get_logger().error = errors.append
    send(bench, frames_of())
    bench.until(lambda: bench.count('pose_editor', 'received') == 5 * FRAMES)
    client, asked = client_of(bench), pose(BEFORE, OPTICAL)
    for steps in (1001, 2**32 - 1):
        assert not answer(bench, client.send_goal_async(EditPose.Goal(pose=asked, steps=steps))).accepted
        assert 'steps: expected [0, 1000]' in errors[-1]
    handle = answer(bench, client.send_goal_async(EditPose.Goal(pose=asked, steps=1000, seed=2**64 - 1)))
    assert answer(bench, handle.get_result_async()).result.success
    assert [(made['steps'], made['seed']) for made in inserter.asked] == [(1000, 2**64 - 1)]


def test_a_model_that_raises_fails_its_frame_only(bench: Bench) -> None:
    """The error names the frame and the reason; the worker lives on. A goal's failure is not the node's."""

    class Picky(FakeInserter):
        def insert(self, *args: Any, **settings: Any) -> Any:
            if settings['seed'] == 1:
                raise RuntimeError('no memory left')
            return super().insert(*args, **settings)

    up(bench, Picky(), automatic=False)
    frames = frames_of()
    send(bench, frames)
    bench.until(lambda: bench.count('pose_editor', 'received') == 5 * FRAMES)
    client = client_of(bench)
    for seed, success in ((1, False), (0, True)):
        goal = EditPose.Goal(pose=pose(BEFORE, OPTICAL), seed=seed)
        result = answer(bench, answer(bench, client.send_goal_async(goal)).get_result_async()).result
        assert result.success == success
    bench.until(lambda: bench.count('pose_editor', 'refused: goal not done') == 1)
    bench.until(lambda: len(bench.heard['edit/image']) == 1)
    assert bench.count('pose_editor', 'failed') == 0
