"""The colours that a small model reads of a prompt."""

from __future__ import annotations

import pytest

from hoigen.models.look_words import COLOURS, PARTS, WIDTH, LookWords, colours_of


@pytest.mark.parametrize(
    ('prompt', 'want'),
    [
        ('Lift the red mug, blue hand, green sleeve', {'object': 'red', 'hand': 'blue', 'sleeve': 'green'}),
        ('a gray table before a white wall', {'table': 'grey', 'wall': 'white'}),
        ('push the pink box to the black bowl', {'object': 'pink'}),
        ('a hand in red', {}),
        ('', {}),
    ],
)
def test_a_colour_is_that_of_the_noun_behind_it(prompt: str, want: dict[str, str]) -> None:
    assert colours_of(prompt) == want


def test_a_row_says_which_part_and_which_colour() -> None:
    """What is not named is zero, as the empty prompt is: so a part can be left out in training."""
    named, empty = LookWords().embed(['a blue sleeve', ''])
    assert named.shape == (len(PARTS), WIDTH)
    row = PARTS.index('sleeve')
    assert named[row].nonzero().flatten().tolist() == [row, len(PARTS) + COLOURS.index('blue')]
    named[row] = 0
    assert not named.any()
    assert not empty.any()
