"""`hoigen up pose_edit` and `pose_edit_video` over real processes and DDS, with stand-ins for simulator and model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs ROS 2: source install/setup.bash')
pytest.importorskip('hoigen.msg', reason='needs the built messages: source install/setup.bash')

from fake_graph import fake_subject
from recorded import shades, write_rgbd
from up_job import Job

from hoigen.editing.placement import place
from hoigen.episodes import EpisodeReader
from hoigen.geometry.transforms import invert
from hoigen.messages import decode

K = np.array([[60.0, 0, 29.5], [0, 60.0, 19.5], [0, 0, 1]])
EDITS = ('/edit/image', '/edit/depth', '/edit/mask', '/edit/object', '/edit/labels')


def masks(reader: EpisodeReader) -> np.ndarray:
    """[T,H,W] bool, where the object is seen."""
    return np.stack([picture > 0 for _, picture in reader.images('edit/mask')])


def test_simulated_episodes_become_bags_with_edited_frames(job: Callable[..., Job]) -> None:
    """Whole bags without generated video: the scene as it is and as it was edited, with labels that the mesh rendered
    again confirms; the report shows both."""
    running = job(
        '--episodes', '2', '--position', '0.1', '0.05', '0.04', '--rotation-ypr', '20', '0', '0', graph='pose_edit'
    )
    assert running.status() == 0, running.printed
    assert '2 of 2 episodes recorded' in running.printed
    for episode in (0, 1):
        with EpisodeReader(running.out / f'episode_{episode:04d}') as reader:
            assert reader.complete
            assert not reader.faults()
            assert {reader.counts[topic] for topic in EDITS} == {5}
            assert '/synth/image' not in reader.counts
            made = reader.provenance('edit/provenance')
            assert made is not None
            assert (made.config['episode'], made.config['caption'], made.source) == (
                episode,
                'a red cube',
                'node sim_source',
            )
            clip, seen = reader.clip(), masks(reader)
            poses = [decode.pose(message.pose) for _, message in reader.messages('edit/object')]
            edited = np.stack([picture for _, picture in reader.images('edit/image')])
            depth = np.stack([picture for _, picture in reader.images('camera/depth')])
        for t, camera in enumerate(clip.cameras):
            want = place(fake_subject().mesh, poses[t], camera)
            hidden = np.nan_to_num(depth[t], nan=np.inf) < want.depth_m * 0.995
            np.testing.assert_array_equal(seen[t], want.mask & ~hidden)
            kept = ~seen[t]
            kept[:2, :2] = False
            np.testing.assert_array_equal(edited[t][kept], clip.rgb[t][kept])
    page = (running.out / 'report.html').read_text()
    assert '"edited":true' in page
    assert (running.out / 'preview.mp4').exists()


def test_a_recording_becomes_bags_with_edited_frames(job: Callable[..., Job], tmp_path: Path) -> None:
    """Measured depth hides the object where the scene is nearer; its pose is told in the camera's frame."""
    rgb = shades(10)
    depth = np.full(rgb.shape[:3], 0.8)
    depth[:, :, :30] = 0.3
    video = write_rgbd(tmp_path / 'kitchen', rgb, depth, K, [1 + n / 8 for n in range(len(rgb))])
    running = job('--video', str(video), '--frames', '5', '--position', '0', '0', '0.6', graph='pose_edit_video')
    assert running.status() == 0, running.printed
    for episode in (0, 1):
        with EpisodeReader(running.out / f'episode_{episode:04d}') as reader:
            assert not reader.faults()
            clip, seen = reader.clip(), masks(reader)
            told = [message for _, message in reader.messages('edit/object')]
            labels = tuple(reader.labels('edit/labels').values())
        assert seen.any()
        assert not seen[:, :, :30].any()
        assert all(0.3 < message.visibility < 0.7 for message in told)
        for t, camera in enumerate(clip.cameras):
            np.testing.assert_allclose(
                (invert(camera.T_world_cam) @ decode.pose(told[t].pose))[:3, 3], [0, 0, 0.6], atol=1e-9
            )
            assert labels[t].T_world_object is not None
            np.testing.assert_allclose(labels[t].T_world_object[:3, 3], camera.T_world_cam[:3, 3] + [0, 0, 0.6])
        assert (running.out / 'report.html').exists()


def test_a_job_that_can_edit_nothing_is_refused_with_its_reason(job: Callable[..., Job]) -> None:
    """Status 1, before any node is started."""
    running = job('--episodes', '1', '--position', '0', '0', '500', graph='pose_edit')
    assert running.status() == 1
    assert 'position: expected metres within 100' in running.printed
