"""Colours of the parts of a scene, read from a prompt: the text that a small model understands."""

from __future__ import annotations

import re
from itertools import pairwise

import torch
from torch import Tensor

# fmt: off
COLOURS = (
    'black', 'grey', 'white', 'brown', 'beige', 'red', 'orange', 'yellow', 'green', 'turquoise', 'blue', 'purple',
    'pink',
)
# fmt: on
PARTS = ('object', 'hand', 'sleeve', 'table', 'wall')
"""What a colour is read of; a noun that is none of the last four is the object."""
WIDTH = len(PARTS) + len(COLOURS)


def colours_of(prompt: str) -> dict[str, str]:
    """The colour of each part that a prompt names: a colour right before a noun is that noun's.

    "lift the red mug, blue hand, green sleeve" -> object red, hand blue, sleeve green. Where a part has two, the first
    one counts.
    """
    words, found = re.findall(r'[a-z]+', prompt.lower().replace('gray', 'grey')), dict[str, str]()
    for colour, noun in pairwise(words):
        if colour in COLOURS and noun not in COLOURS:
            found.setdefault(noun if noun in PARTS else 'object', colour)
    return found


class LookWords:
    """Prompts to one row for each of :data:`PARTS`: which part and which colour; zeros where none is named."""

    def embed(self, prompts: list[str]) -> Tensor:
        """``[B, len(PARTS), WIDTH]`` float32."""
        table = torch.zeros(len(prompts), len(PARTS), WIDTH)
        for rows, prompt in zip(table, prompts, strict=True):
            for part, colour in colours_of(prompt).items():
                place = PARTS.index(part)
                rows[place, [place, len(PARTS) + COLOURS.index(colour)]] = 1
        return table
