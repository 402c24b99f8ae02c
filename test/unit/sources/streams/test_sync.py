"""The synchroniser: exact stamps, whole sets, prompt reports of sets that cannot become whole."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from types import SimpleNamespace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from publications import LUCK, Frame, delivered, episodes, origin, published

from hoigen.sources.streams.order import Refused
from hoigen.sources.streams.pairing import name_source
from hoigen.sources.streams.sync import ExactSync


class Log:
    """What a synchroniser said."""

    def __init__(self, topics: Sequence[str] = 'abc', depth: int = 100) -> None:
        self.sets: list[tuple[int, dict[str, Any]]] = []
        self.refused: list[Refused] = []
        self.sync = ExactSync(
            list(topics),
            lambda stamp, messages, origins: self.sets.append((stamp, messages)),
            self.refused.append,
            depth,
        )

    def add(self, *messages: tuple[str, int]) -> None:
        for topic, stamp in messages:
            self.sync.add(topic, stamp, f'{topic}{stamp}')

    @property
    def unmatched(self) -> list[str]:
        """The stamp that was given up, and the topics that it lacked."""
        return [f'{str(error).split()[0]} {str(error).split("none of ")[1].split(";")[0]}' for error in self.refused]


def test_a_set_is_whole_when_every_topic_has_its_stamp() -> None:
    """Messages of one stamp come out together, of another they do not."""
    log = Log()
    log.add(('a', 1), ('b', 1), ('b', 2))
    assert not log.sets
    log.add(('c', 1))
    assert log.sets == [(1, {'a': 'a1', 'b': 'b1', 'c': 'c1'})]


def test_a_set_that_a_later_one_has_overtaken_is_reported_at_once() -> None:
    """Topics deliver in order, so the gap is known when the next set is whole, with what was missing."""
    log = Log()
    log.add(('a', 1), ('b', 1), ('a', 2), ('b', 2), ('c', 2))
    assert log.unmatched == ["1 ['c']"]
    assert [stamp for stamp, _ in log.sets] == [2]


def test_the_buffer_is_bounded() -> None:
    """A topic that never comes does not fill the memory: the oldest set is given up."""
    log = Log(depth=3)
    log.add(*(('a', stamp) for stamp in range(5)))
    assert log.unmatched == ["0 ['b', 'c']", "1 ['b', 'c']"]


SCENE = ('camera/image', 'labels')
CONDITIONS = ('condition/points', 'condition/tracks')


@settings(deadline=None)
@given(episodes(), LUCK, st.booleans())
def test_no_set_has_messages_of_two_runs_whatever_is_lost(frames: list[Frame], luck: Random, losses: bool) -> None:
    """Clocks that start again, any order over topics; conditions name their labels. Without losses all sets come."""
    streams = published(frames, SCENE)
    made = [frame for frame in frames if not losses or luck.random() < 0.8]
    for topic, stream in published(made, CONDITIONS, process=2).items():
        streams[topic] = stream
    numbers = {frame: labels.origin for frame, labels in zip(frames, streams['labels'], strict=True)}
    log = Log((*SCENE, *CONDITIONS), depth=1000)
    for one in delivered(streams, luck, losses):
        message = SimpleNamespace(of=one.frame)
        if one.topic == 'condition/tracks':
            name_source(message, numbers[one.frame])
        log.sync.add(one.topic, one.frame.stamp_ns, message, one.origin)
    for stamp_ns, messages in log.sets:
        assert {message.of for message in messages.values()} == {messages['labels'].of}
        assert stamp_ns == messages['labels'].of.stamp_ns
    if not losses:
        assert [messages['labels'].of for _, messages in log.sets] == frames
        assert not log.refused


@settings(deadline=None)
@given(episodes(2), episodes(2), LUCK)
def test_no_set_has_messages_of_two_processes_of_a_source(
    first: list[Frame], second: list[Frame], luck: Random
) -> None:
    """A source that is started again begins its numbers and its clock anew."""
    before, after = (published(frames, SCENE, process) for process, frames in enumerate((first, second), 1))
    log = Log(SCENE, depth=1000)
    for one in delivered({topic: before[topic] + after[topic] for topic in SCENE}, luck, losses=False):
        log.sync.add(one.topic, one.frame.stamp_ns, one, one.origin)
    assert {tuple({(part.run, part.origin.number) for part in messages.values()}) for _, messages in log.sets} == {
        ((one.run, one.origin.number),) for stream in (before, after) for one in stream['labels']
    }


def test_topics_that_are_not_published_together_go_by_stamps_that_rise() -> None:
    """A camera that runs for longer than the labels is followed; one whose clock starts again is refused, and why."""
    log = Log('ab', depth=3)
    for number in range(1, 6):
        log.sync.add('a', 100 * number, 'a', origin(1, 1, number))
    for number in range(1, 4):
        log.sync.add('b', 100 * (number + 2), 'b', origin(1, 2, number))
    assert [stamp for stamp, _ in log.sets] == [300, 400, 500]
    for number in range(6, 12):
        log.sync.add('a', 100 * (number - 5), 'a', origin(1, 1, number))
        log.sync.add('b', 100 * (number - 5), 'b', origin(1, 2, number - 2))
    assert len(log.sets) == 3
    assert 'a went from 500 to 100 ns: expected stamps that rise over episodes' in str(log.refused[-1])


def test_without_numbers_a_clock_that_starts_again_is_refused() -> None:
    """Some middleware does not number publications: stamps are all there is."""
    log = Log('ab', depth=2)
    log.add(('a', 1), ('b', 1), ('a', 2), ('a', 1), ('b', 2), ('b', 1))
    assert [stamp for stamp, _ in log.sets] == [1]


def test_a_publication_that_comes_twice_is_taken_once() -> None:
    """Also after its set is complete."""
    log = Log('ab')
    for topic in 'aabab':
        log.sync.add(topic, 1, topic, origin(1, ord(topic), 1))
    assert len(log.sets) == 1
    assert log.sync.empty


@given(st.lists(st.sampled_from('abc'), max_size=60))
def test_any_interleaving_of_topics_that_are_in_order_loses_nothing(order: list[str]) -> None:
    """Whatever topic is faster: the stamps that all have come out once, in order, and none is called unmatched."""
    log, sent = Log(), dict.fromkeys('abc', 0)
    for topic in order:
        log.add((topic, sent[topic]))
        sent[topic] += 1
    assert [stamp for stamp, _ in log.sets] == list(range(min(sent.values())))
    assert not log.unmatched


@settings(deadline=None)
@given(episodes(least_frames=2), LUCK)
def test_labels_that_were_found_in_images_are_of_the_images_frame(frames: list[Frame], luck: Random) -> None:
    """As perception publishes them: with conditions that name the image, and for some of the images only."""
    images = published(frames, ('camera/image',))
    seen = [frame for frame in frames if frame.episode % 2 == 0]
    found = published(seen, ('labels', 'condition/points', 'condition/tracks'), process=2)
    numbers = {frame: image.origin for frame, image in zip(frames, images['camera/image'], strict=True)}
    log = Log(('camera/image', 'labels', 'condition/points', 'condition/tracks'), depth=1000)
    for one in images['camera/image'] + delivered(found, luck, losses=False):
        message = SimpleNamespace(of=one.frame)
        if one.topic == 'condition/tracks':
            name_source(message, numbers[one.frame])
        log.sync.add(one.topic, one.frame.stamp_ns, message, one.origin)
    assert [{message.of for message in messages.values()} for _, messages in log.sets] == [{frame} for frame in seen]
