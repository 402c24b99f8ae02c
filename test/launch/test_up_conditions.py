"""`hoigen up conditions` over real processes: bags of simulated scenes with their conditions, no video model."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs ROS 2: source install/setup.bash')
pytest.importorskip('hoigen.msg', reason='needs the built messages: source install/setup.bash')

from fake_graph import FRAMES
from up_job import Job

from hoigen.episodes import EpisodeReader


def test_scenes_with_their_conditions_are_whole_episodes(job: Callable[..., Job]) -> None:
    """More of them than the source may be ahead; the report shows them, and nothing is expected that is not made."""
    running = job('--episodes', '3', graph='conditions')
    assert running.status() == 0, running.printed
    assert '3 of 3 episodes recorded' in running.printed
    for episode in range(3):
        with EpisodeReader(running.out / f'episode_{episode:04d}') as reader:
            assert reader.complete
            assert not reader.faults()
            clip, made = reader.clip(), reader.provenance('condition/provenance')
            assert reader.generated() is None
            assert reader.counts['/mesh_frame'] == reader.counts['/tf'] == len(clip.labels) == FRAMES
        assert [(labels.episode, labels.frame) for labels in clip.labels] == [(episode, row) for row in range(FRAMES)]
        assert {1, 2} <= set(np.unique(clip.mask))
        assert made is not None
        assert made.config['frames'] == FRAMES
        assert 'camera/depth agrees with the meshes' in made.config['source_check']
    page = (running.out / 'report.html').read_text()
    assert '"footage":false' in page
    assert 'not checked' not in page
