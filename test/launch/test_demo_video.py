"""The real thing, once: `hoigen up video_to_video` on a small recording gives what the core gives, bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs ROS 2: source install/setup.bash')
pytest.importorskip('hoigen.msg', reason='needs the built messages: source install/setup.bash')

from recorded import write_rgbd
from up_job import Job

from hoigen.episodes import EpisodeReader
from hoigen.perception.perceive import Perceiver, PerceptionConfig
from hoigen.sources.mujoco import MujocoConfig, MujocoSource
from hoigen.sources.recording import open_recording
from hoigen.video import load_generator
from hoigen.video.faithful import clip_seed
from hoigen.video.style import Style
from hoigen.video.styled import styled
from hoigen.video.views import view_conditions

SEED, FRAMES, TASK = 2, 5, 'pick it up'


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """What a depth camera sees of a simulated hand that moves."""
    config = MujocoConfig(width=288, height=192, frames=17, rate_hz=8.0, camera='front', depth=True)
    frames = list(MujocoSource(config).episode(SEED, 0).frames())[4 : 4 + FRAMES]  # it moves
    depth = np.stack([np.zeros(0) if frame.depth_m is None else frame.depth_m for frame in frames])
    return write_rgbd(
        tmp_path / 'rgbd',
        np.stack([frame.rgb for frame in frames]),
        depth,
        frames[0].camera.K,
        [1 + frame.stamp_ns * 1e-9 for frame in frames],
    )


def test_the_bag_holds_what_perception_and_model_give_of_the_recording(
    real_job: Callable[..., Job], recording: Path
) -> None:
    """Through all processes no step changes a bit: the conditions are perception's, the frames the model's. The hand is
    found where it is, and the generated hand follows it."""
    job = real_job(
        '--video',
        str(recording),
        '--frames',
        str(FRAMES),
        '--task',
        TASK,
        '--min-fidelity',
        '0',
        graph='video_to_video',
    )
    assert job.status() == 0, job.printed
    with EpisodeReader(job.out / 'episode_0000') as reader:
        assert not reader.faults()
        clip, generated = reader.clip(), reader.generated()
        found = reader.provenance('condition/provenance')
    with open_recording(recording) as opened:
        [footage] = opened.stretches(FRAMES)
    want = Perceiver(PerceptionConfig(task=TASK))(footage, '').clip
    assert want is not None
    for name, array in vars(want).items():
        if isinstance(array, np.ndarray):
            np.testing.assert_array_equal(getattr(clip, name), array, err_msg=name)
    assert {labels.task for labels in clip.labels} == {TASK}
    assert (clip.mask == 1).mean() > 0.01
    generator = load_generator()
    [conditions] = view_conditions(
        [styled(clip, Style())], width=generator.width, height=generator.height, detail=generator.detailed
    )
    assert generated is not None
    made = generator.generate(conditions, clip.labels, seed=clip_seed(0, 0))
    np.testing.assert_array_equal(generated.frames, made.frames)
    assert generated.fidelity.mean > 0.6
    assert found is not None
    assert (found.source, found.config['metric']) == (f'{recording}, stretch 0', True)
