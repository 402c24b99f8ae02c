"""The order of frames: what begins an episode, what follows, what is refused and by which reason."""

from __future__ import annotations

import pytest

from hoigen.sources.streams.order import TABLES, EpisodeOrder, Refused, Tables


def follow(order: EpisodeOrder, stamp: int, episode: int, frame: int) -> bool:
    begins = order.begins(stamp, episode, frame)
    order.accept(stamp, frame)
    return begins


def test_frame_zero_begins_an_episode_at_any_stamp() -> None:
    """A source may start its clock again, or play an episode again."""
    order = EpisodeOrder()
    frames = ((5, 0, 0), (6, 0, 1), (7, 1, 0), (1, 2, 0), (2, 2, 1), (1, 2, 0))
    assert [follow(order, *frame) for frame in frames] == [True, False, True, True, False, True]


@pytest.mark.parametrize(
    ('frame', 'reason'),
    [
        ((20, 3, 2), 'frame goes back'),
        ((10, 3, 3), 'stamp goes back'),
        ((9, 3, 3), 'stamp goes back'),
        ((30, 4, 1), 'episode without its beginning'),
    ],
)
def test_a_frame_that_does_not_follow_is_refused_and_changes_nothing(frame: tuple[int, int, int], reason: str) -> None:
    """After the refusal the frame that does follow is taken."""
    order = EpisodeOrder()
    for good in ((5, 3, 0), (10, 3, 2)):
        follow(order, *good)
    with pytest.raises(Refused) as refusal:
        order.begins(*frame)
    assert refusal.value.reason == reason
    assert order.begins(11, 3, 3) is False


def test_frame_zero_that_comes_twice_is_refused() -> None:
    """The same frame again begins nothing."""
    order = EpisodeOrder()
    follow(order, 10, 3, 0)
    with pytest.raises(Refused, match='expected a stamp after 10 ns'):
        order.begins(10, 3, 0)


def test_a_refused_frame_may_be_followed_by_the_number_after_it() -> None:
    """A hole is not an error of the order: who needs whole episodes counts."""
    order = EpisodeOrder()
    follow(order, 1, 0, 0)
    order.begins(2, 0, 1)  # refused later, for what it holds
    assert order.begins(3, 0, 2) is False


def test_the_newest_table_for_a_stamp_is_in_force() -> None:
    """Also after the source's clock began again; without one there is none."""
    tables: Tables[str] = Tables()
    assert tables.at(5) is None
    for since, table in ((5, 'a'), (10, 'b'), (20, 'c')):
        tables.add(since, table)
    assert [tables.at(stamp) for stamp in (7, 12, 12, 30)] == ['a', 'b', 'b', 'c']
    tables.add(3, 'again')
    assert tables.at(4) == 'again'


def test_tables_of_a_far_future_push_out_none_that_an_episode_needs() -> None:
    """However many somebody publishes before and after it."""
    tables: Tables[str] = Tables()
    for number in range(2 * TABLES):
        tables.add(10**17 + number, 'nonsense')
    tables.add(5, 'ours')
    for number in range(2 * TABLES):
        tables.add(10**17 + number, 'nonsense')
    assert tables.at(6) == 'ours'


def test_frames_of_another_publisher_do_not_follow() -> None:
    """Two sources that number alike make no episode of both; one that is started again begins with frame 0."""
    order = EpisodeOrder()
    assert order.begins(10, 0, 0, b'one')
    with pytest.raises(Refused, match='expected the publisher of frame 0') as refusal:
        order.begins(11, 0, 1, b'two')
    assert refusal.value.reason == 'two publishers'
    assert not order.begins(11, 0, 1, b'one')
    assert order.begins(10, 0, 0, b'two')


def test_of_an_episode_that_is_not_taken_no_frame_follows() -> None:
    """Until the next one begins."""
    order = EpisodeOrder()
    order.begins(10, 3, 0)
    order.refuse()
    with pytest.raises(Refused, match='expected frame 0 of it before'):
        order.begins(11, 3, 1)
    assert order.begins(0, 4, 0)


def test_tables_that_name_their_episode_are_told_apart_where_stamps_start_again() -> None:
    """The next one has come already; without a number it is refused to guess, where the two differ."""
    tables: Tables[str] = Tables()
    for episode, table in enumerate('abc'):
        tables.add(0, table, episode)
    assert [tables.at(0, episode) for episode in (0, 1, 2, 3)] == ['a', 'b', 'c', 'c']
    unnumbered: Tables[str] = Tables()
    for table in 'aa':
        unnumbered.add(0, table)
    assert unnumbered.at(0, 0) == 'a'
    unnumbered.add(0, 'b')
    with pytest.raises(Refused, match='tables must name their episode where stamps start again'):
        unnumbered.at(0, 1)
