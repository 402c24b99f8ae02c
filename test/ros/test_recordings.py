"""What the recorder puts into which bag: frames of one run of one episode only, whatever order and losses there are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip('rclpy', reason='needs ROS 2: source install/setup.bash')
pytest.importorskip('hoigen.msg', reason='needs the built messages: source install/setup.bash')

from publications import LUCK, STEP_NS, Frame, Publication, delivered, episodes, published
from rclpy.serialization import serialize_message
from ros_bench import ended

from hoigen.episodes import EpisodeError, EpisodeMismatch, EpisodeSummary
from hoigen.msg import Labels, PointTracks
from hoigen.records import EpisodeState, EpisodeStatus, Provenance
from hoigen.ros import convert, topics
from hoigen.ros.recordings import EARLY_LABELS, OPEN_EPISODES, Recordings
from hoigen.ros.topics import Topic
from hoigen.sources.streams.order import Refused
from hoigen.sources.streams.pairing import Origin, name_source

SCENE = [topics.MESH_FRAME, topics.IMAGE, topics.CAMERA_INFO, topics.CAMERA_POSE, topics.LABELS]
CONDITIONS = list(topics.CONDITIONS)
MADE = [topics.SYNTH_IMAGE, topics.SYNTH_CAMERA_INFO, topics.SYNTH_FIDELITY, topics.SYNTH_LABELS]


def cdr_of(topic: Topic, frame: Frame, labels: Origin | None = None) -> bytes:
    """A small message of a frame; its run can be told from the last bytes."""
    head = convert.ENCODER.header(frame.stamp_ns, f'e{frame.episode}f{frame.frame}')
    message = topic.type(header=head)
    if topic.type is Labels:
        message.episode, message.frame, message.last = frame.episode, frame.frame, frame.last
    if topic.type is PointTracks and labels is not None:
        name_source(message, labels)
    return serialize_message(message)


def provenance(episode: int) -> bytes:
    return serialize_message(convert.ENCODER.provenance(Provenance(0, {'episode': episode}, '', {}, {}, {})))


def status(episode: int, state: EpisodeState = EpisodeState.ACCEPTED, **more: Any) -> bytes:
    return serialize_message(ended(episode, state, **more)[topics.EPISODE_STATUS.name])


def images(episode: int) -> bytes:
    return serialize_message(convert.ENCODER.condition_images({}, 0, episode))


TOLD = {topics.SYNTH_CONDITIONS: images, topics.PROVENANCE: provenance, topics.EPISODE_STATUS: status}
BY_NAME = {topic.name: topic for topic in (*SCENE, *CONDITIONS, *MADE, *TOLD, topics.CONDITION_PROVENANCE)}


@dataclass
class Bag:
    """Stands in for the writer of a bag."""

    folder: Path
    messages: dict[str, list[bytes]] = field(default_factory=dict)

    def write(self, topic: str, msgtype: str, stamp_ns: int, cdr: bytes, qos: str) -> None:
        self.messages.setdefault(topic, []).append(cdr)

    def close(self, *, made: object) -> Any:
        counts = {topic: len(messages) for topic, messages in self.messages.items() if BY_NAME[topic] in PER_FRAME}
        if len(set(counts.values())) != 1 or len(counts) != len(PER_FRAME):
            raise EpisodeMismatch(self.folder, ())
        return EpisodeSummary(self.folder, len(self.messages['labels']), counts, 0)


PER_FRAME = (*SCENE, *CONDITIONS, *MADE)


class Bench:
    """A recorder and what came of it."""

    def __init__(self, **options: Any) -> None:
        self.bags: dict[int, Bag] = {}
        self.closed: dict[int, EpisodeStatus] = {}
        self.refused: Counter[str] = Counter()
        self.told: list[str] = []
        self.recordings = Recordings(self._make, self._close, self._refuse, **{'waiting': 1000} | options)

    def _make(self, episode: int) -> Any:
        if episode in self.bags:
            raise EpisodeError('it exists')
        self.bags[episode] = Bag(Path(f'/nowhere/episode_{episode}'))
        return self.bags[episode]

    def _close(self, status: EpisodeStatus) -> None:
        self.closed[status.episode] = status

    def _refuse(self, error: Refused) -> None:
        self.refused[error.reason] += 1
        self.told.append(str(error))

    def add(self, topic: Topic, cdr: bytes, origin: Origin | None = None) -> None:
        try:
            self.recordings.add(topic, cdr, origin)
        except Refused as error:
            self._refuse(error)

    def recorded(self) -> list[int]:
        """The episodes that are called whole."""
        return sorted(episode for episode, told in self.closed.items() if told.state is EpisodeState.RECORDED)


def graph_of(
    frames: list[Frame], take: Callable[[], bool], processes: tuple[int, int, int] = (1, 2, 3)
) -> dict[str, list[Publication]]:
    """What source, condition_builder and synthesizer publish of episodes; the latter two may leave frames out."""
    source, builder, synthesizer = processes
    streams = published(frames, [topic.name for topic in SCENE], source)
    made = [frame for frame in frames if take()]
    streams |= published(made, [topic.name for topic in CONDITIONS], builder)
    whole = [
        frame
        for frame in frames
        if all(one in made for one in frames if one.episode == frame.episode)
        and any(one.episode == frame.episode and one.last for one in frames)
    ]
    streams |= published(whole, [topic.name for topic in MADE], synthesizer)
    told = [frame for frame in whole if frame.frame == 0]
    return streams | published(told, [topic.name for topic in TOLD], synthesizer)


def record(bench: Bench, order: list[Publication], streams: dict[str, list[Publication]]) -> None:
    labels = {one.frame: one.origin for one in streams['labels']}
    for one in order:
        topic = BY_NAME[one.topic]
        if topic in TOLD:
            bench.add(topic, TOLD[topic](one.frame.episode), one.origin)
        else:
            bench.add(topic, cdr_of(topic, one.frame, labels.get(one.frame)), one.origin)


def names_in(bag: Bag) -> dict[str, list[str]]:
    """Of which episode and frame the messages of each topic are, by their frame_id."""
    return {
        topic: [cdr[16 : 16 + int.from_bytes(cdr[12:16], 'little') - 1].decode() for cdr in messages]
        for topic, messages in bag.messages.items()
        if BY_NAME[topic] not in TOLD
    }


@settings(deadline=None)
@given(episodes(), LUCK, st.booleans())
def test_a_bag_holds_frames_of_one_episode_only_whatever_is_lost(
    frames: list[Frame], luck: Random, losses: bool
) -> None:
    """Clocks that start again, any order over topics, the synthesizer far behind. Without losses all is recorded."""
    streams = graph_of(frames, lambda: not losses or luck.random() < 0.8)
    bench = Bench()
    record(bench, delivered(streams, luck, losses), streams)
    bench.recordings.close()
    for episode, bag in bench.bags.items():
        of_bag = [f'e{episode}f{frame.frame}' for frame in frames if frame.episode == episode]
        for names in names_in(bag).values():
            assert len(set(names)) == len(names)
            assert set(names) <= set(of_bag)
        if episode in bench.recorded():
            assert all(sorted(names) == of_bag for names in names_in(bag).values())
    if not losses:
        assert bench.recorded() == sorted({frame.episode for frame in frames})
        assert not bench.refused


@settings(deadline=None)
@given(episodes(2), episodes(2, first=2), LUCK)
def test_a_source_that_is_started_again_is_recorded_under_its_new_numbers(
    before: list[Frame], after: list[Frame], luck: Random
) -> None:
    """Its clock and its publications begin anew; what its first run left unfinished does not get into later bags."""
    streams = graph_of(before[:-1], lambda: True)
    later = graph_of(after, lambda: True, (4, 5, 6))
    bench = Bench()
    streams = {topic: streams[topic] + later[topic] for topic in later}
    record(bench, delivered(streams, luck, losses=False), streams)
    assert set(bench.recorded()) == {frame.episode for frame in before[:-1] if frame.episode != before[-1].episode} | {
        frame.episode for frame in after
    }
    for episode, bag in bench.bags.items():
        assert {name.split('f')[0] for names in names_in(bag).values() for name in names} <= {f'e{episode}'}


def whole(episode: int, start_ns: int = 0, frames: int = 3, process: int = 1) -> dict[str, list[Publication]]:
    made = [Frame(episode, frame, start_ns + frame * STEP_NS, frame == frames - 1) for frame in range(frames)]
    return graph_of(made, lambda: True, (process, process + 1, process + 2))


def in_turn(streams: dict[str, list[Publication]], without: tuple[Topic, ...] = ()) -> list[Publication]:
    """Topic after topic."""
    return [one for topic, stream in streams.items() if BY_NAME[topic] not in without for one in stream]


def test_frames_of_a_closed_episode_do_not_wait_for_ever() -> None:
    """Every further goal's frames are refused, and are in no later bag; what waits is bounded, and reported."""
    bench = Bench(waiting=4)
    record(bench, in_turn(whole(0)), whole(0))
    assert bench.recorded() == [0]
    for number in range(100):
        again = whole(0, process=10 + number)
        record(bench, [one for topic in MADE for one in again[topic.name]], again)
    assert bench.recordings.waiting == 0
    for _ in range(100):
        bench.add(topics.SYNTH_IMAGE, cdr_of(topics.SYNTH_IMAGE, Frame(0, 0, 0, False)))
    assert bench.recordings.waiting <= 4 * len(MADE)
    assert bench.refused['frame without labels'] >= 99
    record(bench, in_turn(whole(1, process=5)), whole(1, process=5))
    assert bench.recorded() == [0, 1]


def test_frames_of_an_episode_that_never_began_are_bounded_too() -> None:
    """A recorder that was started late hears goals for episodes that it never saw."""
    bench = Bench(waiting=4)
    for number in range(EARLY_LABELS // 3 + 1):
        again = whole(0, process=10 + number)
        record(bench, [one for topic in MADE for one in again[topic.name]], again)
    assert bench.refused['labels of no episode'] > 0
    assert bench.recordings.waiting <= 4 * len(MADE)


def test_a_refused_beginning_refuses_the_rest_of_the_episode() -> None:
    """The number of an open episode comes again, from another process: not one of its frames gets into the bag."""
    bench = Bench()
    first, second = whole(0), whole(0, start_ns=50, process=7)
    record(bench, in_turn(first, without=tuple(MADE)), first)
    record(bench, in_turn(second, without=tuple(MADE)), second)
    record(bench, [one for topic in (*MADE, *TOLD) for one in first[topic.name]], first)
    assert bench.recorded() == [0]
    assert bench.refused['episode begins again'] == 1
    assert all(len(names) == 3 for names in names_in(bench.bags[0]).values())


def test_two_publishers_of_labels_are_not_mixed() -> None:
    """Frames of another publisher in the middle of an episode are refused, and the error says so."""
    bench = Bench()
    first, second = whole(0), whole(0, start_ns=50, process=7)
    labels = [one for pair in zip(first['labels'], second['labels'], strict=True) for one in pair]
    record(bench, [labels[0], *labels[2:]], first)
    assert bench.refused == {'two publishers': 2} or bench.refused['two publishers'] == 1
    bench.recordings.close()
    assert len(names_in(bench.bags[0])['labels']) == 3


def test_an_episode_that_is_not_admitted_leaves_nothing_behind(tmp_path: Path) -> None:
    """It is no fault of the recording, and those around it are recorded."""
    bench = Bench()
    for episode in range(3):
        scene = whole(episode, process=1 + 3 * episode)
        record(bench, in_turn(scene, without=(*MADE, *TOLD)), scene)
        if episode == 1:
            bench.bags[1].folder = tmp_path / 'bag'
            bench.bags[1].folder.mkdir()
            bench.add(topics.EPISODE_STATUS, status(1, EpisodeState.SKIPPED, reason='too many'))
    for episode in (0, 2):
        scene = whole(episode, process=1 + 3 * episode)
        record(bench, [one for topic in (*TOLD, *MADE) for one in scene[topic.name]], scene)
    assert bench.recorded() == [0, 2]
    assert (bench.closed[1].state, bench.closed[1].reason) == (EpisodeState.SKIPPED, 'too many')
    assert not list(tmp_path.iterdir())


def test_open_episodes_are_bounded_and_the_oldest_are_kept() -> None:
    """As the synthesizer does: what it admitted before is recorded, however many come."""
    bench = Bench()
    for episode in range(OPEN_EPISODES + 3):
        scene = whole(episode, start_ns=episode * 1000)
        record(
            bench,
            [
                one._replace(origin=one.origin._replace(number=one.origin.number + 3 * episode))
                for one in in_turn(scene, without=(*MADE, *TOLD))
            ],
            scene,
        )
    assert bench.recordings.open_episodes == list(range(OPEN_EPISODES))
    assert bench.refused['too many episodes'] == 3


def test_labels_of_generated_frames_must_be_those_of_the_scene() -> None:
    """They are compared when the bag is closed."""
    bench = Bench()
    scene = whole(0)
    for one in in_turn(scene):
        topic = BY_NAME[one.topic]
        cdr = TOLD[topic](0) if topic in TOLD else cdr_of(topic, one.frame, scene['labels'][one.frame.frame].origin)
        if topic is topics.SYNTH_LABELS:
            message = Labels(
                header=convert.ENCODER.header(one.frame.stamp_ns, 'e0'),
                episode=0,
                frame=one.frame.frame,
                last=one.frame.last,
                joint_positions=[float(one.frame.frame == 1)],
                joint_names=['hip'],
            )
            cdr = serialize_message(message)
        bench.add(topic, cdr, one.origin)
    assert 'synth/labels at 0 ns: expected what labels says' in bench.closed[0].reason


def test_conditions_alone_complete_an_episode() -> None:
    """Where condition_builder is what is recorded, nothing that is made of its conditions is awaited or written."""
    bench = Bench(made_by=topics.BUILDER)
    scene = whole(0)
    record(bench, in_turn(scene), scene)
    assert not bench.closed  # how they were made is a part of it
    bench.add(topics.CONDITION_PROVENANCE, provenance(0))
    assert not bench.closed  # and that they are whole
    bench.add(topics.EPISODE_STATUS, status(0, node=topics.BUILDER))
    assert list(bench.closed) == [0]
    told = (topics.CONDITION_PROVENANCE, topics.EPISODE_STATUS)
    assert set(bench.bags[0].messages) == {topic.name for topic in (*SCENE, *CONDITIONS, *told)}
