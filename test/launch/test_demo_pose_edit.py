"""The real thing, once: `hoigen up pose_edit` with simulator and tiny model gives what the core gives, bit for bit."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='needs ROS 2: source install/setup.bash')
pytest.importorskip('hoigen.msg', reason='needs the built messages: source install/setup.bash')

from up_job import Job

from hoigen.editing.flux_insertion.inserter import load_inserter
from hoigen.editing.meshes.things import made_thing
from hoigen.editing.subjects.from_files import mesh_subject
from hoigen.episodes import EpisodeReader
from hoigen.geometry.transforms import rigid

SEED, MODEL, AT = 0, 'insertion-tiny', '0.13 0.03 0.05'
FRAMES = (0, 9, 16)


def test_the_bag_holds_what_the_model_gives_of_the_scene(real_job: Callable[..., Job]) -> None:
    """One episode through all processes: no step on the way (messages, order, processes) changes a bit, the object is
    before the table and behind the hand, and its mask is where the picture has changed."""
    job = real_job(
        '--episodes', '1', '--seed', str(SEED), '--model', MODEL, '--position', *AT.split(), graph='pose_edit'
    )
    assert job.status() == 0, job.printed
    with EpisodeReader(job.out / 'episode_0000') as reader:
        assert reader.complete
        assert not reader.faults()
        clip, told = reader.clip(), [message for _, message in reader.messages('edit/object')]
        rgb, mask, depth = (
            [picture for _, picture in reader.images(f'edit/{name}')] for name in ('image', 'mask', 'depth')
        )
        measured = [picture for _, picture in reader.images('camera/depth')]
        provenance = reader.provenance('edit/provenance')
    mesh, caption = made_thing('mug', SEED)
    subject, inserter = mesh_subject(mesh, caption, SEED), load_inserter(MODEL)
    T_world_object = rigid(np.eye(3), np.array(AT.split(), float))
    for t in FRAMES:
        made = inserter.insert(
            clip.rgb[t],
            np.where(np.isinf(measured[t]), np.float32(np.nan), measured[t]),
            clip.cameras[t],
            subject,
            T_world_object,
            seed=SEED,
        )
        np.testing.assert_array_equal(rgb[t], made.rgb)
        np.testing.assert_array_equal(mask[t] > 0, made.mask)
        np.testing.assert_array_equal(depth[t], made.depth_m)
        assert told[t].visibility == pytest.approx(made.visibility)
    assert told[0].visibility == pytest.approx(1)
    assert 0.05 < told[9].visibility < 0.95, 'the hand is before it'
    assert all(message.agreement > 0.9 for message in told)
    assert provenance is not None
    assert provenance.weights == inserter.provenance(SEED).weights
    assert (provenance.config['caption'], provenance.source) == (caption, 'node sim_source')
