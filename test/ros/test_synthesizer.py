"""synthesizer alone, over real DDS: automatic mode, the action, and what it refuses."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs ROS 2: source install/setup.bash')
pytest.importorskip('hoigen.msg', reason='needs the built messages: source install/setup.bash')

from action_msgs.msg import GoalStatus
from fake_graph import FakeGenerator
from PIL import Image
from rclpy.action import ActionClient
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.parameter import Parameter
from restyled import restyled
from ros_bench import DEADLINE_S, START_NS, Bench, scene, wait

from hoigen.action import Synthesize
from hoigen.conditioning import ClipBuilder, ConditioningConfig, build_clip
from hoigen.messages import decode
from hoigen.records import EpisodeState, EpisodeStatus
from hoigen.ros import convert, topics
from hoigen.ros.nodes.synthesizer import Synthesizer
from hoigen.ros.options.synthesizer import SynthesizerOptions
from hoigen.video.faithful import clip_seed, seed_of_try
from hoigen.video.sampling import Sampling

FRAMES = 5
PER_FRAME = ('synth/image', 'synth/camera_info', 'synth/fidelity', 'synth/labels')
REJECTED = tuple(topic.name for topic in topics.REJECTED)


def statuses(bench: Bench) -> list[EpisodeStatus]:
    return [decode.episode_status(message) for message in bench.heard['episode_status']]


def send_conditioned(
    bench: Bench,
    episode: int = 0,
    skip: Iterable[int] = (),
    T_cam_published: np.ndarray | None = None,
    length: int = FRAMES,
) -> None:
    """Send scene and conditions of an episode, as source and condition_builder do; the camera pose in another frame."""
    assets, frames = scene(episode, length)
    if T_cam_published is not None:
        frames = [
            replace(f, camera=replace(f.camera, T_world_cam=f.camera.T_world_cam @ T_cam_published)) for f in frames
        ]
    builder = ClipBuilder(assets, ConditioningConfig(points=300, tracks=20, min_agreement=0.0))
    start_ns = START_NS + episode * 10**9
    for number, frame in enumerate(frames):
        row = builder.add(frame)
        messages = convert.ENCODER.frame(frame, start_ns + frame.stamp_ns) | convert.ENCODER.conditions(row)
        for name, message in messages.items():
            if name.startswith('condition/'):
                message.header.stamp = messages['labels'].header.stamp
        if number not in skip:
            bench.send(messages)


def pictures(bench: Bench) -> list[np.ndarray]:
    return [decode.rgb(message) for message in bench.heard['synth/image']]


def client_of(bench: Bench) -> Any:
    client = ActionClient(bench.io, Synthesize, 'synthesize')
    bench.until(client.server_is_ready)
    return client


def answer(bench: Bench, future: Any) -> Any:
    bench.until(future.done)
    return future.result()


def test_every_finished_episode_is_generated_with_the_scenes_stamps_and_labels(bench: Bench) -> None:
    """Automatic mode: no clip is lost, and each frame carries stamp, labels and camera size of its own."""
    bench.up(Synthesizer, lambda config: FakeGenerator())
    for episode in range(3):
        send_conditioned(bench, episode)
    bench.until(lambda: all(len(bench.heard[name]) == 3 * FRAMES for name in PER_FRAME))
    want = [START_NS + episode * 10**9 + frame.stamp_ns for episode in range(3) for frame in scene()[1]]
    for name in PER_FRAME:
        assert [decode.stamp_ns(message.header) for message in bench.heard[name]] == want
    assert [(m.episode, m.frame, m.last) for m in bench.heard['synth/labels'][-2:]] == [(2, 3, False), (2, 4, True)]
    assert {(m.width, m.height) for m in bench.heard['synth/camera_info']} == {(48, 32)}
    made = [json.loads(message.data) for message in bench.heard['provenance']]
    assert [(p['seed'], p['config']['episode'], p['source']) for p in made] == [
        (clip_seed(0, episode), episode, 'node bench') for episode in range(3)
    ]


def test_the_same_seed_gives_the_same_frames_and_another_does_not(bench: Bench) -> None:
    """The frames of an episode depend on the seed and its number only, not on what was generated before."""
    bench.up(Synthesizer, lambda config: FakeGenerator(), seed=5)
    for episode in (0, 1, 1):
        send_conditioned(bench, episode)
    bench.until(lambda: len(bench.heard['synth/image']) == 3 * FRAMES)
    first, second, again = (pictures(bench)[at : at + FRAMES] for at in (0, FRAMES, 2 * FRAMES))
    np.testing.assert_array_equal(second, again)
    assert not np.array_equal(first, second)
    assert len({clip_seed(seed, episode) for seed in range(5) for episode in range(5)}) == 25


def test_the_action_tells_progress_with_preview_and_gives_what_automatic_mode_gives(bench: Bench) -> None:
    """A goal for a collected episode: a feedback for each step, a result, and the frames on the topics."""
    told: list[Any] = []
    model = FakeGenerator()
    bench.up(Synthesizer, lambda config: model, seed=3, model='cogvideox-5b')
    send_conditioned(bench, 4)
    bench.until(lambda: len(bench.heard['synth/image']) == FRAMES)
    model.after_step = lambda step: wait(lambda: len(told) == step)  # rclpy drops feedback that the result overtakes
    goal = Synthesize.Goal(episode=4, seed=3, steps=6, prompt='put it down')
    handle = answer(bench, client_of(bench).send_goal_async(goal, lambda message: told.append(message.feedback)))
    result = answer(bench, handle.get_result_async())
    assert result.status == GoalStatus.STATUS_SUCCEEDED
    assert result.result.success
    assert result.result.mean_fidelity == pytest.approx(0.75)
    assert json.loads(result.result.provenance)['config']['prompt'] == 'put it down'
    assert [(f.step, f.steps) for f in told] == [(step, 6) for step in range(1, 7)]
    assert all(f.eta_s >= 0 for f in told)
    assert told[-1].eta_s == 0
    assert decode.rgb(told[0].preview).shape == (32, 48, 3)
    bench.until(lambda: len(bench.heard['synth/image']) == 2 * FRAMES)
    np.testing.assert_array_equal(pictures(bench)[:FRAMES], pictures(bench)[FRAMES:])


def test_each_episode_takes_the_look_of_its_first_image(bench: Bench, tmp_path: Path) -> None:
    """By the node's parameter, or the goal's; an episode whose image does not fit is skipped, and the node goes on."""
    clips = [build_clip(*scene(episode), ConditioningConfig(points=300, tracks=20)) for episode in (0, 1)]
    for name, image in (('episode_0000', restyled(clips[0])), ('episode_0001', clips[1].rgb[-1])):
        Image.fromarray(image).save(tmp_path / f'{name}.png')
    Image.fromarray(restyled(clips[1])).save(tmp_path / 'other.png')
    bench.up(Synthesizer, lambda config: FakeGenerator(), first_image=str(tmp_path))
    for episode in (0, 1):
        send_conditioned(bench, episode)
    bench.until(lambda: {status.episode for status in statuses(bench)} == {0, 1})
    told = {status.episode: (status.state, status.reason) for status in statuses(bench)}
    assert told[0] == (EpisodeState.ACCEPTED, '')
    state, reason = told[1]
    assert state is EpisodeState.SKIPPED
    assert reason.startswith(
        f"its style does not fit: first_image: {tmp_path / 'episode_0001.png'}: expected frame 0's"
    )
    bench.until(lambda: len(bench.heard['synth/image']) == FRAMES and bool(bench.heard['provenance']))
    assert np.bincount(pictures(bench)[0].argmax(-1).ravel()).argmax() == 1, 'a green floor'
    found = json.loads(bench.heard['provenance'][0].data)['config']
    assert found['first_image']['file'] == 'episode_0000.png'

    def asked(**goal: Any) -> Any:
        return answer(bench, client_of(bench).send_goal_async(Synthesize.Goal(episode=1, **goal)))

    result = answer(bench, asked(first_image=str(tmp_path / 'other.png')).get_result_async()).result
    assert result.success, result.message
    assert json.loads(result.provenance)['config']['first_image']['file'] == 'other.png'
    for goal in ({'first_image': 'absent.png'}, {'background': 'absent'}, {'prompt': 'a tap'}):
        assert not asked(**goal).accepted, goal


def test_a_cancelled_goal_ends_at_its_next_step(bench: Bench) -> None:
    """Cancel: the status says so, nothing is published, and the node generates on."""
    go_on = threading.Event()
    bench.up(Synthesizer, lambda config: FakeGenerator(after_step=lambda step: go_on.wait(DEADLINE_S)), automatic=False)
    send_conditioned(bench)
    bench.until(lambda: bench.values('synthesizer').get('held') == '[0]')
    told: list[Any] = []
    handle = answer(bench, client_of(bench).send_goal_async(Synthesize.Goal(), told.append))
    bench.until(lambda: told)
    answer(bench, handle.cancel_goal_async())
    go_on.set()
    result = answer(bench, handle.get_result_async())
    assert result.status == GoalStatus.STATUS_CANCELED
    assert (result.result.success, result.result.message) == (False, 'cancelled')
    assert not bench.heard['synth/image']
    again = answer(bench, client_of(bench).send_goal_async(Synthesize.Goal(steps=2)))
    assert answer(bench, again.get_result_async()).result.success


def test_a_goal_for_an_episode_that_is_not_there_is_rejected(bench: Bench) -> None:
    """Nobody waits for what cannot come."""
    bench.up(Synthesizer, lambda config: FakeGenerator())
    assert not answer(bench, client_of(bench).send_goal_async(Synthesize.Goal(episode=7))).accepted


def test_an_episode_that_is_too_short_is_refused_whole_and_the_next_is_generated(bench: Bench) -> None:
    """Up to its hole it has 2 frames: nothing is generated, the others are told, and it is no failure of the node."""
    bench.up(Synthesizer, lambda config: FakeGenerator())
    send_conditioned(bench, 0, skip=[2])
    bench.until(lambda: statuses(bench))
    [told] = statuses(bench)
    assert (told.episode, told.state) == (0, EpisodeState.SKIPPED)
    assert told.reason == 'incomplete episode: expected 4k+1 frames in a row, got 2 of 5: too few'
    send_conditioned(bench, 1)
    bench.until(lambda: {message.episode for message in bench.heard['synth/labels']} == {1})
    bench.until(lambda: bench.count('synthesizer', 'not_admitted') == 1)
    assert bench.count('synthesizer', 'failed') == 0


@pytest.mark.parametrize(
    ('frames', 'skip', 'taken'),
    [(7, (), 5), (7, (6,), 5), (12, (9,), 9)],
    ids=['not 4k+1', 'last frame lost', 'a hole'],
)
def test_an_episode_of_any_length_is_cut_to_its_longest_beginning(
    bench: Bench, frames: int, skip: tuple[int, ...], taken: int
) -> None:
    """What is left out is in diagnostics and provenance; one without a last frame ends where the next begins."""
    bench.up(Synthesizer, lambda config: FakeGenerator())
    send_conditioned(bench, 0, skip, length=frames)
    send_conditioned(bench, 1)
    bench.until(lambda: len(bench.heard['synth/labels']) == taken + FRAMES)
    assert [(m.episode, m.frame) for m in bench.heard['synth/labels'][:taken]] == [(0, row) for row in range(taken)]
    told = json.loads(bench.heard['provenance'][0].data)['config']
    assert told['frames'] == taken
    stamps = [decode.stamp_ns(bench.heard['synth/image'][row].header) for row in (0, taken - 1)]
    assert told['stamps_ns'] == stamps
    bench.until(lambda: statuses(bench))
    assert statuses(bench)[0] == EpisodeStatus('synthesizer', 0, EpisodeState.ACCEPTED, tuple(stamps), taken)
    assert 'left out at its end' in told['left_out']
    bench.until(lambda: bench.count('synthesizer', 'refused: frames left out') == 1)


def test_an_episode_whose_last_frame_is_lost_ends_after_a_pause(bench: Bench) -> None:
    """Also where no other episode comes."""
    bench.up(Synthesizer, lambda config: FakeGenerator(), pause=0.1)
    send_conditioned(bench, 0, [6], length=7)
    bench.until(lambda: len(bench.heard['synth/labels']) == 5)


def test_more_episodes_than_may_wait_are_refused_whole(bench: Bench) -> None:
    """The first are generated; of the others every reader learns that nothing comes."""
    begun, held = threading.Event(), threading.Event()

    class Slow(FakeGenerator):
        def generate(self, *args: Any, **settings: Any) -> Any:
            begun.set()
            held.wait(DEADLINE_S)
            return super().generate(*args, **settings)

    bench.up(Synthesizer, lambda config: Slow(), queue=1)
    send_conditioned(bench, 0)
    bench.until(begun.is_set)
    for episode in range(1, 5):
        send_conditioned(bench, episode)
    bench.until(lambda: bench.count('synthesizer', 'refused: too many clips wait') == 3)
    held.set()
    bench.until(lambda: len(bench.heard['synth/labels']) == 2 * FRAMES)
    bench.until(lambda: len(statuses(bench)) == 5)
    assert [one.episode for one in statuses(bench) if one.state is EpisodeState.SKIPPED] == [2, 3, 4]
    assert bench.count('synthesizer', 'failed') == 0


def test_a_generator_that_raises_fails_its_episode_only(bench: Bench) -> None:
    """The error names the episode and the reason; the worker lives on."""

    class Picky(FakeGenerator):
        def generate(self, conditions: Any, labels: Any, **settings: Any) -> Any:
            if labels[0].episode == 0:
                raise ValueError('no memory left')
            return super().generate(conditions, labels, **settings)

    bench.up(Synthesizer, lambda config: Picky())
    send_conditioned(bench, 0)
    bench.until(lambda: bench.message('synthesizer') == 'episode 0 not generated: no memory left')
    bench.until(lambda: [one.state for one in statuses(bench)] == [EpisodeState.FAILED])
    send_conditioned(bench, 1)
    bench.until(lambda: len(bench.heard['synth/image']) == FRAMES)


def scored(*scores: float) -> FakeGenerator:
    """A generator whose clips have these fidelities, one after the other."""
    left = iter(scores)
    return FakeGenerator(fidelity=lambda seed: next(left))


def fidelities(provenance: dict[str, Any]) -> list[float]:
    """What every try reached, in their order."""
    return [one['fidelity'] for one in provenance['config']['tries']]


def test_a_clip_of_too_low_fidelity_is_rejected_and_the_next_seed_drawn(bench: Bench) -> None:
    """Only the clip that is good enough is published; its provenance names its seed and the tries before."""
    bench.up(Synthesizer, lambda config: scored(0.25, 0.375, 0.75), min_fidelity=0.5, tries=3)
    send_conditioned(bench)
    bench.until(lambda: all(len(bench.heard[name]) == FRAMES for name in PER_FRAME))
    made = json.loads(bench.heard['provenance'][0].data)
    seeds = [seed_of_try(clip_seed(0, 0), number) for number in range(3)]
    assert made['seed'] == seeds[2]
    assert [one['seed'] for one in made['config']['tries']] == seeds
    assert fidelities(made) == [0.25, 0.375, 0.75]
    told = bench.heard['synth/fidelity']
    assert np.mean([message.value for message in told]) == pytest.approx(0.75)
    assert {message.motion for message in told} == {1}
    assert bench.count('synthesizer', 'refused') == 0


def test_an_episode_that_no_seed_gives_a_good_clip_is_told_as_rejected_and_the_next_is_generated(bench: Bench) -> None:
    """The best of its clips is published under topics of its own; diagnostics and provenance say why."""
    bench.up(Synthesizer, lambda config: scored(0.25, 0.375, 0.75), min_fidelity=0.5, tries=2)
    for episode in (0, 1):
        send_conditioned(bench, episode)
    bench.until(lambda: all(len(bench.heard[name]) == FRAMES for name in (*PER_FRAME, *REJECTED)))
    bench.until(lambda: len(bench.heard['provenance']) == 2)
    assert {message.episode for message in bench.heard['synth/labels']} == {1}
    assert {message.episode for message in bench.heard['rejected/labels']} == {0}
    assert np.mean([message.value for message in bench.heard['rejected/fidelity']]) == pytest.approx(0.375)
    rejected, made = (json.loads(message.data) for message in bench.heard['provenance'])
    assert (rejected['config']['episode'], fidelities(rejected)) == (0, [0.25, 0.375])
    assert made['config']['episode'] == 1
    bench.until(lambda: len(bench.heard['synth/conditions']) == 2)
    assert [(read.episode, len(read.images)) for read in bench.heard['synth/conditions']] == [(0, FRAMES), (1, FRAMES)]
    bench.until(lambda: len(statuses(bench)) == 2)
    assert [one.state for one in statuses(bench)] == [EpisodeState.REJECTED, EpisodeState.ACCEPTED]
    assert 'expected 0.5 or more, got 0.375 at best' in statuses(bench)[0].reason
    bench.until(lambda: bench.count('synthesizer', 'refused: fidelity too low') == 1)
    assert bench.count('synthesizer', 'failed') == 0


def test_an_episode_with_hand_and_object_in_no_frame_is_skipped_undrawn(bench: Bench) -> None:
    """A camera pose in OpenGL's frame, also where every clip is kept: no frame, a reason with the hint, no failure."""
    generator = FakeGenerator()
    bench.up(Synthesizer, lambda config: generator, min_fidelity=0.0)
    send_conditioned(bench, 0, T_cam_published=np.diag([1.0, -1, -1, 1]))
    send_conditioned(bench, 1)
    bench.until(lambda: len(bench.heard['synth/labels']) == FRAMES and len(statuses(bench)) == 2)
    assert {message.episode for message in bench.heard['synth/labels']} == {1}
    assert len(generator.asked) == 1
    assert statuses(bench)[0].state is EpisodeState.SKIPPED
    assert 'is camera/pose the optical frame (x right, y down, z forward)?' in statuses(bench)[0].reason
    bench.until(lambda: bench.count('synthesizer', 'refused: nothing in view') == 1)
    assert bench.count('synthesizer', 'failed') == 0


def test_a_goal_may_ask_for_more_fidelity_and_learns_what_was_reached(bench: Bench) -> None:
    """Rejected: the result says so, with the tries; nothing is published, and the episode can be asked for again."""
    bench.up(Synthesizer, lambda config: scored(0.75, 0.5, 0.875), automatic=False)
    send_conditioned(bench)
    bench.until(lambda: bench.values('synthesizer').get('held') == '[0]')
    client = client_of(bench)

    def result_of(**goal: Any) -> Any:
        handle = answer(bench, client.send_goal_async(Synthesize.Goal(**goal)))
        return answer(bench, handle.get_result_async())

    rejected = result_of(min_fidelity=0.8, tries=2)
    assert rejected.status == GoalStatus.STATUS_ABORTED
    assert not rejected.result.success
    assert rejected.result.mean_fidelity == pytest.approx(0.75)
    assert fidelities(json.loads(rejected.result.provenance)) == [0.75, 0.5]
    assert result_of(min_fidelity=0.8).result.success
    bench.until(lambda: len(bench.heard['synth/image']) == FRAMES and bench.heard['provenance'])
    assert len(bench.heard['provenance']) == 1


def test_a_goal_out_of_range_is_rejected_and_one_that_fails_is_not_the_nodes_failure(bench: Bench) -> None:
    """What the node's parameters may not be a goal may not ask for; the log says which field. A failure of the node
    would end the job of everybody, for one client's goal."""

    class Picky(FakeGenerator):
        def generate(self, *args: Any, **settings: Any) -> Any:
            if settings['sampling'].steps == 7:
                raise RuntimeError('no memory left')
            return super().generate(*args, **settings)

    node = bench.up(Synthesizer, lambda config: Picky(), automatic=False)
    errors: list[str] = []
    node.get_logger().error = errors.append
    send_conditioned(bench)
    bench.until(lambda: bench.values('synthesizer').get('held') == '[0]')
    client = client_of(bench)
    for goal, field in (
        ({'steps': 1001}, 'steps: expected'),
        ({'steps': 2**32 - 1}, 'steps: expected'),
        ({'tries': 101}, 'tries: expected'),
        ({'min_fidelity': 1.5}, 'min_fidelity: expected'),
        ({'min_fidelity': float('nan')}, 'min_fidelity: expected'),
        ({'episode': 9}, 'the episodes [0]'),
    ):
        assert not answer(bench, client.send_goal_async(Synthesize.Goal(**goal))).accepted, goal
        assert field in errors[-1]

    def result_of(**goal: Any) -> Any:
        return answer(bench, answer(bench, client.send_goal_async(Synthesize.Goal(**goal))).get_result_async()).result

    failed = result_of(steps=7)
    assert (failed.success, failed.message) == (False, 'no memory left')
    bench.until(lambda: bench.count('synthesizer', 'refused: goal not done') == 1)
    for goal in ({'steps': 1000}, {'seed': 2**64 - 1, 'tries': 100, 'min_fidelity': -1.0}):
        assert result_of(**goal).success
    assert bench.count('synthesizer', 'failed') == 0


def test_parameters_say_how_to_sample(bench: Bench) -> None:
    """What the node is told reaches the model; what makes no sense is refused where it is set."""
    generator = FakeGenerator()
    node = bench.up(
        Synthesizer,
        lambda config: generator,
        conditions=['tracking'],
        strength=0.5,
        control_start=0.25,
        control_end=0.75,
        steps=2,
        guidance=3.0,
        dynamic_guidance='off',
        negative_prompt='blurry',
        control_guidance=2.0,
    )
    send_conditioned(bench)
    bench.until(lambda: len(bench.heard['synth/image']) == FRAMES)
    assert generator.asked == [
        Sampling(
            steps=2,
            guidance=3.0,
            dynamic_guidance=False,
            negative_prompt='blurry',
            conditions=('tracking',),
            strength=0.5,
            start=0.25,
            end=0.75,
            control_guidance=2.0,
        )
    ]
    assert SynthesizerOptions().sampling() == Sampling(), "what is not asked for is the model's own"
    assert SynthesizerOptions(conditions=()).sampling() == Sampling(conditions=())
    for name, value, reason in (
        ('conditions', ['smell'], 'expected some of'),
        ('conditions', ['learnt', 'points'], 'expected names from'),
        ('guidance', 0.5, 'guidance: expected a number >= 1'),
        ('control_end', 0.1, 'start < end'),
        ('min_fidelity', 1.5, 'min_fidelity'),
    ):
        [refused] = node.set_parameters([Parameter(name, value=value)])
        assert not refused.successful
        assert reason in refused.reason


def test_without_weights_the_node_refuses_to_configure(bench: Bench) -> None:
    """Never noise: a model that cannot be loaded is a failed configure that can be tried again."""

    def missing(config: Any) -> FakeGenerator:
        raise FileNotFoundError('weights of tiny: run hoigen train')

    node = bench.add(Synthesizer, missing)
    errors: list[str] = []
    node.get_logger().error = errors.append
    assert node.trigger_configure() == TransitionCallbackReturn.FAILURE
    assert errors == ['synthesizer not configured: weights of tiny: run hoigen train']
    node._build = lambda config: FakeGenerator()
    assert node.trigger_configure() == TransitionCallbackReturn.SUCCESS
