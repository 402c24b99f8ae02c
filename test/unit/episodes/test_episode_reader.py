"""EpisodeReader gives the scene back as records, and refuses what does not fit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from drawn_episode import MADE, drawn_episode, edited
from mcap.reader import make_reader
from same_record import same_record

from hoigen.episodes import EpisodeError, EpisodeReader, EpisodeWriter, recover, write_episode
from hoigen.episodes.storage import SCHEMA, SCHEMA_VERSION, BagWriter
from hoigen.episodes.whole import Message, messages_of
from hoigen.messages.definitions import typestore
from hoigen.messages.topics import REJECTED
from hoigen.records import Episode

DRAWN = drawn_episode()


@pytest.mark.parametrize(
    'want',
    [
        DRAWN,
        drawn_episode(rejected='fidelity: expected 0.5, got 0.3'),
        edited(DRAWN),
        edited(DRAWN, scene=False),
        replace(edited(DRAWN), clip_provenance=MADE, assets=(), mesh_frames=(), depth_m=None),
    ],
    ids=['accepted', 'rejected', 'edited', 'edited without conditions', 'edited footage'],
)
def test_an_episode_comes_back_as_it_was(want: Episode, tmp_path: Path) -> None:
    """Scene, meshes, measured depth, conditions, frames, fidelity, provenance and what became of it."""
    made = write_episode(tmp_path / 'bag', want).folder
    with EpisodeReader(made) as reader:
        assert reader.complete
        assert reader.faults() == ()
        assert reader.rejection() == ('fidelity: expected 0.5, got 0.3' if want.rejected else '')
        same_record(reader.episode(), want, atol=1e-12)


@pytest.mark.parametrize(('version', 'got'), [('1', '1'), ('', 'none')])
def test_a_bag_of_another_schema_version_is_refused_by_name(
    tmp_path: Path, recorded: list[Message], version: str, got: str
) -> None:
    """Its messages may mean something else; a recording of another program has no version. Killed ones, too."""
    folder = tmp_path / 'episode_0000'
    bag, connections = BagWriter(folder, version), {}
    for topic, msgtype, stamp_ns, cdr, _ in recorded:
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


@pytest.mark.parametrize('topic', ['condition/mask', 'rejected/image'])
def test_a_rejected_episode_that_lacks_a_topic_is_at_fault(tmp_path: Path, topic: str) -> None:
    lacking = EpisodeWriter(tmp_path / 'lacking')
    for message in messages_of(drawn_episode(rejected='why')):
        if message[0] != topic:
            lacking.write(*message)
    with pytest.raises(EpisodeError, match=f'/{topic}: expected 5 messages'):
        lacking.close(made=REJECTED)
    with EpisodeReader(lacking.folder) as reader:
        assert [fault.topic for fault in reader.faults()] == [f'/{topic}']


def test_images(episode: Path, drawn: Episode) -> None:
    """One at a time, with their stamps."""
    with EpisodeReader(episode) as reader:
        stamps = [stamp for stamp, picture in reader.images('camera/depth') if picture.shape == (64, 96)]
    assert stamps == drawn.clip.stamps_ns.tolist()


def test_a_bag_without_generated_frames_gives_none(tmp_path: Path, recorded: list[Message]) -> None:
    """An episode that was not synthesized yet is no error for its reader."""
    writer = EpisodeWriter(tmp_path / 'bag')
    for message in recorded:
        if not message[0].startswith(('synth', 'provenance')):
            writer.write(*message)
    writer.close(made=())
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
