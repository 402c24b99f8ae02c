"""EpisodeReader gives the scene back as records, and refuses what does not fit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from episode_factory import T_WORLD_CAM, Message, Scene, fidelity, messages, render, write_scene
from mcap.reader import make_reader

from hoigen.episodes import EpisodeError, EpisodeReader, EpisodeWriter, recover
from hoigen.episodes.storage import SCHEMA, SCHEMA_VERSION, BagWriter
from hoigen.geometry.camera import project
from hoigen.messages.definitions import typestore


def test_clip_is_the_scene(episode: Path, scene: Scene) -> None:
    """Pictures, depth, mask, camera and labels of every frame are those that were recorded, in their order."""
    with EpisodeReader(episode) as reader:
        clip = reader.clip()
        assert reader.complete
        assert reader.faults() == ()
    for frame in range(scene.frames):
        rgb, depth, mask = render(scene, frame, scene.size)
        np.testing.assert_array_equal(clip.rgb[frame], rgb)
        np.testing.assert_array_equal(clip.mask[frame], mask)
        np.testing.assert_array_equal(clip.depth_m[frame], np.where(mask > 0, depth, np.nan))
        np.testing.assert_allclose(clip.cameras[frame].T_world_cam, T_WORLD_CAM, atol=1e-9)
        np.testing.assert_allclose(clip.labels[frame].T_world_object[:3, 3], scene.balls(frame)[0][-1])
    assert clip.labels[-1].last
    assert len(clip.labels[-1].contacts.forces_n) == 4
    assert clip.stamps_ns.tolist() == [scene.stamp_ns(n) for n in range(scene.frames)]


def test_points_keep_their_place_and_colour(episode: Path, scene: Scene) -> None:
    """A point known in frame 0 lies in the first picture where its colour was taken."""
    with EpisodeReader(episode) as reader:
        clip = reader.clip()
    known = clip.point_rgb_known
    pixels, _ = project(clip.cameras[0], clip.points[0, known])
    u, v = np.rint(pixels).astype(int).T
    np.testing.assert_array_equal(clip.rgb[0, v, u], clip.point_rgb[known])
    assert known.sum() > 20
    assert set(clip.point_role) == {1, 2}
    np.testing.assert_array_equal(clip.tracks, clip.points[:, : scene.tracks])
    np.testing.assert_array_equal(clip.track_visible, clip.point_visible[:, : scene.tracks])


def test_generated_clip_comes_with_labels_and_provenance(episode: Path, scene: Scene) -> None:
    """A generated frame keeps the stamp and the true labels of the scene that drove it."""
    with EpisodeReader(episode) as reader:
        generated, clip = reader.generated(), reader.clip()
    assert generated is not None
    np.testing.assert_array_equal(generated.frames[2], render(scene, 2, scene.synth)[0][..., ::-1])
    want = np.array([fidelity(scene, n) for n in range(scene.frames)])
    for name, scores in (('value', want), ('mask', want), ('motion', want + 0.02)):
        np.testing.assert_allclose(getattr(generated.fidelity, name), scores, rtol=1e-6)
    assert generated.stamps_ns.tolist() == clip.stamps_ns.tolist()
    assert [label.frame for label in generated.labels] == list(range(scene.frames))
    assert generated.provenance.config['steps'] == 4
    assert generated.cameras[0].width == scene.synth[0]


@pytest.mark.parametrize(('version', 'got'), [('1', '1'), ('', 'none')])
def test_a_bag_of_another_schema_version_is_refused_by_name(
    tmp_path: Path, scene: Scene, version: str, got: str
) -> None:
    """Its messages may mean something else; a recording of another program has no version. Killed ones, too."""
    folder = tmp_path / 'episode_0000'
    bag, connections = BagWriter(folder, version), {}
    for topic, msgtype, stamp_ns, cdr, _ in messages(scene):
        if topic not in connections:
            connections[topic] = bag.add_connection(f'/{topic}', msgtype, typestore=typestore())
        bag.write(connections[topic], stamp_ns, cdr)
    bag.close()
    refusal = f'episode_0000.*: episode schema version: expected {SCHEMA_VERSION}, got {got}: read it with the version'
    for damage in (lambda: None, (folder / 'metadata.yaml').unlink):
        damage()
        with pytest.raises(EpisodeError, match=refusal):
            EpisodeReader(folder)
    with pytest.raises(EpisodeError, match=refusal):
        EpisodeReader(recover(folder))


def test_the_schema_version_is_where_any_reader_of_bags_finds_it(episode: Path) -> None:
    """metadata.yaml's custom_data and MCAP's channels; no other place of hoigen's is needed to tell."""
    said = yaml.safe_load((episode / 'metadata.yaml').read_text())['rosbag2_bagfile_information']
    assert said['custom_data'] == {SCHEMA: SCHEMA_VERSION}
    with next(episode.glob('*.mcap')).open('rb') as file:
        channels = make_reader(file).get_summary().channels.values()  # type: ignore[union-attr]
    assert {channel.metadata[SCHEMA] for channel in channels} == {SCHEMA_VERSION}


def test_a_rejected_episode_is_whole_without_generated_frames_and_says_why(tmp_path: Path, scene: Scene) -> None:
    """Its scene stays to be used, its provenance tells the tries; a topic of the scene that is missing is a fault."""
    summary = write_scene(tmp_path / 'bag', replace(scene, rejected='fidelity: expected 0.5, got 0.3'))
    assert not summary.generated
    with EpisodeReader(tmp_path / 'bag') as reader:
        assert reader.faults() == ()
        assert reader.rejection() == 'fidelity: expected 0.5, got 0.3'
        assert reader.generated() is None
        assert len(reader.clip().stamps_ns) == scene.frames
    lacking = EpisodeWriter(tmp_path / 'lacking')
    for message in messages(replace(scene, rejected='why')):
        if message[0] != 'condition/mask':
            lacking.write(*message)  # type: ignore[arg-type]
    with pytest.raises(EpisodeError, match='/condition/mask: expected 5 messages'):
        lacking.close(generated=False)


def test_assets_and_images(episode: Path, scene: Scene) -> None:
    """The mesh table has its roles; pictures come one at a time with their stamps."""
    with EpisodeReader(episode) as reader:
        assert [asset.role for asset in reader.assets()] == ['hand'] * 5 + ['object']
        stamps = [stamp for stamp, picture in reader.images('camera/depth') if picture.shape == scene.size[::-1]]
    assert stamps == [scene.stamp_ns(n) for n in range(scene.frames)]


def test_a_bag_without_generated_frames_gives_none(tmp_path: Path, recorded: list[Message]) -> None:
    """An episode that was not synthesized yet is no error for its reader."""
    writer = EpisodeWriter(tmp_path / 'bag')
    for message in recorded:
        if not message[0].startswith(('synth', 'provenance')):
            writer.write(*message)
    writer.close(generated=False)
    with EpisodeReader(tmp_path / 'bag') as reader:
        assert reader.generated() is None
        assert reader.provenance() is None
        assert reader.clip().rgb.shape[0] == 5


def test_points_that_change_places_are_refused(tmp_path: Path, recorded: list[Message]) -> None:
    """Row n must be the same surface point in every frame."""
    writer = EpisodeWriter(tmp_path / 'bag')
    for topic, msgtype, stamp_ns, cdr, qos in recorded:
        if topic == 'condition/points' and stamp_ns == recorded[-1][2]:
            cloud = typestore().deserialize_cdr(cdr, msgtype)
            cloud.data = cloud.data.reshape(-1, cloud.point_step)[::-1].reshape(-1).copy()
            cdr = bytes(typestore().serialize_cdr(cloud, msgtype))
        writer.write(topic, msgtype, stamp_ns, cdr, qos)
    writer.close()
    with (
        EpisodeReader(tmp_path / 'bag') as reader,
        pytest.raises(EpisodeError, match=r'bag: points.id: expected 0 to 199 in order'),
    ):
        reader.clip()
