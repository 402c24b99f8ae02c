"""The real thing, once: `hoigen up` with simulator and tiny model gives what the core gives, bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs ROS 2: source install/setup.bash')
pytest.importorskip('hoigen.msg', reason='needs the built messages: source install/setup.bash')

from up_job import Job

from hoigen.conditioning import build_conditions
from hoigen.episodes import EpisodeReader
from hoigen.ros.nodes.synthesizer import clip_seed
from hoigen.sources.mujoco import MujocoConfig, MujocoSource
from hoigen.video import load_generator

SEED = 3


def test_the_bag_holds_what_simulator_and_model_give_for_the_seed(real_job: Callable[..., Job]) -> None:
    """One episode through all processes: the pictures are the simulator's, the frames are the model's, and no step on
    the way (messages, order, processes) changes a bit. So the same seed gives the same episode."""
    job = real_job('--episodes', '1', '--seed', str(SEED))
    assert job.status() == 0, job.printed
    with EpisodeReader(job.out / 'episode_0000') as reader:
        assert reader.complete
        assert not reader.faults()
        clip, generated = reader.clip(), reader.generated()
    assert generated is not None
    scene = list(MujocoSource(MujocoConfig()).episode(SEED, 0).frames())
    np.testing.assert_array_equal(clip.rgb, np.stack([frame.rgb for frame in scene]))
    generator = load_generator()
    conditions = build_conditions(clip, width=generator.width, height=generator.height)
    made = generator.generate(conditions, clip.labels, seed=clip_seed(SEED, 0))
    np.testing.assert_array_equal(generated.frames, made.frames)
    for name in ('value', 'mask', 'motion'):
        np.testing.assert_array_equal(getattr(generated.fidelity, name), getattr(made.fidelity, name))
    assert generated.fidelity.mean > 0.6
    assert generated.provenance == replace(
        made.provenance, config=generated.provenance.config, source='node sim_source'
    )
    assert np.abs(np.diff(generated.frames.astype(int), axis=0)).mean(axis=(1, 2, 3)).min() > 0.1  # they move
