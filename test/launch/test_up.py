"""`hoigen up` over real processes and DDS, with stand-ins for simulator and model: the job, and all ways it can end."""

from __future__ import annotations

import itertools
import os
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs ROS 2: source install/setup.bash')
pytest.importorskip('hoigen.msg', reason='needs the built messages: source install/setup.bash')

import rclpy
from fake_graph import FRAMES, fidelity_of
from ros_domain import own_domain
from sensor_msgs.msg import CameraInfo
from up_job import Job, wait

from hoigen.episodes import EpisodeReader
from hoigen.messages.encode import WORLD
from hoigen.msg import DeformedMesh, MeshAsset, MeshAssets, MeshFrame
from hoigen.ros import convert, dds, topics
from hoigen.video.faithful import clip_seed


@pytest.fixture
def meddle(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Job, Callable[[], object]], None]]:
    """Publishes on a job's topics what no source should, each time under another stamp, until it is enough."""
    for name, value in (dds.environment() | {'ROS_DOMAIN_ID': own_domain()}).items():
        monkeypatch.setenv(name, value)
    context = rclpy.Context()
    rclpy.init(context=context, args=[])

    def publish(running: Job, enough: Callable[[], object]) -> None:
        node = rclpy.create_node('meddler', namespace=running.namespace, context=context)
        publishers = {topic.name: node.create_publisher(topic.type, topic.name, topic.qos) for topic in topics.TOPICS}
        numbers = itertools.count()

        def once_more() -> object:
            for name, message in nonsense(next(numbers)).items():
                publishers[name].publish(message)
            assert running.process.poll() is None, running.printed
            return enough()

        wait(once_more)
        node.destroy_node()

    yield publish
    context.shutdown()


def nonsense(number: int) -> dict[str, Any]:
    """A mesh with NaN, cameras that do not fit, and now and then an empty mesh table."""
    head = convert.ENCODER.header(10**17 + number * 10**6, WORLD)
    broken = MeshFrame(header=head, deformed=[DeformedMesh(id='palm', vertices=[float('nan')] * 24)])
    table = {'mesh_assets': MeshAssets(header=head, assets=[MeshAsset(id='palm')])} if number % 50 == 0 else {}
    return table | {
        'mesh_frame': broken,
        'camera/camera_info': CameraInfo(header=head, width=3),
        'camera/image': convert.ENCODER.image(np.zeros((3, 5, 3), np.uint8), head),
    }


def generated(out: Path, episode: int) -> np.ndarray:
    with EpisodeReader(out / f'episode_{episode:04d}') as reader:
        assert reader.complete
        assert not reader.faults()
        clip: Any = reader.generated()
        return clip.frames


def bags(out: Path) -> list[str]:
    return sorted(path.name for path in out.glob('episode_*'))


def test_jobs_make_whole_bags_and_a_report_the_same_for_the_same_seed(job: Callable[..., Job]) -> None:
    """Status 0 and the paths printed. A second job in a folder numbers on and overwrites nothing, and an episode has
    bit for bit the same frames whether one job makes both or two do, each in another namespace. One that is rejected is
    no failure of the job: it is counted and shown, its bag is marked by its name, the report says why."""
    seed = next(s for s in range(100) if [fidelity_of(clip_seed(s, n)) > 0.8 for n in range(3)] == [True, True, False])
    chosen = ('--seed', str(seed), '--min-fidelity', '0.8', '--tries', '1')
    together = job('--episodes', '3', *chosen, out='together')
    assert together.status() == 0, together.printed
    assert '2 of 3 episodes recorded' in together.printed
    assert '1 of 3 episodes rejected' in together.printed
    for name in ('episode_0000', 'episode_0001', 'episode_0002.rejected', 'report.html', 'preview.mp4'):
        assert (together.out / name).exists()
        assert f'{together.out / name}\n' in together.printed
    with EpisodeReader(together.out / 'episode_0002.rejected') as reader:
        assert not reader.faults()
        assert reader.generated() is None
        assert len(reader.rejected().frames) == FRAMES
        assert 'expected 0.8 or more, got 0.700' in reader.rejection()
    assert 'Rejected' in (together.out / 'report.html').read_text()
    first = job('--episodes', '1', *chosen, out='apart')
    assert first.status() == 0, first.printed
    written = {path: path.stat().st_mtime_ns for path in first.out.glob('episode_0000/*')}
    second = job('--episodes', '1', *chosen, out='apart')
    assert second.status() == 0, second.printed
    assert bags(second.out) == ['episode_0000', 'episode_0001']
    assert {path: path.stat().st_mtime_ns for path in written} == written
    for episode in (0, 1):
        np.testing.assert_array_equal(generated(second.out, episode), generated(together.out, episode))
    assert not np.array_equal(generated(together.out, 0), generated(together.out, 1))


def test_a_killed_recorder_ends_the_job_with_its_name_and_leaves_the_bags_readable(job: Callable[..., Job]) -> None:
    """Status 1, no process left, and every bag opens: whole ones as they are, the others as far as they got, which is
    nothing for one that was just begun."""
    running = job('--episodes', '1000')
    running.until_printed('of 1000 episodes recorded')
    os.kill(running.nodes()['episode_recorder'], signal.SIGKILL)
    assert running.status() == 1
    assert 'hoigen up: episode_recorder was killed by SIGKILL' in running.printed
    assert f'the last lines of {running.out}/logs/episode_recorder.log:' in running.printed
    assert not running.nodes()
    generated(running.out, 0)
    for name in bags(running.out):
        with EpisodeReader(running.out / name) as reader:
            for topic, count in reader.counts.items():
                assert len(list(reader.messages(topic))) == count


def test_when_the_job_itself_is_killed_its_nodes_end(job: Callable[..., Job]) -> None:
    """No orphan goes on simulating; the kernel interrupts them, so that they close their bags."""
    running = job('--episodes', '1000')
    running.until_printed('of 1000 episodes recorded')
    running.process.kill()
    wait(lambda: not running.nodes())
    for name in bags(running.out):
        with EpisodeReader(running.out / name) as reader:
            assert reader.complete


def test_a_node_that_cannot_be_configured_is_named_with_its_reason(job: Callable[..., Job]) -> None:
    """Weights that are not there are a line that says so and status 1, not a job that hangs."""
    running = job('--model', 'cogvideox-5b')
    assert running.status() == 1
    assert 'hoigen up: synthesizer could not be configured' in running.printed
    assert 'synthesizer not configured: model cogvideox-5b: expected one of tiny' in running.printed
    assert not bags(running.out)


def test_a_job_survives_a_foreign_publisher_of_nonsense_and_closes_its_bags_when_interrupted(
    job: Callable[..., Job], meddle: Callable[[Job, Callable[[], object]], None]
) -> None:
    """Geometry with NaN, empty meshes and pictures of other sizes on the job's own topics: their publisher is named
    by who gets them, and what makes no frame refused, while every episode of the job is whole. Ctrl-C: status 130, no
    process left, and each bag has its metadata and index."""
    running = job('--episodes', '1000')
    running.until_printed('episodes recorded')  # the first may wait for kernels to be compiled
    told = dict.fromkeys(('episode_recorder', 'synthesizer'), 'refused, two publishers: .*node meddler')
    told['condition_builder'] = '(?s)two publishers: .*node meddler.*unmatched stamp|unmatched stamp.*two publishers'
    meddle(running, lambda: all(re.search(words, running.log(node)) for node, words in told.items()))
    known = running.recorded()
    meddle(running, lambda: running.recorded() > known + 1)
    running.process.send_signal(signal.SIGINT)
    assert running.status() == 130
    assert not running.nodes()
    assert 'Traceback' not in ''.join(path.read_text() for path in (running.out / 'logs').glob('*.log'))
    for episode in range(running.recorded()):
        generated(running.out, episode)
    for name in bags(running.out):
        with EpisodeReader(running.out / name) as reader:
            assert reader.complete
