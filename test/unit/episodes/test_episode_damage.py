"""Bags that lost or changed bytes: found out before anything of them is given, and what is whole is kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from drawn_episode import drawn_episode
from mcap.reader import make_reader
from mcap.writer import Writer
from rosbags.rosbag2 import Reader

from hoigen.episodes import EpisodeDamaged, EpisodeError, EpisodeReader, load_clip, recover, write_episode
from hoigen.episodes.commands import RecoverConfig, recover_episode
from hoigen.episodes.report import write_report
from hoigen.records import Clip

FOOTER = 29 + 8


@pytest.fixture(scope='module')
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('whole') / 'bag'
    write_episode(folder, drawn_episode(3, (24, 16), (12, 8), points=20))
    return folder


@pytest.fixture(scope='module')
def unchecked(whole: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same bag as another program copies it: no checksums."""
    folder = tmp_path_factory.mktemp('unchecked') / 'bag'
    folder.mkdir()
    with (whole / 'bag.mcap').open('rb') as stream, (folder / 'bag.mcap').open('wb') as out:
        reader, writer = make_reader(stream), Writer(out, enable_crcs=False)
        writer.start()
        channels: dict[int, int] = {}
        for schema, channel, message in reader.iter_messages():
            assert schema is not None
            if channel.id not in channels:
                kind = writer.register_schema(schema.name, schema.encoding, schema.data)
                channels[channel.id] = writer.register_channel(channel.topic, 'cdr', kind, channel.metadata)
            writer.add_message(channels[channel.id], message.log_time, message.data, message.publish_time)
        writer.finish()
    (folder / 'metadata.yaml').write_bytes((whole / 'metadata.yaml').read_bytes())
    return folder


def copy(bag: Path, folder: Path, data: bytes, metadata: str | None = None) -> Path:
    """A bag with another .mcap file, or another metadata.yaml."""
    folder.mkdir(exist_ok=True)
    (folder / 'bag.mcap').write_bytes(data)
    (folder / 'metadata.yaml').write_text((bag / 'metadata.yaml').read_text() if metadata is None else metadata)
    return folder


def flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def contents(clip: Clip) -> list[bytes]:
    arrays = [getattr(clip, field.name) for field in fields(Clip)]
    poses = [np.c_[camera.K, camera.T_world_cam[:3]] for camera in clip.cameras]
    truths = [label.T_world_object for label in clip.labels]
    arrays = [array for array in arrays if isinstance(array, np.ndarray)]
    return [np.asarray(array).tobytes() for array in (*arrays, *poses, *truths)]


def refusal(step: Callable[[Path], object], bag: Path) -> str | None:
    """What a step says of a bag that it refuses."""
    try:
        step(bag)
    except EpisodeError as error:
        return str(error)
    return None


def test_every_bit_of_the_file_is_watched(whole: Path, tmp_path: Path) -> None:
    """One flipped bit anywhere, in data, index or end: the bag is refused by name, never loaded as other data."""
    data = (whole / 'bag.mcap').read_bytes()
    random = np.random.default_rng(0)
    bits = {
        *random.integers(0, 8 * len(data), 40).tolist(),
        *range(0, 64, 9),
        *random.integers(8 * (len(data) - FOOTER - 13), 8 * len(data), 40).tolist(),
    }
    for bit in sorted(bits):
        bag = copy(whole, tmp_path / 'bag', flipped(data, bit))
        with pytest.raises(EpisodeDamaged) as caught:
            load_clip(bag)
        assert f'hoigen recover {bag}' in str(caught.value)
        assert '\n' not in str(caught.value)


def test_metadata_that_changed_never_changes_what_is_loaded(whole: Path, tmp_path: Path) -> None:
    """A flip in metadata.yaml is found out, or what is loaded is the same."""
    data, text = (whole / 'bag.mcap').read_bytes(), (whole / 'metadata.yaml').read_bytes()
    want, refused = contents(load_clip(whole)), 0
    for bit in np.random.default_rng(1).integers(0, 8 * len(text), 20).tolist():
        bag = copy(whole, tmp_path / 'bag', data, '')
        (bag / 'metadata.yaml').write_bytes(flipped(text, bit))
        try:
            got = contents(load_clip(bag))
        except EpisodeDamaged:
            refused += 1
        else:
            assert got == want
    assert 0 < refused < 20


@pytest.mark.parametrize('kind', ['whole', 'unchecked'])
def test_a_torn_file_is_refused_and_what_is_whole_of_it_read_on_request(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Bytes lost or added in the middle, a cut anywhere: no bag of fewer frames is taken for a whole one."""
    source: Path = request.getfixturevalue(kind)
    data = (source / 'bag.mcap').read_bytes()
    middle = len(data) // 3
    torn = [
        data[:middle] + data[middle + 40 :],
        data[:middle] + b'\0\1\2\3' + data[middle:],
        *(data[:size] for size in range(0, len(data), len(data) // 12)),
    ]
    for changed in torn:
        bag = copy(source, tmp_path / 'bag', changed)
        with pytest.raises(EpisodeDamaged, match=f'{bag}: expected a finished bag that is whole, .*hoigen recover'):
            load_clip(bag)
        with EpisodeReader(bag) as reader:
            assert reader.damage


def test_bags_without_checksums_are_read(whole: Path, unchecked: Path) -> None:
    """Other programs write none."""
    with EpisodeReader(unchecked) as reader:
        assert reader.complete
        assert reader.faults() == () or all('/tf' in str(fault) for fault in reader.faults())
    assert contents(load_clip(unchecked)) == contents(load_clip(whole))


@pytest.mark.parametrize('kind', ['whole', 'unchecked'])
def test_counts_are_held_against_what_is_there(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """metadata.yaml and the file's own index say how many messages there are."""
    source: Path = request.getfixturevalue(kind)
    data, metadata = (source / 'bag.mcap').read_bytes(), (source / 'metadata.yaml').read_text()
    more = metadata.replace(
        'message_count: 3\n    topic_metadata:\n      name: /labels',
        'message_count: 9\n    topic_metadata:\n      name: /labels',
    )
    assert more != metadata
    with pytest.raises(EpisodeDamaged, match=r'/labels: expected 9 messages, as metadata.yaml says, got 3'):
        load_clip(copy(source, tmp_path / 'bag', data, more))


def test_whatever_bytes_come_the_error_is_one_line_that_names_the_bag(unchecked: Path, tmp_path: Path) -> None:
    """Nothing but EpisodeError, whichever library met the bytes, from loading, reporting and recovering."""
    data = (unchecked / 'bag.mcap').read_bytes()
    random = np.random.default_rng(2)
    for number in range(25):
        changed = bytearray(data)
        for place in random.integers(0, len(data), random.integers(1, 12)):
            changed[place] = random.integers(256)
        bag = copy(unchecked, tmp_path / f'bag{number}', bytes(changed))
        for step in (load_clip, recover):
            said = refusal(step, bag)
            assert said is None or (str(bag) in said and '\n' not in said)


def test_a_damaged_bag_costs_the_report_of_the_others_nothing(whole: Path, tmp_path: Path) -> None:
    """It is shown as far as it goes, with what is wrong; the others as ever."""
    data = (whole / 'bag.mcap').read_bytes()
    (tmp_path / 'run').mkdir()
    copy(whole, tmp_path / 'run' / 'episode_0000', data)
    copy(whole, tmp_path / 'run' / 'episode_0001', flipped(data, 8 * (len(data) // 2)))
    copy(whole, tmp_path / 'run' / 'episode_0002', data[:100])
    page = write_report(tmp_path / 'run').read_text()
    assert 'a checksum differs; this is what can be read of it' in page
    assert page.count('class="episode"') == 3
    assert page.count('"error":') == 1


def test_recover_keeps_every_whole_chunk(whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of a bag with one changed bit all chunks but that one, in any bag of a folder; whole ones are left alone."""
    data = (whole / 'bag.mcap').read_bytes()
    run = tmp_path / 'run'
    run.mkdir()
    copy(whole, run / 'episode_0000', data)
    with (whole / 'bag.mcap').open('rb') as file:
        chunks = make_reader(file).get_summary().chunk_indexes
    copy(whole, run / 'episode_0001', flipped(data, 8 * (chunks[1].chunk_start_offset + 80)))
    assert recover_episode(RecoverConfig(run)) == 0
    assert str(run / 'episode_0001_recovered') in capsys.readouterr().out
    assert sorted(path.name for path in run.iterdir()) == ['episode_0000', 'episode_0001', 'episode_0001_recovered']
    read = partial(map, lambda message: (message[0].topic, message[1], bytes(message[2])))
    with Reader(whole) as before, Reader(run / 'episode_0001_recovered') as after:
        want, got = (list(read(bag.messages(bag.connections))) for bag in (before, after))
    assert set(got) < set(want)
    assert len(want) - len(got) == len(chunks[1].message_index_offsets)
