"""The synchroniser: exact stamps, whole sets, prompt reports of sets that cannot become whole."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hoigen.ros.sync import ExactSync


class Log:
    """What a synchroniser said."""

    def __init__(self, topics: str = 'abc', depth: int = 100) -> None:
        self.sets: list[tuple[int, dict[str, Any]]] = []
        self.unmatched: list[tuple[int, list[str]]] = []
        self.sync = ExactSync(list(topics), lambda *args: self.sets.append(args),
                              lambda *args: self.unmatched.append(args), depth)

    def add(self, *messages: tuple[str, int]) -> None:
        for topic, stamp in messages:
            self.sync.add(topic, stamp, f'{topic}{stamp}')


def test_a_set_is_whole_when_every_topic_has_its_stamp() -> None:
    """Messages of one stamp come out together, of another they do not."""
    log = Log()
    log.add(('a', 1), ('b', 1), ('c', 2))
    assert not log.sets
    log.add(('c', 1))
    assert log.sets == [(1, {'a': 'a1', 'b': 'b1', 'c': 'c1'})]


def test_a_set_that_a_later_one_has_overtaken_is_reported_at_once() -> None:
    """Topics deliver in order, so the gap is known when the next set is whole, with what was missing."""
    log = Log()
    log.add(('a', 1), ('b', 1), ('a', 2), ('b', 2), ('c', 2))
    assert log.unmatched == [(1, ['c'])]
    assert [stamp for stamp, _ in log.sets] == [2]


def test_the_buffer_is_bounded() -> None:
    """A topic that never comes does not fill the memory: the oldest set is given up."""
    log = Log(depth=3)
    log.add(*(('a', stamp) for stamp in range(5)))
    assert log.unmatched == [(0, ['b', 'c']), (1, ['b', 'c'])]


def test_a_source_that_starts_its_clock_again_is_followed() -> None:
    """Order is of arrival: small stamps after large ones are whole sets, too, even while a large one is open."""
    log = Log('ab')
    log.add(('a', 90), ('b', 90), ('a', 100), ('a', 10), ('b', 100), ('b', 10))
    assert [stamp for stamp, _ in log.sets] == [90, 100, 10]
    assert not log.unmatched


def test_a_repeated_message_begins_the_set_anew() -> None:
    """Two sources on one topic do not make one set out of both."""
    log = Log('ab')
    log.add(('a', 1), ('a', 1))
    assert log.unmatched == [(1, ['b'])]


@given(st.lists(st.sampled_from('abc'), max_size=60))
def test_any_interleaving_of_topics_that_are_in_order_loses_nothing(order: list[str]) -> None:
    """Whatever topic is faster: the stamps that all have come out once, in order, and none is called unmatched."""
    log, sent = Log(), dict.fromkeys('abc', 0)
    for topic in order:
        log.add((topic, sent[topic]))
        sent[topic] += 1
    assert [stamp for stamp, _ in log.sets] == list(range(min(sent.values())))
    assert not log.unmatched
