"""The conductor, with nodes in this process: it never waits for ever, and says for whom it waited."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip('rclpy', reason='needs ROS 2: source install/setup.bash')
pytest.importorskip('hoigen.msg', reason='needs the built messages: source install/setup.bash')

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from fake_graph import FakeGenerator, FakeSource
from rich.console import Console
from ros_bench import Bench, ended

from hoigen import notices
from hoigen.records import EpisodeState
from hoigen.ros import conductor, progress, topics
from hoigen.ros.conductor import Conductor, Progress
from hoigen.ros.nodes.episode_recorder import EpisodeRecorder
from hoigen.ros.nodes.sim_source import SimSource
from hoigen.ros.nodes.synthesizer import Synthesizer
from hoigen.ros.processes import NodeFailed

ORDER = (topics.RECORDER, topics.SYNTHESIZER, topics.SOURCE)
NOTHING = Progress(
    planned=2,
    not_admitted=(),
    reason='',
    fault='',
    bag='',
    eta_s=0.0,
    **dict.fromkeys(('recorded', 'rejected', 'skipped', 'episode', 'step', 'steps'), 0),
)


@pytest.fixture
def spinning(bench: Bench) -> Iterator[Bench]:
    """The bench, its nodes served by a thread as their own processes would."""
    ended = threading.Event()

    def spin() -> None:
        while not ended.is_set():
            bench.executor.spin_once(timeout_sec=0.02)

    thread = threading.Thread(target=spin)
    thread.start()
    yield bench
    ended.set()
    thread.join()


def graph(bench: Bench, tmp_path: Path, model: Callable[..., FakeGenerator] = FakeGenerator) -> None:
    """A graph without condition_builder, for which the source waits."""
    bench.add(EpisodeRecorder, out=str(tmp_path))
    bench.add(Synthesizer, lambda config: model())
    bench.add(SimSource, lambda config: FakeSource(), wait_for=['condition_builder'])


def follow(bench: Bench, nodes: tuple[str, ...] = ORDER) -> list[Progress]:
    shown: list[Progress] = []
    with Conductor(nodes, bench.namespace, lambda: None) as conductor:
        conductor.bring_up()
        conductor.follow(shown.append)
    return shown


def test_a_node_that_does_not_start_is_named(spinning: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The deadline for the services of a node."""
    monkeypatch.setattr(conductor, 'START_S', 0.5)
    with pytest.raises(NodeFailed, match='sim_source did not start'):
        follow(spinning, (topics.SOURCE,))


def test_a_node_that_cannot_be_configured_is_named(spinning: Bench, tmp_path: Path) -> None:
    """All are configured before any is activated."""

    def missing() -> FakeGenerator:
        raise FileNotFoundError('no weights')

    graph(spinning, tmp_path, missing)
    with pytest.raises(NodeFailed, match='synthesizer could not be configured') as failure:
        follow(spinning)
    assert failure.value.node == topics.SYNTHESIZER
    assert not any(node.active for node in spinning.executor.get_nodes() if isinstance(node, SimSource))


def test_what_the_nodes_are_busy_with_is_shown_once(
    spinning: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compilation on the first run, in the processes of the nodes: several say it, the person reads it once."""
    monkeypatch.setattr(notices, '_given', ['compiling'])
    graph(spinning, tmp_path)
    answers: list[Progress] = []

    def show(progress: Progress) -> None:
        answers.append(progress)
        if len({node for node, values in followed._values.items() if 'notice' in values}) > 1:
            raise KeyboardInterrupt

    with Conductor(ORDER, spinning.namespace, lambda: None) as followed:
        followed.bring_up()
        with pytest.raises(KeyboardInterrupt):
            followed.follow(show)
    assert answers[-1].notices == ('compiling',)


def test_a_job_that_stands_still_is_given_up_with_what_everyone_waits_for(
    spinning: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is waited for without end: the error holds the diagnostics of all nodes."""
    graph(spinning, tmp_path)
    with Conductor(ORDER, spinning.namespace, lambda: None) as waiting:
        waiting.bring_up()

        def lose_patience(_: Progress) -> None:
            if 'waiting_for' in waiting._values[topics.SOURCE]:
                monkeypatch.setattr(conductor, 'STALL_S', 0.5)

        with pytest.raises(NodeFailed, match=r'the graph has done nothing for 0 s.*condition_builder on mesh_frame'):
            waiting.follow(lose_patience)


def diagnose(job: Conductor, node: str, at: int = 0, message: str = '', **values: object) -> None:
    """What a node says of itself reaches the conductor."""
    entries = [KeyValue(key=key, value=str(value)) for key, value in values.items()]
    array = DiagnosticArray(status=[DiagnosticStatus(name=f'/job/{node}', message=message, values=entries)])
    job._on_diagnostics(array, {'source_timestamp': at})


def test_a_node_that_fails_ends_the_job_with_its_reason(bench: Bench) -> None:
    """A job of which nothing can come does not go on."""
    with Conductor((topics.SOURCE, topics.EDITOR), bench.namespace, lambda: None) as job:
        diagnose(job, topics.EDITOR, failed=1, message='the object is in none of its frames')
        with pytest.raises(NodeFailed, match=r'^pose_editor failed: the object is in none of its frames$'):
            job.follow(lambda _: None)


@pytest.mark.parametrize(
    ('counts', 'status', 'reported'),
    [({'recorded': 1, 'skipped': 1}, 0, True), ({'rejected': 2}, 1, True), ({'skipped': 2}, 1, False)],
)
def test_a_job_of_which_nothing_is_recorded_is_a_failure(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    counts: dict[str, int],
    status: int,
    reported: bool,
) -> None:
    """A report is made of what there is, also where all was rejected; of nothing there is none."""
    written: list[Path] = []
    monkeypatch.setattr(progress, 'write_report', written.append)
    ended = replace(NOTHING, reason='no hand in view', **counts)
    assert progress.conclude(ended, tmp_path, Console()) == status
    assert written == [tmp_path] * reported
    said = f'{ended.skipped} of 2 stretches gave no clip, the last because: no hand in view'
    assert (said in capsys.readouterr().out.replace('\n', ' ')) == bool(ended.skipped)


def test_why_an_episode_was_not_recorded_is_shown_once(capsys: pytest.CaptureFixture[str]) -> None:
    """Not only in a node's log: an image that does not fit is the person's to mend."""
    display = progress.ProgressDisplay(Console())
    for reasons in ((), ('too short',), ('too short',), ('too short', 'its style does not fit')):
        display.show(replace(NOTHING, not_admitted=reasons))
    printed = capsys.readouterr().out
    assert printed.count('too short') == 1
    assert '2 of 2 episodes not recorded, the last because: its style does not fit' in printed.replace('\n', ' ')


def test_a_job_is_done_when_every_node_has_reported_after_its_last_episode(bench: Bench) -> None:
    """What a node reported before that episode was recorded, and came late, does not tell of a failure since."""

    def report(node: str, at: int, **values: object) -> None:
        diagnose(job, node, at, **values)

    def end(episode: int, state: EpisodeState, node: str, at: int) -> None:
        [message] = ended(episode, state, node=node, reason=f'episode_{episode}').values()
        job._on_status(message, {'source_timestamp': at})

    steps = iter(
        (
            lambda: report(topics.SOURCE, 1, planned=2),
            lambda: end(0, EpisodeState.REJECTED, topics.SYNTHESIZER, 2),  # its bag is not closed yet
            lambda: end(0, EpisodeState.REJECTED, topics.RECORDER, 3),
            lambda: report(topics.RECORDER, 4),
            lambda: report(topics.SOURCE, 5, planned=2),
            lambda: end(1, EpisodeState.RECORDED, topics.RECORDER, 7),
            lambda: report(topics.SOURCE, 6, planned=2),
            lambda: report(topics.RECORDER, 8),
            lambda: report(topics.SOURCE, 8, planned=2),
        )
    )
    with Conductor((topics.SOURCE, topics.RECORDER), bench.namespace, lambda: None) as job:
        done = job.follow(lambda _: next(steps)())
    assert (done.recorded, done.rejected, done.bag) == (1, 1, 'episode_1')
    assert next(steps, None) is None
