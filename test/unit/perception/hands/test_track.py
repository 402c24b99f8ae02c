"""Hands keep their number and side through gaps and doubts, and a hand is never found twice in a frame."""

import numpy as np
import pytest

from hoigen.perception.hands.regions import region_of_keypoints
from hoigen.perception.hands.sightings import Sighting
from hoigen.perception.hands.track import AGAIN, follow_hands

SHAPE = np.array(
    [[0, 40], *[[x * r, 10 - 25 * r] for x in (-24, -10, 0, 10, 22) for r in (0.4, 0.8, 1.2, 1.6)]], np.float32
)


class World:
    """Hands that a drawn camera sees: each a path [T,2], NaN where it is out of view, and how sure its side is."""

    def __init__(self, *hands, blind=()):
        self.hands, self.blind, self.searched = hands, blind, []

    def keypoints(self, hand, t):
        return (SHAPE + hand[0][t]).astype(np.float32)

    def region(self, hand, t):
        return region_of_keypoints(self.keypoints(hand, t)[None])[0]

    def palms(self, t):
        self.searched.append(t)
        return [self.region(h, t) for h in self.hands if np.isfinite(h[0][t]).all() and t not in self.blind]

    def look(self, t, regions):
        found = []
        for region in regions:
            near = [
                h for h in self.hands if np.isfinite(h[0][t]).all() and np.hypot(*(self.region(h, t) - region)[:2]) < 40
            ]
            found.append(
                Sighting(self.keypoints(near[0], t), np.zeros((21, 3), np.float32), 0.9, near[0][1][t])
                if near
                else None
            )
        return found

    def follow(self):
        return follow_hands(len(self.hands[0][0]), self.palms, self.look)


def path(frames, start, step=(2, 0)):
    return np.array(start) + np.arange(frames)[:, None] * np.array(step, float)


def sure(frames, right):
    return np.full(frames, float(right))


def test_two_hands_are_followed_with_few_searches():
    world = World((path(30, (100, 100)), sure(30, 0)), (path(30, (400, 100), (-2, 0)), sure(30, 1)))
    hands = world.follow()
    assert hands.side == ('left', 'right')
    assert hands.seen.all()
    assert np.allclose(hands.keypoints_px[7, 1], SHAPE + np.array([386, 100]))
    assert len(world.searched) <= 1 + 30 / AGAIN


def test_a_hand_found_late_is_followed_back():
    """Palms are not found in every pose; a hand that is seen later was there before."""
    world = World((path(20, (100, 100)), sure(20, 1)), blind=range(12))
    assert world.follow().seen.all()


def test_a_hand_that_leaves_and_comes_again_is_the_same_and_nothing_is_made_up_between():
    away = path(30, (100, 100))
    away[10:18] = np.nan
    away[18:] += 150
    hands = World((away, sure(30, 0))).follow()
    assert hands.side == ('left',)
    assert hands.seen[:, 0].tolist() == [t < 10 or t >= 18 for t in range(30)]
    assert np.isnan(hands.keypoints_px[10:18]).all()


def test_of_two_hands_the_one_whose_side_is_doubtful_takes_the_other_side():
    """The network is sure of one and wavers about the other: it is no second left hand."""
    wavering = np.where(np.arange(20) % 3, 0.3, 0.9)
    hands = World((path(20, (100, 100)), sure(20, 0)), (path(20, (400, 100)), wavering)).follow()
    assert hands.side == ('left', 'right')


def test_pieces_of_one_hand_outweigh_a_single_wrong_one():
    """A blurred right hand in three pieces, each shorter than a left hand that looks like a right one."""
    pieces = path(30, (400, 100))
    pieces[[9, 10, 19, 20]] = np.nan
    hands = World((path(30, (100, 100)), np.full(30, 0.7)), (pieces, sure(30, 1))).follow()
    assert hands.side == ('left', 'right')
    assert hands.seen.sum(0).tolist() == [30, 26]


def test_two_persons_left_hands_stay_two():
    hands = World((path(20, (100, 100)), sure(20, 0)), (path(20, (400, 100)), sure(20, 0))).follow()
    assert hands.side == ('left', 'left')
    assert hands.seen.all()


def test_regions_that_meet_do_not_make_one_hand_two():
    """Two hands cross: where one alone is seen it is one."""
    first = path(30, (100, 100), (6, 0))
    second = path(30, (274, 100), (-6, 0))
    second[12:18] = np.nan  # behind the other
    hands = World((first, sure(30, 0)), (second, sure(30, 1))).follow()
    for t in range(30):
        seen = hands.keypoints_px[t, hands.seen[t]]
        assert len(seen) < 2 or np.abs(seen[0] - seen[1]).max() > 5


def test_a_glimpse_is_no_hand():
    glimpse = np.full((20, 2), np.nan)
    glimpse[5:7] = 100
    hands = World((glimpse, sure(20, 1))).follow()
    assert hands.side == ()
    assert hands.keypoints_px.shape == (20, 0, 21, 2)


@pytest.mark.parametrize('frames', [1, 2])
def test_short_stretches_have_hands_too(frames):
    assert World((path(frames, (100, 100)), sure(frames, 1))).follow().seen.all()
