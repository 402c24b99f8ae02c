"""The real thing, once: `hoigen up` with simulator and tiny model records what `hoigen generate` does, bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs ROS 2: source install/setup.bash')
pytest.importorskip('hoigen.msg', reason='needs the built messages: source install/setup.bash')

from same_record import same_record
from up_job import Job

from hoigen.episodes import EpisodeReader
from hoigen.video.generate import GenerateConfig, generate

SEED = 3


def test_the_graph_records_the_episode_of_the_core(real_job: Callable[..., Job]) -> None:
    """One episode through all processes: no step on the way (messages, order, processes) changes a bit of scene,
    conditions, labels, generated frames or fidelity. So the same seed gives the same episode, with ROS and without."""
    job = real_job('--episodes', '1', '--seed', str(SEED))
    assert generate(GenerateConfig(episodes=1, seed=SEED, out=job.out / 'core')) == 0
    assert job.status() == 0, job.printed
    with EpisodeReader(job.out / 'episode_0000') as graph, EpisodeReader(job.out / 'core' / 'episode_0000') as core:
        assert not graph.faults()
        assert not core.faults()
        assert (graph.counts, graph.msgtypes) == (core.counts, core.msgtypes)
        got, want = graph.episode(), core.episode()
    assert got.generated is not None
    assert want.generated is not None
    told, made = got.generated.provenance, want.generated.provenance
    assert told.source == 'node sim_source'
    assert {name for name in told.config | made.config if told.config.get(name) != made.config.get(name)} <= {
        'frames',
        'left_out',
        'stamps_ns',
        'timings',
    }
    same = replace(made, config=told.config, source=told.source)
    assert got.status is not None
    assert want.status is not None
    assert got.status == replace(want.status, node='synthesizer')
    same_record(got, replace(want, generated=replace(want.generated, provenance=same), status=got.status))
    assert got.generated.fidelity.mean > 0.6
    assert np.abs(np.diff(got.generated.frames.astype(int), axis=0)).mean(axis=(1, 2, 3)).min() > 0.1  # they move
