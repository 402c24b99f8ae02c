"""Damage to files: flipped bits, cuts, lost and inserted bytes, zeroed and swapped blocks, absurd numbers."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

NUMBER = re.compile(rb'-?\d+(\.\d+)?')
ABSURD = (b'-1', b'0', b'1e308', b'NaN', b'4294967295', b'99999999999999999999', b'""', b'null', b'[]', b'"\xc2\xb2"')
EXTREME = (b'\x00\x00\x00\x00', b'\xff\xff\xff\xff', b'\xff\xff\xff\x7f', b'\x00\x00\x00\x80', b'\x00\x00\xc0\x7f')


def flip_bit(data: bytearray, random: np.random.Generator) -> None:
    data[random.integers(len(data))] ^= 1 << int(random.integers(8))


def cut(data: bytearray, random: np.random.Generator) -> None:
    del data[int(random.integers(len(data))) :]


def lose_bytes(data: bytearray, random: np.random.Generator) -> None:
    start = int(random.integers(len(data)))
    del data[start : start + int(random.integers(1, 64))]


def insert_bytes(data: bytearray, random: np.random.Generator) -> None:
    start = int(random.integers(len(data)))
    data[start:start] = random.bytes(4)


def zero_block(data: bytearray, random: np.random.Generator) -> None:
    start = int(random.integers(len(data)))
    stop = min(len(data), start + int(random.integers(1, 512)))
    data[start:stop] = bytes(stop - start)


def extreme_word(data: bytearray, random: np.random.Generator) -> None:
    start = int(random.integers(max(1, len(data) - 4)))
    data[start : start + 4] = EXTREME[random.integers(len(EXTREME))]


def swap_blocks(data: bytearray, random: np.random.Generator) -> None:
    size = max(1, len(data) // 8)
    a, b = (int(x) for x in random.integers(len(data) - size + 1, size=2))
    data[a : a + size], data[b : b + size] = data[b : b + size], data[a : a + size]


def absurd_number(data: bytearray, random: np.random.Generator) -> None:
    found = list(NUMBER.finditer(data))
    if found:
        start, stop = found[random.integers(len(found))].span()
        data[start:stop] = ABSURD[random.integers(len(ABSURD))]


KINDS: tuple[Callable[[bytearray, np.random.Generator], None], ...] = (
    flip_bit,
    cut,
    lose_bytes,
    insert_bytes,
    zero_block,
    extreme_word,
    swap_blocks,
    absurd_number,
)


def mutate(data: bytes, seed: int) -> bytes:
    """The same damage for the same seed: one kind after the other, each at a drawn position."""
    damaged = bytearray(data)
    KINDS[seed % len(KINDS)](damaged, np.random.default_rng(seed))
    return bytes(damaged)
